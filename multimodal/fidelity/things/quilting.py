"""Pattern laid over what is unknown, in overlapping blocks of what is known.

Each block is the known one that fits best what lies under its rim already (Efros and Freeman 2001,
"Image quilting for texture synthesis and transfer", section 2; blocks fade into each other here
instead of being cut along a seam). Only fine contrast is laid, so that no block brings another
colour: colours are spread from the rim (`filling.spread`).
"""

from __future__ import annotations

import cv2
import numpy as np

BLOCKS, OVERLAP = (56, 32, 20), 0.36
"""Sides of blocks, the first of which there are enough; how much lies over neighbours, in parts."""
FINE = 14.0
"""Standard deviation that parts pattern from colour."""
MOST, LEAST = 160, 30
"""Known blocks that are tried, and how many there must be."""
LEVEL = 0.00002
"""Cost of a pixel of height between a block and where it comes from: things lie in levels."""

STRONG = 1.0
"""Cost of a pattern that is stronger than those near by."""
REPEATED = 1.0
"""How much dearer a block becomes each time that it is laid."""
CALM, PORES = 0.55, 3.5
"""Share of the skin seen, the calmest, whose texture is laid over hidden skin; the width of
what counts as texture, in pixels."""
MODEST, STRAYS = 0.03, 0.12
"""The most that noise varies where too little skin is seen; how far texture goes at most."""
DARK = 0.03


def quilted(
    picture: np.ndarray, known: np.ndarray, wanted: np.ndarray, most: int = MOST
) -> np.ndarray | None:
    """The fine contrast of a picture, laid over what is wanted.

    Args:
        picture: `[S, S, 3]` in [0, 1].
        known: where it may be taken from, `[S, S]` in {0, 1}.
        wanted: where it is wanted, likewise.
        most: known blocks that are tried.

    Returns:
        `[S, S, 3]`, about 0; None: too little is known.
    """
    sharp, rng = _sharp(picture, known), np.random.default_rng(0)
    for block in BLOCKS:
        corners = _corners(known, block)
        if len(corners) >= LEAST:
            return _laid(sharp, known, wanted, rng.permutation(corners)[:most], block)
    return None


def skin_texture(picture: np.ndarray, known: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The texture of bare skin, laid where hair hid some, as a factor `[F, F, 3]`.

    Args:
        picture: of a face `[F, F, 3]` in [0, 1].
        known: where it shows bare skin, `[S, S]` in [0, 1].
        alpha: where texture is wanted, likewise.
    """
    side = len(picture)
    logs = np.log(picture + DARK)
    light = logs.mean(axis=-1)
    rough = cv2.blur(np.abs(light - cv2.GaussianBlur(light, (0, 0), 4)), (13, 13))
    where = cv2.resize(known.astype(np.float32), (side, side)) > 0.9
    calm = where & (rough < np.quantile(rough[where], CALM))
    wanted = cv2.resize(cv2.dilate(alpha.astype(np.float32), np.ones((5, 5))), (side, side)) > 0.05
    pattern = quilted(logs, calm.astype(np.float32), (wanted & ~calm).astype(np.float32), 48)
    if pattern is None:
        noise = np.random.default_rng(0).standard_normal((side, side, 1)).astype(np.float32)
        level = min(3 * float(np.median(rough[where])), MODEST)
        pattern = cv2.GaussianBlur(noise, (0, 0), 1.2)[..., None] * level
    else:
        pattern = pattern - cv2.GaussianBlur(pattern, (0, 0), PORES)  # wrinkles are no texture
    return np.exp(pattern.clip(-STRAYS, STRAYS))


def _laid(
    sharp: np.ndarray, known: np.ndarray, wanted: np.ndarray, corners: np.ndarray, block: int
) -> np.ndarray:
    stock = np.stack([sharp[y : y + block, x : x + block] for y, x in corners])
    power = _power(sharp, known)
    strong = np.square(stock).sum(axis=-1).mean(axis=(1, 2))
    total = sharp * known[..., None]
    weight = known.astype(np.float32)
    ramp, used = _ramp(block), np.zeros(len(corners))
    for y, x in _order(known, wanted, block):
        there = (slice(y, y + block), slice(x, x + block))
        laid = np.minimum(weight[there], 1)[..., None]
        under = total[there] / np.maximum(weight[there], 1e-6)[..., None]
        near = laid[::2, ::2]
        away = (stock[:, ::2, ::2] - under[::2, ::2]) * near
        cost = np.einsum("nhwc,nhwc->n", away, away) / (float(near.sum()) + 1e-3)
        middle = power[y // 8 + block // 16, x // 8 + block // 16]
        cost += STRONG * np.clip(strong - middle, 0, None)  # no light where none is near by
        cost = (cost + 1e-5) * (1 + REPEATED * used)  # the same block over and over is a grid
        best = int((cost + LEVEL * np.abs(corners[:, 0] - y)).argmin())
        used[best] += 1
        fresh = ramp * (1 - known[there])
        total[there] += stock[best] * fresh[..., None]
        weight[there] += fresh
    return np.asarray(total / np.maximum(weight, 1e-6)[..., None], np.float32)


def _sharp(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    weight = known.astype(np.float32)
    both = cv2.GaussianBlur(np.dstack([picture * weight[..., None], weight]), (0, 0), FINE)
    found: np.ndarray = (picture - both[..., :3] / (both[..., 3:] + 1e-6)) * weight[..., None]
    return found.astype(np.float32)


def _power(sharp: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Strength of the pattern near each pixel, `[S / 8, S / 8]`."""
    size = (known.shape[1] // 8, known.shape[0] // 8)
    planes = np.dstack([np.square(sharp).sum(axis=-1), known.astype(np.float32)])
    small = cv2.resize(planes, size, interpolation=cv2.INTER_AREA)
    both = [cv2.GaussianBlur(small, (0, 0), width) / width**3 for width in (3, 8, 20)]
    total = np.sum(both, axis=0)
    return np.asarray(total[..., 0] / (total[..., 1] + 1e-9))


def _corners(known: np.ndarray, block: int) -> np.ndarray:
    """Upper left corners of the blocks that are known wholly, on a grid, `[N, 2]` as y, x."""
    whole = cv2.integral(known.astype(np.uint8))
    step = max(block // 7, 4)
    ys, xs = (np.arange(0, known.shape[k] - block + 1, step) for k in (0, 1))
    y, x = np.meshgrid(ys, xs, indexing="ij")
    count = whole[y + block, x + block] - whole[y, x + block] - whole[y + block, x] + whole[y, x]
    return np.argwhere(count == block * block) * step


def _order(known: np.ndarray, wanted: np.ndarray, block: int) -> list[tuple[int, int]]:
    """Corners of the blocks to lay, those first that reach furthest into what is known."""
    step = round(block * (1 - OVERLAP))
    last = known.shape[0] - block
    line = [*range(0, last, step), last]
    far = cv2.distanceTransform((known < 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    found = []
    for y in line:
        for x in line:
            part = (slice(y, y + block), slice(x, x + block))
            if (wanted[part] > known[part]).any():
                found.append((float(far[part].mean()), y, x))
    return [(y, x) for _, y, x in sorted(found)]


def _ramp(block: int) -> np.ndarray:
    line = np.minimum(np.arange(block) + 1, np.arange(block)[::-1] + 1) / (OVERLAP * block)
    t = np.clip(line, 0, 1)
    t = t * t * (3 - 2 * t)
    return np.asarray(t[:, None] * t + 1e-4, np.float32)
