"""What lies behind something that goes: the colours about it, and the pattern beside it."""

from __future__ import annotations

import cv2
import numpy as np

from multimodal.fidelity.regions import Surroundings, share
from multimodal.fidelity.things.quilting import quilted

WIDTHS = (1.5, 4, 10, 25, 60)
SHARP = 6.0
"""Standard deviation that parts pattern from colour, in pixels of the square."""
UNSURE = 5.0
"""Over how many pixels one thing goes over into another behind what is gone."""


LOOSE = {"background": 61, "clothes": 61, "neck": 13}
"""How far from hair strands lie loose on what, in pixels of the square, twice."""
APART, LIKE = 0.2, 0.25
"""How much hair and what it lies on differ at least; and how much of the way to the hair's colour
makes a strand."""
BROAD = 15
"""What is as broad as this, in pixels, is a thing behind the hair and no strand."""
STEEP = 3.0
"""How much further away clothes count above the shoulders."""
NECK, ROUNDED = 0.72, 0.3
"""Brightness of a neck beside the face's, and how much darker it is at its sides."""
SHOWN, NEAR = 0.25, 0.03
"""Share of a neck that shows, from which none is added further away than this part of the side."""
FADED = 22.0
"""Over how many pixels from the rim a mirrored pattern fades."""


def filled_in(
    around: Surroundings, known: np.ndarray, mesh: np.ndarray, tone: np.ndarray | None = None
) -> np.ndarray:
    """A picture with background, clothes and neck where nothing is known.

    Args:
        around: the square about a head.
        known: what stays, `[S, S]` in {0, 1}.
        mesh: of the face `[468, 2]` in parts of the square's side.
        tone: of its skin `[3]`, where there shall be a neck below the jaw.

    Returns:
        `[S, S, 3]`.
    """
    side = known.shape[0]
    total, weights = np.zeros((side, side, 3), np.float32), np.full((side, side), 1e-9, np.float32)
    places = [
        ((share(around.likely, (name,)) > 0.75) * known) for name in ("background", "clothes")
    ]
    places.append((share(around.likely, ("neck",)) > 0.75) * known * _throat(mesh, side))
    calm = cv2.erode(known.astype(np.float32), np.ones((25, 25), np.uint8))  # no loose strands
    away = np.stack([_distance(place) for place in places])
    away[2] += 1e3 * (1 - _throat(mesh, side))
    away[1] += STEEP * np.clip(_shoulders(mesh) * side - np.arange(side), 0, None)[:, None]
    nearest = away.min(axis=0)
    for place, far in zip(places, away, strict=True):
        if place.sum() < 60:
            continue
        weight = cv2.GaussianBlur(np.exp(-(far - nearest) / UNSURE).astype(np.float32), (0, 0), 3)
        pattern = quilted(around.picture, place * calm, (weight > 0.02) * (1 - known))
        pattern = _pattern(around.picture, place * calm) if pattern is None else pattern
        total += weight[..., None] * (spread(around.picture, place) + pattern)
        weights += weight
    found = total / weights[..., None]
    return found if tone is None else _with_neck(around, known, mesh, tone, found)


def _with_neck(
    around: Surroundings, known: np.ndarray, mesh: np.ndarray, tone: np.ndarray, found: np.ndarray
) -> np.ndarray:
    """A picture with a neck from the jaw to the collar, in the jaw's shadow `[S, S, 3]`."""
    side = len(known)
    own = ((share(around.likely, ("neck",)) > 0.75) * known).astype(np.float32)
    light, usual = around.picture.mean(axis=-1), float(tone.mean())
    own *= (light > 0.3 * usual) & (light < 1.5 * usual)
    far = _distance(own)
    much = np.exp(-far / (0.12 * side))[..., None] if own.sum() > 60 else 0.0
    neck = tone * NECK
    neck = neck + (spread(around.picture, own) - neck) * much
    across = (np.arange(side) + 0.5) / side
    left, right = float(mesh[172, 0]), float(mesh[397, 0])
    t = (across - (left + right) / 2) / max(right - left, 1e-3) * 2
    rounded = 1 - ROUNDED * np.clip(np.abs(t), 0, 1) ** 2
    below = np.clip((np.arange(side) / side - float(mesh[152, 1])) / 0.06, 0, 1)
    lit = (0.8 + 0.2 * below)[:, None] * rounded[None]
    pixels = np.zeros((side, side), np.float32)
    cv2.fillPoly(pixels, [np.round(_neck(mesh) * side).astype(np.int32)], 1.0)
    if (own * pixels).sum() > SHOWN * pixels.sum():  # it shows itself how broad it is
        pixels = pixels * (far < NEAR * side)
    soft = cv2.GaussianBlur(pixels, (0, 0), 2.5)[..., None]
    return np.asarray(found + (neck * lit[..., None] - found) * soft, np.float32)


def _neck(mesh: np.ndarray) -> np.ndarray:
    """The outline of a neck down to the collar `[6, 2]`."""
    left, right, chin, top = mesh[172], mesh[397], mesh[152], mesh[10]
    down, wide = chin - top, right - left
    low = (left + right) / 2 + 0.62 * down
    inner, outer = 0.06 * wide, 0.1 * wide
    return np.stack([left + inner, right - inner, right - inner + 0.3 * down,
                     right + outer + 0.5 * down, low, left - outer + 0.5 * down,
                     left + inner + 0.3 * down])  # fmt: skip


def strands(around: Surroundings, gone: np.ndarray) -> np.ndarray:
    """Loose strands about hair: what is nearer to its colour than to that of what it lies on.

    Args:
        around: the square about a head.
        gone: where hair is, `[S, S]` in {0, 1}.

    Returns:
        `[S, S]` in {0, 1}.
    """
    found = np.zeros_like(gone)
    core = cv2.erode(gone, np.ones((9, 9), np.uint8))
    if core.sum() < 100:
        return found
    hair = spread(around.picture, core, WIDTHS[2:])
    for name, far in LOOSE.items():
        near = cv2.dilate(gone, np.ones((far, far), np.uint8)) > 0
        place = share(around.likely, (name,)) > 0.5
        calm = (place & ~near).astype(np.float32)
        if calm.sum() < 200:
            calm = (place & (gone < 0.5)).astype(np.float32)
        own = spread(around.picture, calm, WIDTHS[2:])
        away = [np.linalg.norm(around.picture - plane, axis=-1) for plane in (own, hair)]
        apart = np.linalg.norm(own - hair, axis=-1) > APART
        like = (away[0] > LIKE * np.linalg.norm(own - hair, axis=-1)) & (away[1] < 1.2 * away[0])
        found[place & near & apart & like] = 1.0
    broad = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((BROAD, BROAD), np.uint8))
    rim = cv2.dilate(gone, np.ones((BROAD, BROAD), np.uint8))
    found = found * (1 - cv2.dilate(broad, np.ones((5, 5), np.uint8)) * (1 - rim))
    return np.asarray(cv2.dilate(found, np.ones((5, 5), np.uint8)))


def _shoulders(mesh: np.ndarray) -> float:
    """About where shoulders lie, in parts of the square's side."""
    chin, top = mesh[152], mesh[10]
    return float(chin[1] + 0.3 * (chin[1] - top[1]))


def spread(
    picture: np.ndarray, known: np.ndarray, widths: tuple[float, ...] = WIDTHS
) -> np.ndarray:
    """Known colours of a picture spread over the rest, the nearer the stronger `[S, S, 3]`.

    Args:
        picture: `[S, S, 3]` in [0, 1].
        known: where it is known, `[S, S]`.
        widths: standard deviations of the spread, in pixels of half the size.
    """
    size = (picture.shape[0] // 2,) * 2
    weight = known.astype(np.float32)
    both = np.dstack([picture * weight[..., None], weight])
    small = cv2.resize(both, size, interpolation=cv2.INTER_AREA)
    total = np.sum([cv2.GaussianBlur(small, (0, 0), w) / w**3 for w in widths], axis=0)
    found = total[..., :3] / (total[..., 3:] + 1e-9)
    return cv2.resize(found, picture.shape[:2], interpolation=cv2.INTER_LINEAR)


def _pattern(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The pattern of what is known, mirrored into the rest at its rim `[S, S, 3]`."""
    weight = known.astype(np.float32)
    both = cv2.GaussianBlur(np.dstack([picture * weight[..., None], weight]), (0, 0), SHARP)
    sharp = (picture - both[..., :3] / (both[..., 3:] + 1e-6)) * weight[..., None]
    unknown = (weight < 0.5).astype(np.uint8)
    far, labels = cv2.distanceTransformWithLabels(
        unknown, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    ys, xs = np.nonzero(unknown == 0)
    spot = np.zeros((int(labels.max()) + 1, 2), np.float32)
    spot[labels[ys, xs]] = np.stack([xs, ys], axis=1)
    here = np.stack(np.meshgrid(np.arange(known.shape[1]), np.arange(known.shape[0])), axis=-1)
    way = cv2.GaussianBlur(spot[labels] - here.astype(np.float32), (0, 0), 5)
    mirrored = (here + 2 * way).astype(np.float32)
    found = cv2.remap(sharp, mirrored[..., 0], mirrored[..., 1], cv2.INTER_LINEAR)
    faded = np.exp(-far / FADED)[..., None]
    return np.where(unknown[..., None] > 0, found * faded, sharp)


def _distance(place: np.ndarray) -> np.ndarray:
    found: np.ndarray = cv2.distanceTransform((place < 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    return found


def _throat(mesh: np.ndarray, side: int) -> np.ndarray:
    """Where a neck may be: below the jaw and narrower than it, `[S, S]` in {0, 1}."""
    left, right, chin, top = mesh[58], mesh[288], mesh[152], mesh[10]
    down = 0.5 * (chin - top)
    inner = 0.24 * (right - left)
    low = 0.18 * (right - left)
    points = np.stack([left + inner, right - inner, right - low + down, left + low + down])
    found = np.zeros((side, side), np.float32)
    cv2.fillPoly(found, [np.round(points * side).astype(np.int32)], 1.0)
    return found
