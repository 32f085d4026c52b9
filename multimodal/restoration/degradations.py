"""What may have happened to a picture, as small differentiable functions with names.

Each keeps the size of its picture, so that every inversion works through it unchanged; and each
knows how to put a drawing in the place of what was lost without touching what was kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal.restoration.filters import guided, smooth
from multimodal.restoration.holes import filled
from multimodal.restoration.jpeg import jpeg

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luminance (BT.601)."""
SCALES = (2, 16)
ROUNDS = 4
"""How often what a drawing lacks is handed back to it; each time a tenth is left."""
MOST_ROUNDS, CLOSE = 32, 0.5 / 127.5
"""The same for averages, where clipping leaves more, and what may be left of one: half a level."""

Keep = Callable[[Tensor, Tensor], Tensor]
"""`(drawn, given)`, both `[1, 3, R, R]`, to the result: the drawing where something was lost."""


@dataclass(frozen=True)
class Degradation:
    """One thing that happens to pictures.

    Args:
        name: one of `TASKS`.
        apply: pictures `[B, 3, R, R]` in [-1, 1] to degraded ones of that size, differentiable.
        keep: what is given stays, what is drawn fills in.
        seen: `[1, 1, R, R]`, 1 where the given picture may be compared, or None for everywhere.
        colourless: what is given has no colours, so that an encoder sees a face without any.
        looks: how often an encoder looks at it, each time mended by what was drawn before.
    """

    name: str
    apply: Callable[[Tensor], Tensor]
    keep: Keep
    seen: Tensor | None = None
    colourless: bool = False
    looks: int = 1


def degradation(task: str, **settings: Any) -> Degradation:
    """The degradation of a task.

    Args:
        task: one of `TASKS`.
        settings: "inpaint": `hole` `[1, 1, R, R]`, 1 where the picture is missing; "upscale":
            `scale`, a whole number from 2 to 16; "denoise": `noise`, the deviation in levels of
            0..255; "deblur": `radius`, the blur's deviation in pixels; "jpeg": `quality` from 1
            to 100.

    Raises:
        ValueError: an unknown task, an unknown setting, or one out of range.
    """
    if task not in TASKS:
        raise ValueError(f"task {task!r} is not one of {', '.join(TASKS)}")
    try:
        return TASKS[task](**settings)
    except TypeError as error:
        raise ValueError(f"task {task!r} does not take these settings: {error}") from error


def inpaint(hole: Tensor | None = None) -> Degradation:
    """A part is missing: `hole` is 1 there; see `filled`."""
    if hole is None or hole.ndim != 4 or hole.shape[:2] != (1, 1):
        raise ValueError("inpainting needs a hole: a mask [1, 1, H, W], white where to draw")
    if not 0 < float(hole.mean()) < 1:
        raise ValueError("the mask is empty or covers everything: nothing to draw, or to draw from")
    missing = (hole > 0.5).float()
    known = 1 - missing

    def keep(drawn: Tensor, given: Tensor) -> Tensor:
        return filled(drawn, given, missing.to(given))

    return Degradation("inpaint", lambda x: x * known, keep, known, looks=4)


def upscale(scale: int = 8) -> Degradation:
    """The picture is `scale` times smaller than it should be (averaged; PULSE, equation 1)."""
    if not (SCALES[0] <= scale <= SCALES[1] and int(scale) == scale):
        raise ValueError(f"scale {scale} is not a whole number from {SCALES[0]} to {SCALES[1]}")

    def apply(images: Tensor) -> Tensor:
        small = F.interpolate(images, _part(images, scale), mode="area")
        return F.interpolate(small, images.shape[-2:], mode="nearest")

    def keep(drawn: Tensor, given: Tensor) -> Tensor:
        for round_ in range(MOST_ROUNDS):
            lacking = F.interpolate(given - drawn, _part(drawn, scale), mode="area")
            if float(lacking.abs().max()) < CLOSE:
                break
            how = "bilinear" if round_ < 2 * ROUNDS else "nearest"  # smoothly while that goes
            drawn = (drawn + F.interpolate(lacking, drawn.shape[-2:], mode=how)).clamp(-1, 1)
        return drawn

    return Degradation("upscale", apply, keep, looks=3)


def colour() -> Degradation:
    """Only the luminance is known."""
    weights = torch.tensor(LUMA)[None, :, None, None]

    def luma(images: Tensor) -> Tensor:
        return (images * weights.to(images)).sum(dim=1, keepdim=True)

    def keep(drawn: Tensor, given: Tensor) -> Tensor:
        light = luma(given)
        chroma = guided(drawn - luma(drawn), light)
        return light + chroma * _room(light, chroma)

    return Degradation("colour", lambda x: luma(x).expand_as(x), keep, colourless=True)


def denoise(noise: float = 25.0) -> Degradation:
    """White noise lies over the picture; what is smooth in it can be trusted."""
    _within("noise", noise, 1, 120)
    sigma = max(1.0, noise / 12)
    return Degradation(
        "denoise", lambda x: x, lambda drawn, given: drawn + smooth(given - drawn, sigma)
    )


def deblur(radius: float = 3.0) -> Degradation:
    """A Gaussian blur of that deviation in pixels."""
    _within("radius", radius, 0.5, 24)

    def apply(images: Tensor) -> Tensor:
        return smooth(images, radius)

    return Degradation("deblur", apply, _handed_back(apply))


def unjpeg(quality: int = 10) -> Degradation:
    """JPEG at that quality: coarse steps of 8 x 8 cosines, coarser in colour."""
    _within("quality", quality, 1, 100)
    blocks = 4.0

    def keep(drawn: Tensor, given: Tensor) -> Tensor:
        return drawn + smooth(given - jpeg(drawn, quality), blocks)

    return Degradation("jpeg", lambda x: jpeg(x, quality), keep)


TASKS: Mapping[str, Callable[..., Degradation]] = {
    "inpaint": inpaint,
    "upscale": upscale,
    "colour": colour,
    "denoise": denoise,
    "deblur": deblur,
    "jpeg": unjpeg,
}
"""Every task by name."""


def _handed_back(apply: Callable[[Tensor], Tensor]) -> Keep:
    """Add what the degraded drawing lacks (back projection, Irani and Peleg 1991)."""

    def keep(drawn: Tensor, given: Tensor) -> Tensor:
        for _ in range(ROUNDS):
            drawn = (drawn + given - apply(drawn)).clamp(-1, 1)
        return drawn

    return keep


def _part(images: Tensor, scale: int) -> tuple[int, int]:
    return max(1, images.shape[-2] // scale), max(1, images.shape[-1] // scale)


def _room(light: Tensor, chroma: Tensor) -> Tensor:
    """The share of a colour `[1, 1, R, R]` that fits beside a luminance without leaving [-1, 1]."""
    room = torch.where(chroma > 0, 1 - light, 1 + light).clamp(min=0)
    share = room / chroma.abs().clamp(min=1e-6)
    return share.amin(dim=1, keepdim=True).clamp(max=1)


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} {value} is not in {low:g}..{high:g}")
