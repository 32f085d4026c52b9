"""Where hair, skin, lips and the rest lie: in drawings, and in a photo at its own resolution."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
import torch
from PIL import Image

from multimodal.faces.align import FaceTransform
from multimodal.faces.native import native_crop
from multimodal.fidelity.composing import ROWS, Box, seen, touched
from multimodal.parsing.classes import class_indices
from multimodal.parsing.files import model_parser
from multimodal.parsing.parser import FaceParser

ROOM = 1.8
"""Side of the square in which hair is looked for, in sides of the crop: long hair leaves it."""
SIDE = 512
REACH, EDGE = 7, 1.5e-3
"""Window of the guided filter in pixels of the square, and variance up to which edges are none."""
FACE = ("skin", "nose", "lips", "eyes", "iris", "brows")
SKIN = ("skin", "nose", "ears", "neck")


@lru_cache(maxsize=1)
def parser() -> FaceParser:
    """The parser that comes with the program, loaded once."""
    return model_parser("default")


def parsed(picture: np.ndarray, mirror: bool = False) -> np.ndarray:
    """Probabilities of the parser's classes `[16, S, S]` of a crop `[S, S, 3]` in [0, 1]."""
    side = picture.shape[0]
    tensor = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None] * 2 - 1
    found = parser().probabilities(tensor, mirror)[0].numpy()
    return found if found.shape[-1] == side else _resized(found, side)


def share(likely: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Probability of any of some classes `[S, S]`."""
    return likely[class_indices(names)].sum(axis=0)


@dataclass(frozen=True, eq=False)
class Surroundings:
    """A square about a head, larger than the crop, and what it shows.

    Args:
        place: of the square in the photo.
        picture: `[512, 512, 3]` float32 in [0, 1].
        likely: probabilities of the parser's classes `[16, 512, 512]`.
        room: its side in sides of the crop.
        kept: colours of regions that were asked for.
    """

    place: FaceTransform
    picture: np.ndarray
    likely: np.ndarray
    room: float = 1.0
    kept: dict[tuple[tuple[str, ...], float], np.ndarray] = field(default_factory=dict, repr=False)

    def where(self, names: tuple[str, ...]) -> np.ndarray:
        """Where it shows some classes of this head, `[512, 512]` in [0, 1]."""
        values = share(self.likely, names).astype(np.float32)
        return _joined(values, share(self.likely, FACE))

    def levels(self, names: tuple[str, ...], sure: float = 0.8) -> np.ndarray:
        """Colours `[N, 3]` of the pixels that surely belong to some classes."""
        if (names, sure) not in self.kept:
            self.kept[names, sure] = self.picture[share(self.likely, names) > sure]
        return self.kept[names, sure]


@dataclass(frozen=True, eq=False)
class Mask:
    """A region of a photo at the photo's resolution: `alpha` `[h, w]` float32 within a box."""

    box: Box
    alpha: np.ndarray


def surroundings_of(
    photo: np.ndarray, transform: FaceTransform, small: np.ndarray, likely: np.ndarray
) -> Surroundings:
    """The square about a head.

    Args:
        photo: `[H, W, 3]` uint8.
        transform: of the face's crop.
        small: the crop, used itself where it is the whole photo.
        likely: what the crop shows, `[16, S, S]`.
    """
    quad = np.array(transform.quad)
    low, high = quad.min(axis=0), quad.max(axis=0)
    whole = (low <= -0.4).all() and (high >= np.array(photo.shape[1::-1]) - 0.6).all()
    if whole:
        picture = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).clip(0, 1)
        return Surroundings(transform, picture, _resized(likely, SIDE))
    middle = quad.mean(axis=0)
    wide = middle + (quad - middle) * ROOM
    place = FaceTransform(tuple((float(x), float(y)) for x, y in wide), SIDE)  # type: ignore[arg-type]
    cutout = native_crop(Image.fromarray(photo), place, SIDE)
    picture = np.asarray(cutout, np.float32) / 255
    picture = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    around = _resized(parsed(picture, True), SIDE)
    hair = class_indices(("hair",))[0]
    around[hair] = np.clip((around[hair] - 0.4) / 0.5, 0, 1)  # a smaller head is parsed less surely
    inner = round(SIDE / ROOM) // 2 * 2
    near = _resized(likely, inner)
    start = (SIDE - inner) // 2
    part = (slice(None), slice(start, start + inner), slice(start, start + inner))
    weight = _faded(inner)
    around[part] += (near - around[part]) * weight
    return Surroundings(place, picture, around, ROOM)


def mask_of(photo: np.ndarray, around: Surroundings, names: tuple[str, ...]) -> Mask | None:
    """Where a photo shows some classes, with the photo's own edges; None: nowhere.

    Inside, the parser is trusted. About the region's rim a pixel is as much part of it as its
    colour lies between what is inside and what is outside near by; where these two are alike, the
    parser's own edge follows the photo's (guided filter; He, Sun and Tang 2010, equations 5, 6, 8).
    All of it is found in the square and applied to the photo's own pixels.
    """
    values = around.where(names)
    box = touched(photo.shape, around.place)
    if box is None or float(values.max()) < 0.5:
        return None
    box = _narrowed(box, around.place, values)
    guide = _line(values, around.picture.mean(axis=-1))
    planes = (*_rim(values, around), np.dstack(guide))
    left, top, right, bottom = box
    alpha = np.empty((bottom - top, right - left), np.float32)
    for start in range(top, bottom, ROWS):  # a large photo's planes would not fit all at once
        stop = min(start + ROWS, bottom)
        rows = alpha[start - top : stop - top]
        rows[:] = _alpha(photo, around.place, planes, (left, start, right, stop))
    return Mask(box, alpha)


def _alpha(
    photo: np.ndarray, place: FaceTransform, planes: tuple[np.ndarray, ...], box: Box
) -> np.ndarray:
    """How much each pixel of a box belongs to a region."""
    left, top, right, bottom = box
    part = photo[top:bottom, left:right]
    line, reach, along = (seen(plane, place, box, cv2.INTER_LINEAR, 0.0) for plane in planes)
    (core, outer, sure), (slope, level) = cv2.split(reach), cv2.split(along)
    unit = np.float32(1 / 255)
    guided = slope * (cv2.cvtColor(part, cv2.COLOR_RGB2GRAY) * unit) + level
    mixed = np.einsum("hwc,hwc->hw", part, line[..., :3]) * unit + line[..., 3]
    rim = np.clip(guided, 0, 1) * (1 - sure) + np.clip(mixed, 0, 1) * sure
    found: np.ndarray = core + (1 - core) * outer * rim
    return found


def _rim(values: np.ndarray, around: Surroundings) -> tuple[np.ndarray, np.ndarray]:
    """What tells a pixel near a region's rim: `[S, S, 4]`, a linear function of its colour; and
    `[S, S, 3]`: the region's core, its reach, and how sure the function is."""
    inside = cv2.erode((values > 0.85).astype(np.float32), np.ones((5, 5), np.uint8))
    outside = cv2.erode((values < 0.1).astype(np.float32), np.ones((7, 7), np.uint8))
    within, without = (_mean_near(around.picture, weight) for weight in (inside, outside))
    way = within - without
    length = (way * way).sum(axis=-1, keepdims=True)
    unit = way / (length + 1e-3)
    line = np.concatenate([unit, -(without * unit).sum(axis=-1, keepdims=True)], axis=-1)
    sure = _step((np.sqrt(length[..., 0]) - 0.08) / 0.16)
    core = cv2.GaussianBlur(inside, (0, 0), 1.5)
    outer = cv2.dilate((values > 0.3).astype(np.float32), np.ones((7, 7), np.uint8))
    outer = cv2.GaussianBlur(outer, (0, 0), 2.5)
    return line.astype(np.float32), np.dstack([core, outer, sure]).astype(np.float32)


def _mean_near(picture: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean colour near each pixel of those that count `[S, S, 3]`."""
    size = (picture.shape[0] // 4,) * 2
    both = np.dstack([picture * weight[..., None], weight])
    small = cv2.resize(both, size, interpolation=cv2.INTER_AREA)
    widths = ((2, 1.0), (6, 1e-2), (22, 1e-4))
    parts = [much * cv2.GaussianBlur(small, (0, 0), width) for width, much in widths]
    total = cv2.resize(np.sum(parts, axis=0), picture.shape[:2], interpolation=cv2.INTER_LINEAR)
    return total[..., :3] / (total[..., 3:] + 1e-9)


def _joined(values: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Values without the patches that neither are large nor lie at the face."""
    count, label, about, _ = cv2.connectedComponentsWithStats((values > 0.3).astype(np.uint8))
    near = cv2.dilate((face > 0.5).astype(np.uint8), np.ones((25, 25), np.uint8))
    touching = np.bincount(label[near > 0], minlength=count) > 20
    touching &= about[:, cv2.CC_STAT_AREA] > 0.03 * about[1:, cv2.CC_STAT_AREA].max(initial=1)
    touching[0] = False
    kept = cv2.GaussianBlur(touching[label].astype(np.float32), (0, 0), 3)
    return values * np.clip(kept * 2, 0, 1)


def _step(t: np.ndarray) -> np.ndarray:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def _line(values: np.ndarray, guide: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and level of values as a linear function of a guide, about each pixel."""
    window = (2 * REACH + 1,) * 2
    mean, middle = cv2.blur(values, window), cv2.blur(guide, window)
    spread = cv2.blur(guide * guide, window) - middle * middle
    shared = cv2.blur(values * guide, window) - mean * middle
    slope = shared / (np.maximum(spread, 0) + EDGE)
    return cv2.blur(slope, window), cv2.blur(mean - slope * middle, window)


def _narrowed(box: Box, place: FaceTransform, values: np.ndarray) -> Box:
    """A box about those values that are not 0."""
    ys, xs = np.nonzero(values > 0.1)
    spread = 2 * REACH
    low = np.array([xs.min(), ys.min()]) - spread
    high = np.array([xs.max(), ys.max()]) + spread
    corners = np.array([low, (low[0], high[1]), high, (high[0], low[1])], float)
    quad = np.array(place.quad)
    axes = np.stack([quad[3] - quad[0], quad[1] - quad[0]])
    points = corners / values.shape[0] @ axes + quad[0]
    left, top = np.maximum(np.floor(points.min(axis=0)).astype(int), box[:2]).tolist()
    right, bottom = np.minimum(np.ceil(points.max(axis=0)).astype(int) + 1, box[2:]).tolist()
    return (left, top, max(right, left + 1), max(bottom, top + 1))


def _faded(side: int) -> np.ndarray:
    line = (np.arange(side) + 0.5) / side
    t = np.clip(np.minimum(line, 1 - line) / 0.12, 0, 1)
    t = t * t * (3 - 2 * t)
    return (t[:, None] * t[None, :]).astype(np.float32)


def _resized(likely: np.ndarray, side: int) -> np.ndarray:
    planes = [cv2.resize(plane, (side, side), interpolation=cv2.INTER_LINEAR) for plane in likely]
    return np.stack(planes)
