"""Parses a whole photo: the square about one head, at the photo's own resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from multimodal.faces import FaceTransform, detect_faces
from multimodal.faces.align import cut, ffhq_quad
from multimodal.faces.detect import pick_face
from multimodal.images import to_tensor
from multimodal.parsing.classes import class_indices
from multimodal.parsing.guided import guided_enlarge
from multimodal.parsing.matting import matte
from multimodal.parsing.parser import FaceParser

ROOM = 1.25
"""Side of the square that is looked at, in sides of the aligned crop: room for hair."""
MAX_SIDE = 2048


@dataclass(frozen=True)
class ParsedPhoto:
    """What a photo shows within a square about one head; elsewhere it counts as background.

    Args:
        photo: the photo.
        crop: the square, at the photo's resolution (2048 pixels a side at most).
        place: where it lies in the photo.
        likely: probabilities of `CLASSES` `[1, 16, side, side]` over the square, or of other
            classes, the background first.
    """

    photo: Image.Image
    crop: Image.Image
    place: FaceTransform
    likely: Tensor

    def labels(self) -> NDArray[np.uint8]:
        """Places in `CLASSES` of every pixel of the photo `[H, W]`."""
        guide = to_tensor(self.crop)
        best = torch.full((1, 1, *guide.shape[-2:]), -1.0)
        label = torch.zeros_like(best, dtype=torch.uint8)
        for k in range(self.likely.shape[1]):  # one at a time: maps of a large photo are a lot
            found = guided_enlarge(self.likely[:, k : k + 1], guide)
            label[found > best] = k
            best = torch.maximum(best, found)
        image = Image.fromarray(label[0, 0].numpy())
        return np.asarray(self._back(image, Image.Resampling.NEAREST))

    def mask(self, names: Sequence[str]) -> Image.Image:
        """Where the photo shows any of some classes or parts: grey, white for surely.

        Raises:
            ValueError: an unknown name.
        """
        return self.mask_of(class_indices(tuple(names)))

    def mask_of(self, places: Sequence[int]) -> Image.Image:
        """The same for classes by their places; beyond the square all is class 0."""
        found = self.likely[:, list(places)].sum(1, keepdim=True)
        soft = guided_enlarge(found, to_tensor(self.crop))[0, 0]
        image = Image.fromarray((soft * 255).round().byte().numpy())
        return self._back(image, Image.Resampling.BILINEAR, 255 if 0 in places else 0)

    def matte(self, names: Sequence[str]) -> Image.Image:
        """How much of every pixel belongs to some classes or parts: grey, strands of hair apart.

        Raises:
            ValueError: an unknown name.
        """
        places = class_indices(tuple(names))
        inside = self.likely[0, places].sum(0).numpy()
        hair = self.likely[0, class_indices(("hair",))].sum(0).numpy()
        alpha = matte(np.asarray(self.crop), inside, hair)
        image = Image.fromarray((alpha * 255).round().astype(np.uint8))
        return self._back(image, Image.Resampling.BILINEAR)

    def _back(self, image: Image.Image, way: Image.Resampling, outside: int = 0) -> Image.Image:
        """A picture of the square laid into the photo's frame."""
        corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        zero, right, down = self.place.to_crop(corners)
        x, y = right - zero, down - zero
        # PIL maps centres of pixels: half a pixel is added before, taken off after.
        shift = zero + 0.5 - 0.5 * (x + y)
        matrix = (x[0], y[0], shift[0], x[1], y[1], shift[1])
        return image.transform(
            self.photo.size, Image.Transform.AFFINE, matrix, way, fillcolor=outside
        )


def parse_photo(
    parser: FaceParser, photo: Image.Image, face_index: int | None = None
) -> ParsedPhoto:
    """Parse the largest face of a photo, or the one of an index.

    Args:
        parser: see `load_parser`.
        photo: any RGB picture.
        face_index: which face, from 0, largest first.

    Raises:
        NoFaceError: no face, or not that many.
    """
    found = pick_face(detect_faces(photo), face_index)
    quad = ffhq_quad(found.landmarks)
    middle = quad.mean(0)
    quad = middle + (quad - middle) * ROOM
    side = float(np.linalg.norm(quad[3] - quad[0]))
    size = int(np.clip(round(side), parser.side, MAX_SIDE))
    place = FaceTransform(tuple((float(x), float(y)) for x, y in quad), size)  # type: ignore[arg-type]
    crop = cut(photo, place)
    return ParsedPhoto(photo, crop, place, parser.probabilities(to_tensor(crop), mirror=True).cpu())
