"""Augmentation for the judge: it must read crops, odd colours and generated pictures alike."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def augment(images: Tensor, source: torch.Generator) -> Tensor:
    """Random views of pictures `[B, 3, R, R]` in [-1, 1], by a CPU generator's numbers.

    Scale and shift (some crops), small turns, colour, and the flaws generated pictures have:
    softness, grain and lost resolution. Nothing is mirrored: left and right have names.
    """
    images = _place(images, source)
    images = _colour(images, source)
    return _flaws(images, source).clamp(-1, 1)


def vary(images: Tensor, source: torch.Generator) -> Tensor:
    """Photos `[B, 3, R, R]` in [-1, 1] a little moved, turned and tinted: still whole photos."""
    placed = _place(images, source, reach=0.3)
    return (0.5 * placed + 0.5 * _colour(placed, source)).clamp(-1, 1)


def _uniform(count: int, low: float, high: float, source: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=source)


def _place(images: Tensor, source: torch.Generator, reach: float = 1.0) -> Tensor:
    count = len(images)
    zoom = 1 + reach * (_uniform(count, 0.72, 1.08, source) - 1)
    angle = reach * _uniform(count, -0.12, 0.12, source)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = zoom * angle.cos()
    theta[:, 0, 1], theta[:, 1, 0] = -zoom * angle.sin(), zoom * angle.sin()
    theta[:, 0, 2] = reach * _uniform(count, -0.12, 0.12, source)
    theta[:, 1, 2] = reach * _uniform(count, -0.12, 0.12, source)
    grid = F.affine_grid(theta.to(images), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def _colour(images: Tensor, source: torch.Generator) -> Tensor:
    count = len(images)

    def shape(values: Tensor) -> Tensor:
        return values.view(count, -1, 1, 1).to(images)

    bright = shape(_uniform(count, -0.15, 0.15, source))
    contrast = shape(_uniform(count, 0.8, 1.2, source))
    colourful = shape(_uniform(count, 0.75, 1.2, source))
    tint = shape(0.04 * torch.randn(count, 3, generator=source))
    grey = images.mean(dim=1, keepdim=True)
    return (grey + (images - grey) * colourful) * contrast + bright + tint


def _flaws(images: Tensor, source: torch.Generator) -> Tensor:
    kind = torch.rand(len(images), generator=source)
    soft, coarse = kind < 0.2, (kind >= 0.2) & (kind < 0.4)
    out = images.clone()
    if soft.any():
        out[soft] = _blur(images[soft], float(_uniform(1, 0.4, 1.3, source)))
    if coarse.any():
        side = int(images.shape[-1] * float(_uniform(1, 0.4, 0.8, source)))
        small = F.interpolate(images[coarse], (side, side), mode="bilinear", antialias=True)
        out[coarse] = F.interpolate(small, images.shape[2:], mode="bicubic")
    grain = 0.06 * _uniform(len(images), 0, 1, source).square()
    noise = torch.randn(images.shape, generator=source)
    return out + (grain.view(-1, 1, 1, 1) * noise).to(images)


def _blur(images: Tensor, sigma: float) -> Tensor:
    reach = max(1, math.ceil(2 * sigma))
    taps = torch.exp(-(torch.arange(-reach, reach + 1).float() ** 2) / (2 * sigma**2))
    taps = (taps / taps.sum()).to(images)
    rows = taps.view(1, 1, -1, 1).expand(3, 1, -1, 1)
    columns = taps.view(1, 1, 1, -1).expand(3, 1, 1, -1)
    padded = F.pad(images, (reach,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, rows, groups=3), columns, groups=3)
