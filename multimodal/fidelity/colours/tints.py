"""Recolouring that keeps the photo's own texture: curves of colours inside a parsed region.

What is light and dark in hair, on lips or in an iris stays so; its mean colour and its contrast are
led to those that the edit wants. Nothing of a drawing shows but that colour.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from multimodal.fidelity.composing import rounded
from multimodal.fidelity.regions import EVENED, Mask

DARK = 0.03
"""Added to colours before their logarithm is taken."""
HIGHEST = 0.985
"""Share of a region's pixels that are no brighter than its brightest."""
WHOLE = 2.0
"""Power of a mask to which what is brighter than the region can be is none of it: a pixel that is
wholly hair holds no skin, one that is half so does."""
GREY = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, eq=False)
class Tint:
    """What becomes of the colours of a region.

    Args:
        curves: `[256, 3]`, what becomes of each level of each colour.
        veil: `[256, 3]`, the colour that each grey becomes.
        share: of the veil, in [0, 1]; noise of dark pixels has colours, their grey has not.
        even: how far a mask evens the brightness out first, and holds nothing brighter, in [0, 1].
    """

    curves: np.ndarray
    veil: np.ndarray
    share: float
    even: float = 0.0


def tint_towards(
    levels: np.ndarray,
    wanted: np.ndarray,
    contrast: float = 1.0,
    share: float = 0.0,
    gloss: float = 0.0,
    capped: bool = False,
) -> Tint:
    """The tint that leads a region to another mean colour.

    Args:
        levels: of the region's pixels `[N, 3]` in [0, 1].
        wanted: mean of the logarithms of their colours `[3]` afterwards.
        contrast: multiple of the region's contrast.
        share: of the veil.
        gloss: how white the brightest pixels stay.
        capped: nothing becomes brighter than the region's brightest does: about hair lies skin,
            which would glow.
    """
    own = np.log(levels + DARK).mean(axis=0)
    grey = float(np.log(levels @ GREY + DARK).mean())
    line = np.log(np.arange(256, dtype=np.float64) / 255 + DARK)[:, None]
    tops = [np.inf, np.inf]
    if capped:
        tops = [
            np.log(np.quantile(plane, HIGHEST, axis=0) + DARK) for plane in (levels, levels @ GREY)
        ]
    curves = np.exp(wanted + contrast * (np.minimum(line, tops[0]) - own)) - DARK
    veil = np.exp(wanted + contrast * (np.minimum(line, tops[1]) - grey)) - DARK
    bright = np.clip(np.exp(line - grey) - 1.35, 0, 1.2) * np.exp(grey)
    curves, veil = (_shouldered(plane + gloss * bright) for plane in (curves, veil))
    return Tint(curves.astype(np.float32) * 255, veil.astype(np.float32) * 255, share)


def without_hue(tint: Tint) -> Tint:
    """The tint of a picture without colours: all of them change alike."""
    curves = np.repeat((tint.curves @ GREY)[:, None], 3, axis=1)
    return Tint(curves, curves, 0.0, tint.even)


def apply_tint(photo: np.ndarray, mask: Mask, tint: Tint) -> None:
    """Recolour a region of a photo `[H, W, 3]` uint8, in place."""
    left, top, right, bottom = mask.box
    for start in range(top, bottom, 256):
        stop = min(start + 256, bottom)
        part = photo[start:stop, left:right]
        alpha = mask.alpha[start - top : stop - top]
        if not alpha.any():
            continue
        bound = None if mask.top is None else mask.top[start - top : stop - top]
        mine, even = _bounded(part, bound, tint.even)
        wanted = cv2.LUT(even, tint.curves[None])
        if tint.share > 0:
            grey = cv2.cvtColor(even, cv2.COLOR_RGB2GRAY)
            veil = cv2.LUT(cv2.merge([grey] * 3), tint.veil[None])
            wanted = cv2.addWeighted(wanted, 1 - tint.share, veil, tint.share, 0)
        own = part.astype(np.float32)
        found = own + (wanted - mine) * cv2.merge([alpha] * 3)
        if mask.top is not None:  # no mixture is brighter than both that are mixed
            found = cv2.min(found, cv2.max(own, wanted))
            found -= (own - mine) * cv2.merge([cv2.pow(alpha, WHOLE) * tint.even] * 3)
        photo[start:stop, left:right] = rounded(found)


def apply_tint_quickly(photo: np.ndarray, mask: Mask, tint: Tint) -> None:
    """As `apply_tint`, in whole levels all the way, which strays by one at most: for films."""
    left, top, right, bottom = mask.box
    part = photo[top:bottom, left:right]
    mine, even = _bounded(part, mask.top, tint.even)
    wanted = cv2.LUT(even, rounded(tint.curves)[None])
    if tint.share > 0:
        grey = cv2.cvtColor(cv2.cvtColor(even, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        veil = cv2.LUT(grey, rounded(tint.veil)[None])
        wanted = cv2.addWeighted(wanted, 1 - tint.share, veil, tint.share, 0)
    found = cv2.blendLinear(wanted, mine, mask.alpha, 1 - mask.alpha)
    part_of = cv2.pow(mask.alpha, WHOLE) * tint.even
    if mask.top is not None:
        most = cv2.max(part, wanted)
        over = cv2.subtract(part, mine)
        found = cv2.min(cv2.add(found, over), most)
        none = np.zeros_like(over)
        found = cv2.subtract(found, cv2.blendLinear(over, none, part_of, 1 - part_of))
    photo[top:bottom, left:right] = found


def _bounded(
    part: np.ndarray, top: np.ndarray | None, even: float
) -> tuple[np.ndarray, np.ndarray]:
    """What of a photo's part may be a region's, and the same with its brightness evened out."""
    if top is None:
        return part, part
    mine = cv2.min(part, cv2.cvtColor(top, cv2.COLOR_RGBA2RGB))
    if even == 0:
        return mine, mine
    factor = cv2.extractChannel(top, 3)
    if even < 1:
        factor = cv2.convertScaleAbs(factor, alpha=even, beta=EVENED * (1 - even))
    return mine, cv2.multiply(mine, cv2.cvtColor(factor, cv2.COLOR_GRAY2RGB), scale=1 / EVENED)


def _shouldered(levels: np.ndarray) -> np.ndarray:
    """Levels that come near 1 slowly."""
    knee = 0.72
    over = np.maximum(levels - knee, 0) / (1 - knee)
    return np.clip(np.minimum(levels, knee) + (1 - knee) * np.tanh(over), 0, 1)
