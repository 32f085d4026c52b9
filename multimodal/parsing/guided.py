"""Masks enlarged along a picture's own edges: the guided filter."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def guided_enlarge(values: Tensor, guide: Tensor, radius: int = 3, epsilon: float = 2e-3) -> Tensor:
    """Small maps at a picture's size, with the picture's edges.

    The fast guided filter (He, Sun and Tang 2010, equations 5, 6 and 8; He and Sun 2015, arXiv
    1505.00996): near every place a map is a linear function of the picture's grey; the functions
    are found at the maps' size and enlarged.

    Args:
        values: maps `[B, C, h, w]`.
        guide: pictures `[B, 3, H, W]` in [-1, 1].
        radius: of the neighbourhood, in pixels of the maps.
        epsilon: variance of the guide, in [0, 1] units, below which there is no edge.

    Returns:
        maps `[B, C, H, W]`, clamped to the range [0, 1].
    """
    grey = (guide.float().mean(1, keepdim=True) + 1) / 2
    small = F.interpolate(grey, values.shape[-2:], mode="bilinear", antialias=True)
    values = values.float()
    mean, level = _mean(values, radius), _mean(small, radius)
    covariance = _mean(values * small, radius) - mean * level
    variance = _mean(small * small, radius) - level * level
    slope = covariance / (variance.clamp_min(0) + epsilon)
    offset = mean - slope * level
    size = grey.shape[-2:]
    slope = F.interpolate(_mean(slope, radius), size, mode="bilinear", align_corners=False)
    offset = F.interpolate(_mean(offset, radius), size, mode="bilinear", align_corners=False)
    return torch.addcmul(offset, slope, grey).clamp_(0, 1)


def _mean(x: Tensor, radius: int) -> Tensor:
    return F.avg_pool2d(x, 2 * radius + 1, 1, padding=radius, count_include_pad=False)
