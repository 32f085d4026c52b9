"""A change brought into a photo at the photo's own resolution, a few rows at a time."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from multimodal.faces.align import FaceTransform
from multimodal.fidelity.change import Change, Cover

ROWS = 256
Box = tuple[int, int, int, int]


def compose(
    photo: np.ndarray, transform: FaceTransform, change: Change, quick: bool = False
) -> np.ndarray:
    """The photo with a change of its face.

    Pixels on which nothing changes are the photo's own.

    Args:
        photo: `[H, W, 3]` uint8.
        transform: where the crop lies in it.
        change: of the crop.
        quick: the change is enlarged linearly: for films.

    Returns:
        a new `[H, W, 3]` uint8.
    """
    result = photo.copy()
    box = touched(photo.shape, transform)
    if box is None:
        return result
    planes = planes_of(change, transform)
    left, top, right, bottom = _narrowed(box, planes.reached, transform)
    for start in range(top, bottom, ROWS):
        band = (left, start, right, min(start + ROWS, bottom))
        how = cv2.INTER_LINEAR if quick else cv2.INTER_CUBIC
        result[band[1] : band[3], left:right] = _band(photo, transform, planes, band, how)
    return result


def overlaid(photo: np.ndarray, transform: FaceTransform, cover: Cover) -> np.ndarray:
    """The photo with a cover over its crop, and nothing else changed; arguments as above."""
    none = np.zeros((256, 256, 3), np.float32)
    return compose(photo, transform, Change(none[:8, :8, :2], none + 1, none, (cover,)))


def _narrowed(box: Box, reached: np.ndarray, transform: FaceTransform) -> Box:
    """The part of a box in which a change reaches anything."""
    ys, xs = np.nonzero(reached)
    if not len(ys):
        return (box[0], box[1], box[0], box[1])
    corners = np.array([[x, y] for x in (xs.min(), xs.max() + 1) for y in (ys.min(), ys.max() + 1)])
    points = corners / reached.shape[0] @ axes(transform) + np.array(transform.quad[0])
    low, high = np.floor(points.min(axis=0)) - 1, np.ceil(points.max(axis=0)) + 2
    left, top = np.maximum(low.astype(int), box[:2]).tolist()
    right, bottom = np.minimum(high.astype(int), box[2:]).tolist()
    return (left, top, max(left, right), max(top, bottom))


def touched(shape: tuple[int, ...], transform: FaceTransform) -> Box | None:
    """The part of a photo `[H, W, ...]` that the crop covers, or None: it lies outside."""
    quad = np.array(transform.quad)
    left, top = np.maximum(np.floor(quad.min(axis=0)), 0).astype(int).tolist()
    right, bottom = np.minimum(np.ceil(quad.max(axis=0)) + 1, shape[1::-1]).astype(int).tolist()
    return (left, top, right, bottom) if right > left and bottom > top else None


def _band(
    photo: np.ndarray, transform: FaceTransform, planes: Planes, box: Box, how: int
) -> np.ndarray:
    """Some rows of the photo as they become."""
    left, top, right, bottom = box
    own = photo[top:bottom, left:right]
    reached = seen(planes.reached, transform, box, cv2.INTER_LINEAR, 0.0) > 0
    if not reached.any():
        return own
    if planes.still:
        levels = own.astype(np.float32)
    else:
        motion = seen(planes.motion, transform, box, cv2.INTER_LINEAR, 0.0)
        levels = moved(photo, box, motion)
        levels *= seen(planes.factor, transform, box, cv2.INTER_LINEAR, 1.0)
        levels += seen(planes.summand, transform, box, how, 0.0)
    for cover in planes.covers:
        over = seen(cover.levels, transform, box, how, 0.0)
        alpha = np.clip((over[..., 3:] - 0.5) * cover.steep + 0.5, 0, 1) * cover.most
        levels += (over[..., :3] - levels) * alpha
    result: np.ndarray = own.copy()
    return cv2.copyTo(rounded(levels), reached.view(np.uint8), result)


def rounded(levels: np.ndarray) -> np.ndarray:
    """Levels as the nearest whole ones from 0 to 255, uint8."""
    found: np.ndarray = cv2.add(levels, np.zeros(4), dtype=cv2.CV_8U)
    return found


@dataclass(frozen=True, eq=False)
class Layer:
    """A cover in levels, its alpha the fourth plane; `steep` sharpens its rim."""

    levels: np.ndarray
    steep: float
    most: float = 1.0


@dataclass(frozen=True, eq=False)
class Planes:
    """A change in the units of a photo: pixels and levels; where there is one, and whether it is
    but covers."""

    motion: np.ndarray
    factor: np.ndarray
    summand: np.ndarray
    reached: np.ndarray
    covers: tuple[Layer, ...] = ()
    still: bool = False


def planes_of(change: Change, transform: FaceTransform) -> Planes:
    """A change in the units of the photo that a crop lies in."""
    side = change.factor.shape[0]
    motion = (change.motion @ axes(transform)).astype(np.float32)
    moving = cv2.resize((motion != 0).any(axis=-1).astype(np.float32), (side, side)) > 0
    other = (change.factor != 1).any(axis=-1) | (change.summand != 0).any(axis=-1)
    still = not (moving.any() or other.any())
    for cover in change.covers:
        over = cv2.resize(cover.alpha, (side, side), interpolation=cv2.INTER_AREA)
        other |= over > 0.002
    reached = cv2.dilate((moving | other).astype(np.float32), np.ones((5, 5), np.uint8))
    finer = max(transform.side / side, 1.0)
    layers = tuple(
        Layer(_not_finer(cover, transform.side), finer if cover.sharp else 1.0)
        for cover in change.covers
    )
    summand = change.summand * np.float32(255)
    return Planes(motion, change.factor, summand, reached, layers, still)


def _not_finer(cover: Cover, side: float) -> np.ndarray:
    """Levels and alpha of a cover `[S, S, 4]`, no finer than a photo whose crop has this side."""
    levels = np.dstack([cover.colours * 255, cover.alpha]).astype(np.float32)
    if levels.shape[0] <= 1.3 * side:
        return levels
    levels[..., :3] *= levels[..., 3:] + np.float32(1e-3)
    size = (round(side),) * 2
    small: np.ndarray = cv2.resize(levels, size, interpolation=cv2.INTER_AREA)
    small[..., :3] /= small[..., 3:] + np.float32(1e-3)
    return small


def moved(photo: np.ndarray, box: Box, motion: np.ndarray) -> np.ndarray:
    """The part of a photo in a box `[h, w, 3]` float32, read `motion` pixels `[h, w, 2]` away."""
    left, top, right, bottom = box
    reach = int(np.ceil(np.abs(motion).max(initial=0))) + 4
    x0, y0 = max(left - reach, 0), max(top - reach, 0)
    part = photo[y0 : bottom + reach, x0 : right + reach]
    xs = motion[..., 0] + np.arange(left - x0, right - x0, dtype=np.float32)
    ys = motion[..., 1] + np.arange(top - y0, bottom - y0, dtype=np.float32)[:, None]
    found = cv2.remap(part, xs, ys, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return found.astype(np.float32)


def axes(transform: FaceTransform) -> np.ndarray:
    """The crop's sides in the photo's pixels as rows `[2, 2]`."""
    quad = np.array(transform.quad)
    return np.stack([quad[3] - quad[0], quad[1] - quad[0]])


def seen(
    plane: np.ndarray, transform: FaceTransform, box: Box, how: int, beyond: float
) -> np.ndarray:
    """A plane over the crop `[S, S, C]` as it lies in a box of the photo; `beyond` elsewhere."""
    left, top, right, bottom = box
    side = plane.shape[0]
    inverse = np.linalg.inv(axes(transform)) * side
    # A pixel centre of the photo lies (p - quad[0]) from the crop's outer corner.
    offset = (np.array([left, top]) - np.array(transform.quad[0])) @ inverse - 0.5
    matrix = np.concatenate([inverse.T, offset[:, None]], axis=1)
    return cv2.warpAffine(
        plane,
        matrix,
        (right - left, bottom - top),
        flags=how | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(beyond,) * 4,
    )
