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
from multimodal.fidelity.composing import ROWS, Box, axes, seen, touched
from multimodal.fidelity.hair import surely_hair
from multimodal.parsing.classes import class_indices
from multimodal.parsing.files import model_parser
from multimodal.parsing.parser import FaceParser

ROOM = 1.8
"""Side of the square in which hair is looked for, in sides of the crop: long hair leaves it."""
SIDE = 512
REACH, EDGE = 4, 1.5e-3
"""Window of the guided filter in pixels of the square, and variance up to which edges are none."""
STEEP = np.float32(1.5)
"""How much steeper than the guided filter's a region's edge is."""
LARGE = 480
"""Side of the square, in the photo's pixels, from which a film's masks are found at half size, and
that of larger ones as they are made smaller for it."""
BRIGHTEST = (1.12, 2.5)
"""How much brighter than the hair near by strands are at most: at its rim, and within."""
GROWN = (("hair",), ("beard",))
"""What skin shines through at the rim."""
EVENED, EVEN, MOST_EVEN = 64, 0.6, 2.0
"""Unit of the factors that even the brightness of hair out before it is dyed; how far they do, and
the most that they are."""
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
        if names == ("hair",):
            values = surely_hair(values, self.picture, share(self.likely, ("skin", "nose")))
        return _joined(values, share(self.likely, FACE))

    def levels(self, names: tuple[str, ...], sure: float = 0.8) -> np.ndarray:
        """Colours `[N, 3]` of the pixels that surely belong to some classes."""
        if (names, sure) not in self.kept:
            self.kept[names, sure] = self.picture[share(self.likely, names) > sure]
        return self.kept[names, sure]


@dataclass(frozen=True, eq=False)
class Mask:
    """A region of a photo at the photo's resolution.

    Args:
        box: of the photo.
        alpha: how much of each of its pixels is the region's, `[h, w]` float32.
        top: the brightest that the region's part of a pixel is, and by how many `EVENED`ths its
            brightness is multiplied, `[h, w, 4]` uint8, or None.
    """

    box: Box
    alpha: np.ndarray
    top: np.ndarray | None = None


def surroundings_of(
    photo: np.ndarray,
    transform: FaceTransform,
    small: np.ndarray,
    likely: np.ndarray,
    steady: bool = True,
) -> Surroundings:
    """The square about a head.

    Args:
        photo: `[H, W, 3]` uint8.
        transform: of the face's crop.
        small: the crop, used itself where it is the whole photo.
        likely: what the crop shows, `[16, S, S]`.
        steady: parse it with its mirror image.
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
    around = _resized(parsed(picture, steady), SIDE)
    hair = class_indices(("hair",))[0]
    around[hair] = np.clip((around[hair] - 0.4) / 0.5, 0, 1)  # a smaller head is parsed less surely
    inner = round(SIDE / ROOM) // 2 * 2
    near = _resized(likely, inner)
    start = (SIDE - inner) // 2
    part = (slice(None), slice(start, start + inner), slice(start, start + inner))
    weight = _faded(inner)
    around[part] += (near - around[part]) * weight
    return Surroundings(place, picture, around, ROOM)


@dataclass(frozen=True, eq=False)
class Region:
    """What tells a photo's pixels of some classes from others, over a square about the head.

    Args:
        line: `[S, S, 4]`, how much a colour is the region's, linear in it; counts near the rim.
        reach: `[S, S, 3]`: the region's core, its reach, and how sure the line is.
        along: `[S, S, 2]`, slope and level by which the parser's edge follows the photo's.
        extent: left, top, right, bottom of it in parts of the square's side.
        limit: `[S, S]` in [0, 1], what of it counts at all, or None: everything.
        top: `[S, S, 4]` uint8, the brightest that hair is at its rim, and how much its brightness
            is multiplied with before it is dyed, in `EVENED`ths; or None: it is no hair.
    """

    line: np.ndarray
    reach: np.ndarray
    along: np.ndarray
    extent: tuple[float, float, float, float]
    limit: np.ndarray | None = None
    top: np.ndarray | None = None


def region_of(around: Surroundings, names: tuple[str, ...]) -> Region | None:
    """Where a square shows some classes; None: nowhere.

    Inside, the parser is trusted. About the region's rim a pixel is as much part of it as its
    colour lies between what is inside and what is outside near by; where these two are alike, the
    parser's own edge follows the photo's (guided filter; He, Sun and Tang 2010, equations 5, 6, 8).
    """
    values = around.where(names)
    if float(values.max()) < 0.5:
        return None
    guide = _line(values, around.picture.mean(axis=-1))
    line, reach, within = _rim(values, around)
    top = None
    if names in GROWN:
        top = np.dstack([_top(within, reach[..., 0]), _evening(values, around.picture)])
    return Region(line, reach, np.dstack(guide), _extent(values), top=top)


def mask_of(photo: np.ndarray, place: FaceTransform, region: Region) -> Mask | None:
    """A region with the photo's own edges; None: it lies outside the photo.

    All of it is found in the square and applied to the photo's own pixels.
    """
    box = touched(photo.shape, place)
    if box is None:
        return None
    box = _narrowed(box, place, region.extent)
    left, top, right, bottom = box
    alpha = np.empty((bottom - top, right - left), np.float32)
    for start in range(top, bottom, ROWS):  # a large photo's planes would not fit all at once
        stop = min(start + ROWS, bottom)
        rows = alpha[start - top : stop - top]
        rows[:] = _alpha(photo, place, region, (left, start, right, stop))
    if region.top is None:
        return Mask(box, alpha)
    return Mask(box, alpha, seen(region.top, place, box, cv2.INTER_LINEAR, 255))


def quick_mask_of(photo: np.ndarray, place: FaceTransform, region: Region) -> Mask | None:
    """As `mask_of`, found at half the photo's size or less where the face is large: for films."""
    box = touched(photo.shape, place)
    if box is None or place.side < LARGE:
        return mask_of(photo, place, region)
    left, top, right, bottom = _narrowed(box, place, region.extent)
    part = photo[top:bottom, left:right]
    smaller = max(2.0, place.side / LARGE)
    size = (max(1, round((right - left) / smaller)), max(1, round((bottom - top) / smaller)))
    scale = np.array(size) / part.shape[1::-1]
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    quad = (np.array(place.quad) - (left, top) + 0.5) * scale - 0.5
    where = FaceTransform(tuple((float(x), float(y)) for x, y in quad), place.size)  # type: ignore[arg-type]
    alpha = _alpha(small, where, region, (0, 0, *size))
    full = cv2.resize(alpha, part.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    if region.top is None:
        return Mask((left, top, right, bottom), full)
    most = seen(region.top, where, (0, 0, *size), cv2.INTER_LINEAR, 255)
    return Mask((left, top, right, bottom), full, cv2.resize(most, part.shape[1::-1]))


def _alpha(photo: np.ndarray, place: FaceTransform, region: Region, box: Box) -> np.ndarray:
    """How much each pixel of a box belongs to a region."""
    left, top, right, bottom = box
    part = photo[top:bottom, left:right]
    planes = (region.line, region.reach, region.along)
    line, reach, along = (seen(plane, place, box, cv2.INTER_LINEAR, 0.0) for plane in planes)
    (core, outer, sure), (slope, level) = cv2.split(reach), cv2.split(along)
    unit = np.float32(1 / 255)
    guided = slope * (cv2.cvtColor(part, cv2.COLOR_RGB2GRAY) * unit) + level
    colours = cv2.cvtColor(part, cv2.COLOR_RGB2RGBA).astype(np.float32)
    colours *= unit
    mixed = np.einsum("hwc,hwc->hw", colours, line)
    guided = (guided - np.float32(0.5)) * STEEP + np.float32(0.5)
    guided, mixed = (np.clip(plane, 0, 1, out=plane) for plane in (guided, mixed))
    mixed -= guided
    mixed *= sure
    mixed += guided
    mixed *= (1 - core) * outer
    found: np.ndarray = core + mixed
    if region.limit is not None:
        found *= seen(region.limit, place, box, cv2.INTER_LINEAR, 0.0)
    return found


def _top(within: np.ndarray, core: np.ndarray) -> np.ndarray:
    """The brightest that hair is where skin or sky mixes with it, levels `[S, S, 3]` uint8: what is
    brighter there is not the hair's, and must not be dyed as if it were."""
    core = cv2.erode(core, np.ones((9, 9), np.uint8))[..., None]
    most = BRIGHTEST[0] + core * (BRIGHTEST[1] - BRIGHTEST[0])
    levels = 255 * (most * within + 0.01 + 0.03 * core)
    found: np.ndarray = levels.clip(0, 255).astype(np.uint8)
    return found


def _evening(values: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """By how many `EVENED`ths the brightness of hair is multiplied, `[S, S]` uint8: thin hair over
    skin, and what a lamp lights, would glow by the side of the rest once all is made brighter."""
    size = (picture.shape[0] // 4,) * 2
    weight = (values > 0.85).astype(np.float32)
    light = np.log(picture.mean(axis=-1) + 0.03) * weight
    both = cv2.resize(np.dstack([light, weight]), size, interpolation=cv2.INTER_AREA)
    total = np.sum(
        [much * cv2.GaussianBlur(both, (0, 0), width) for width, much in ((6, 1.0), (22, 1e-2))],
        axis=0,
    )
    usual = light.sum() / max(float(weight.sum()), 1.0)
    near = np.where(total[..., 1] > 1e-6, total[..., 0] / (total[..., 1] + 1e-9), usual)
    much = EVENED * np.exp(EVEN * (usual - near)).clip(1 / MOST_EVEN, MOST_EVEN)
    found: np.ndarray = cv2.resize(much.astype(np.float32), picture.shape[:2]).round()
    return found.clip(0, 255).astype(np.uint8)


def _rim(values: np.ndarray, around: Surroundings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What tells a pixel near a region's rim: `[S, S, 4]`, a linear function of its colour; and
    `[S, S, 3]`: the region's core, its reach, and how sure the function is; the region's mean
    colours near by, `[S, S, 3]`."""
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
    return line.astype(np.float32), np.dstack([core, outer, sure]).astype(np.float32), within


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
    touching &= about[:, cv2.CC_STAT_AREA] > 0.05 * about[1:, cv2.CC_STAT_AREA].max(initial=1)
    touching[0] = False
    near = cv2.dilate(touching[label].astype(np.float32), np.ones((7, 7), np.uint8))  # its soft rim
    kept = cv2.GaussianBlur(near, (0, 0), 3)
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


def _extent(values: np.ndarray) -> tuple[float, float, float, float]:
    """The bounds of those values that are not 0, in parts of the side."""
    ys, xs = np.nonzero(values > 0.1)
    spread, side = 2 * REACH, values.shape[0]
    low, high = (xs.min() - spread, ys.min() - spread), (xs.max() + spread, ys.max() + spread)
    left, top, right, bottom = (float(edge) / side for edge in (*low, *high))
    return left, top, right, bottom


def _narrowed(box: Box, place: FaceTransform, extent: tuple[float, float, float, float]) -> Box:
    """The part of a photo's box in which a region may lie."""
    left, top, right, bottom = extent
    corners = np.array([(left, top), (left, bottom), (right, bottom), (right, top)])
    points = corners @ axes(place) + np.array(place.quad[0])
    low = np.maximum(np.floor(points.min(axis=0)).astype(int), box[:2])
    high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + 1, box[2:])
    low = np.minimum(low, np.array(box[2:]) - 1)
    x0, y0, x1, y1 = (int(edge) for edge in (*low, *np.maximum(high, low + 1)))
    return (x0, y0, x1, y1)


def _faded(side: int) -> np.ndarray:
    line = (np.arange(side) + 0.5) / side
    t = np.clip(np.minimum(line, 1 - line) / 0.12, 0, 1)
    t = t * t * (3 - 2 * t)
    return (t[:, None] * t[None, :]).astype(np.float32)


def _resized(likely: np.ndarray, side: int) -> np.ndarray:
    planes = [cv2.resize(plane, (side, side), interpolation=cv2.INTER_LINEAR) for plane in likely]
    return np.stack(planes)
