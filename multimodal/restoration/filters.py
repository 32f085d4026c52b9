"""Filters that restorations share: smoothing, membranes over holes, smoothing along edges."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

RELAXED = 24
"""Rounds of relaxation at each scale, from coarse to fine."""


def smooth(images: Tensor, sigma: float) -> Tensor:
    """`[B, C, H, W]` through a Gaussian of that deviation in pixels; borders are mirrored."""
    reach = min(int(3 * sigma + 0.5), images.shape[-1] - 1)
    if reach < 1:
        return images
    steps = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
    weights = torch.exp(-0.5 * (steps / sigma) ** 2)
    line = (weights / weights.sum()).expand(images.shape[1], 1, -1)
    channels = images.shape[1]
    wide = F.pad(images, (reach, reach, 0, 0), mode="reflect")
    wide = F.conv2d(wide, line[:, :, None, :], groups=channels)
    tall = F.pad(wide, (0, 0, reach, reach), mode="reflect")
    return F.conv2d(tall, line[..., None], groups=channels)


def membrane(values: Tensor, known: Tensor) -> Tensor:
    """Values where they are known, and between them the solution of Laplace's equation.

    Relaxed from coarse to fine, each scale beginning with the one before.

    Args:
        values: `[B, C, H, W]`.
        known: `[1, 1, H, W]`, 1 where they hold; somewhere at least.
    """
    size = values.shape[-2:]
    found = (values * known).sum((2, 3), keepdim=True) / known.sum()
    for part in (32, 16, 8, 4, 2, 1):
        small = [max(1, side // part) for side in size]
        share = F.interpolate(known, small, mode="area")
        level = F.interpolate(values * known, small, mode="area") / share.clamp_min(1e-6)
        fixed = share > (0.999 if part == 1 else 0.25)
        found = F.interpolate(found, small, mode="bilinear", align_corners=False)
        for _ in range(RELAXED):
            found = torch.where(fixed, level, found)
            found = F.avg_pool2d(F.pad(found, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return torch.where(known > 0, values, found)


def guided(images: Tensor, guide: Tensor, sigma: float = 6.0, even: float = 0.01) -> Tensor:
    """Pictures smoothed, but for the edges of a guide (He et al. 2010, equations 5 to 8).

    Args:
        images: `[B, C, H, W]`.
        guide: `[B, 1, H, W]`.
        sigma: deviation of the window in pixels.
        even: variance of the guide below which a window counts as even.
    """
    centre, mean = smooth(guide, sigma), smooth(images, sigma)
    variance = smooth(guide * guide, sigma) - centre * centre
    slope = (smooth(images * guide, sigma) - mean * centre) / (variance + even)
    return smooth(slope, sigma) * guide + smooth(mean - slope * centre, sigma)
