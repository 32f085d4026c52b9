"""From any picture to an aligned face; whether it is one already is for the caller to say."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from PIL import Image

from multimodal.faces.align import FaceTransform, align
from multimodal.faces.detect import DetectedFace, detect_faces, pick_face, upright_faces
from multimodal.faces.paste import paste_back
from multimodal.images import resize
from multimodal.types import Aligned

MODES = ("detect", "aligned")
REMEMBERED = 4


def align_or_crop(
    image: Image.Image, size: int, face_index: int | None = None, mode: str = "detect"
) -> tuple[Image.Image, FaceTransform | None, np.ndarray | None]:
    """An aligned face of `size` pixels a side, its place in the photo, its 68 points.

    Args:
        image: a photo, or a crop that is aligned already.
        size: side of the result.
        face_index: which face, from 0, largest first; None takes the largest.
        mode: "detect": find the face and align it, however the picture is framed, for many an
            avatar is framed as FFHQ frames its crops; "aligned": take the picture (its middle
            square) as it is.

    Returns:
        the crop; the transform, or None when the picture itself is the crop; landmarks
        `[68, 2]` in pixels of the crop, or None when no face was found in an aligned picture.

    Raises:
        NoFaceError: no face, or not that many ("aligned" never raises it).
        ValueError: another mode.
    """
    if mode not in MODES:
        raise ValueError(f"mode {mode!r}: choose one of {', '.join(MODES)}")
    if mode == "aligned":
        return _as_it_is(image, size)
    found = pick_face(detect_faces(image, every=face_index is not None), face_index)
    crop, transform = align(image, found.landmarks, size)
    return crop, transform, transform.to_crop(found.landmarks).astype(np.float32)


class FaceAligner:
    """Finds, cuts and pastes faces for a `FaceEditor`.

    Args:
        mode: see `align_or_crop`.
    """

    def __init__(self, mode: str = "detect") -> None:
        if mode not in MODES:
            raise ValueError(f"mode {mode!r}: choose one of {', '.join(MODES)}")
        self.mode = mode
        self._seen: list[tuple[bytes, list[DetectedFace]]] = []

    def faces(self, photo: Image.Image, every: bool = False) -> list[DetectedFace]:
        """The faces of a photo, see `detect_faces`; those of the last photos are remembered."""
        mark = hashlib.blake2b(photo.tobytes(), salt=b"every" if every else b"").digest()
        for seen, found in self._seen:
            if seen == mark:
                return found
        found = detect_faces(photo, every)
        self._seen = [*self._seen[1 - REMEMBERED :], (mark, found)]
        return found

    def align(self, photo: Image.Image, size: int, face: int | None = None) -> Aligned:
        """The largest face, or the one of that index, as a crop of `size` pixels a side.

        Raises:
            NoFaceError: no face, or not that many.
        """
        import torch

        if self.mode == "aligned":
            crop, _, points = _as_it_is(photo, size)
            return Aligned(crop, None, None if points is None else torch.from_numpy(points))
        faces = self.faces(photo, every=face is not None)
        found = pick_face(faces, face)
        crop, transform = align(photo, found.landmarks, size)
        marks = torch.from_numpy(transform.to_crop(found.landmarks).astype(np.float32))
        about = {
            "faces": len(faces),
            "face": face or 0,
            "certainty": round(found.score, 2),
            "pixels": round(found.box[2] - found.box[0]),
        }
        return Aligned(crop, transform, marks, about)

    def paste(
        self,
        photo: Image.Image,
        crop: Image.Image,
        transform: Any,
        original: Image.Image | None = None,
    ) -> Image.Image:
        """The photo with the crop back in its place, see `paste_back`."""
        return paste_back(photo, crop, transform, original)


def _as_it_is(image: Image.Image, size: int) -> tuple[Image.Image, None, np.ndarray | None]:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    crop = resize(image.convert("RGB").crop((left, top, left + side, top + side)), size)
    faces = upright_faces(crop)
    return crop, None, faces[0].landmarks if faces else None
