"""A photo whose face is to be edited: what it shows, and where."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np
from PIL import Image

from multimodal.faces.align import FaceTransform
from multimodal.fidelity.change import Cover
from multimodal.fidelity.colours.dyes import HAIR, IRIS, LIPS, Names
from multimodal.fidelity.composing import Box, axes
from multimodal.fidelity.drawn import as_tensor, shrinking
from multimodal.fidelity.hairstyles.asking import Wanted
from multimodal.fidelity.hairstyles.heads import Head
from multimodal.fidelity.hairstyles.laying import Worn
from multimodal.fidelity.hairstyles.wearing import wearing
from multimodal.fidelity.mesh import EYES, INNER_LIPS, face_meshes
from multimodal.fidelity.regions import (
    Mask,
    Region,
    Surroundings,
    mask_of,
    parsed,
    region_of,
    surroundings_of,
)
from multimodal.fidelity.things.bald import bald_head
from multimodal.fidelity.things.jaws.shaving import shaved_off
from multimodal.fidelity.things.scene import Choice

LEAST_SIDE, MOST_SIDE = 256, 512
"""Bounds of the side at which changes are worked out."""
LEAST_HAIR, MOST_HAIR = 512, 1024
"""Bounds of the side of hair that is laid on."""
TONES = 0.06
"""Colours that stray less from one tone are none."""
SURE = 0.5
"""Certainty above which a mesh is taken for a face's."""
Point = tuple[float, float]
Quad = tuple[Point, Point, Point, Point]


@dataclass(frozen=True, eq=False)
class Subject:
    """A photo whose face is to be edited, and where the face lies.

    Args:
        photo: the whole picture `[H, W, 3]` uint8.
        transform: where the crop lies in it.
        crop: the face at its own resolution `[N, N, 3]` uint8.
        small: the crop at the size of drawings, `[S, S, 3]` float32 in [0, 1].
        mesh: of the face `[468, 2]`, in parts of the crop's side.
        sure: the mesh is a face's, so it may be followed.
        grey: the photo has no colours, and shall have none.
        likely: probabilities of the parser's classes `[16, S, S]`.
        steady: parsed with its mirror image, which takes twice as long.
        regions: those that were asked for.
        masks: the same at the photo's resolution.
        worn: what other hair lays over the square about the head.
        liked: names of the hair and beards that were chosen; a film keeps those of earlier frames.
    """

    photo: np.ndarray
    transform: FaceTransform
    crop: np.ndarray
    small: np.ndarray
    mesh: np.ndarray
    sure: bool
    grey: bool
    likely: np.ndarray
    steady: bool = True
    regions: dict[Names, Region | None] = field(default_factory=dict, repr=False)
    masks: dict[Names, Mask | None] = field(default_factory=dict, repr=False)
    worn: dict[Wanted, Worn | None] = field(default_factory=dict, repr=False)
    liked: dict[Choice, str] = field(default_factory=dict, repr=False)

    @cached_property
    def around(self) -> Surroundings:
        """The square about the head, and what it shows; found when it is first asked for."""
        picture = (self.photo, self.transform, self.small)
        return surroundings_of(*picture, self.likely, self.steady)

    @cached_property
    def bald(self) -> Cover:
        """What the square about the head shows without hair."""
        return bald_head(self._mesh_around, self.around, self.around.where(HAIR))

    @cached_property
    def solid(self) -> np.ndarray:
        """The mesh with its depth `[468, 3]`, in parts of the crop's side."""
        found = face_meshes(as_tensor(self.small))[0][0, :, 2:].double().numpy()
        return np.concatenate([self.mesh, found], axis=1)

    @cached_property
    def chin(self) -> Cover | None:
        """The crop's skin where a beard grows; None: none does."""
        return shaved_off(self.transform, self.crop, self.solid, self.likely)

    def wearing(self, wanted: Wanted) -> Worn | None:
        """What makes the head wear other hair, over the square about it; or None: it wears such
        hair already, or none fits."""
        if wanted not in self.worn:
            side = int(np.clip(self.transform.side * self.around.room, LEAST_HAIR, MOST_HAIR))
            head, liked = Head(self.around, self._mesh_around), self.liked.get(wanted)
            found = wearing(head, wanted, lambda: self.bald, side, liked) if self.sure else None
            self.worn[wanted] = None if found is None else found[0]
            if found is not None:
                self.liked[wanted] = found[1]
        return self.worn[wanted]

    @property
    def _mesh_around(self) -> np.ndarray:
        return np.asarray((self.mesh - 0.5) / self.around.room + 0.5)

    def region(self, names: Names) -> Region | None:
        """What tells the photo's pixels of some classes, or None: they are nowhere."""
        if names not in self.regions:
            self.regions[names] = region_of(self.around, names)
        return self.regions[names]

    def mask(self, names: Names) -> Mask | None:
        """Where the photo shows some classes, or None: nowhere."""
        if names not in self.masks:
            region = self.region(names)
            found = None if region is None else mask_of(self.photo, self.around.place, region)
            if found is not None:
                shape, middle = found.alpha.shape, self._within(self.mesh, found.box)
                limit = self._limit(names, middle, shape, self.transform.side / 300)
                found = found if limit is None else replace(found, alpha=found.alpha * limit)
            self.masks[names] = found
        return self.masks[names]

    def limited(self, names: Names, side: int) -> Region | None:
        """The region at another side, with what the mesh knows of its bounds, as films take it."""
        region = self.region(names)
        if region is None:
            return None
        planes = [
            cv2.resize(plane, (side, side), interpolation=cv2.INTER_AREA)
            for plane in (region.line, region.reach, region.along)
        ]
        points = self._mesh_around * side
        limit = self._limit(names, points, (side, side), side / self.around.room / 300)
        top = None if region.top is None else cv2.resize(region.top, (side, side))
        return Region(planes[0], planes[1], planes[2], region.extent, limit, top)

    def _within(self, points: np.ndarray, box: Box) -> np.ndarray:
        """Points in parts of the crop's side as pixels of a box of the photo."""
        corner = np.array(self.transform.quad[0]) - box[:2]
        found: np.ndarray = points @ axes(self.transform) + corner
        return found

    def _limit(
        self, names: Names, mesh: np.ndarray, shape: tuple[int, ...], width: float
    ) -> np.ndarray | None:
        """What of lips is not the mouth's inside, and of irises not lids; None: everything."""
        if not self.sure or names not in (LIPS, IRIS):
            return None
        found = np.zeros(shape[:2], np.float32)
        for outline in [INNER_LIPS] if names == LIPS else EYES:
            points = np.round(mesh[list(outline)] * 16).astype(np.int32)
            cv2.fillPoly(found, [points], 1.0, cv2.LINE_AA, 4)
        soft: np.ndarray = cv2.GaussianBlur(found, (0, 0), max(width, 0.5))
        return 1 - soft if names == LIPS else soft


def subject_of(
    photo: Image.Image,
    transform: FaceTransform | None,
    crop: Image.Image,
    side: int,
    steady: bool = True,
) -> Subject:
    """Prepare a photo for edits of its face; done once a face.

    Args:
        photo: the whole picture.
        transform: where the face lies in it, or None: the picture is the face.
        crop: the face at its own resolution.
        side: of the drawings, in pixels.
        steady: parse it with its mirror image.
    """
    side = min(max(side, LEAST_SIDE), MOST_SIDE)
    place = transform or FaceTransform(whole_of(photo.width), min(photo.width, 4096))
    pixels = np.asarray(crop.convert("RGB"))
    small = cv2.resize(pixels, (side, side), interpolation=shrinking(pixels.shape[0], side))
    small = small.astype(np.float32) / 255
    points, score = face_meshes(as_tensor(small))
    picture, mesh = np.asarray(photo.convert("RGB")), points[0, :, :2].double().numpy()
    sure, grey = float(score[0]) > SURE, without_colours(small)
    likely = parsed(small, steady)
    return Subject(picture, place, pixels, small, mesh, sure, grey, likely, steady)


def without_colours(picture: np.ndarray) -> bool:
    """Is a picture black and white, or of one tone (sepia)?"""
    tones = picture - picture.mean(axis=-1, keepdims=True)
    away = np.abs(tones - np.median(tones, axis=(0, 1))).max(axis=-1)
    return bool(np.quantile(away, 0.98) < TONES)


def whole_of(side: int) -> Quad:
    """The corners of a crop that is the whole square picture."""
    low, high = -0.5, side - 0.5
    return ((low, low), (low, high), (high, high), (high, low))
