"""How far two pictures are apart, pixel by pixel and window by window."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def mse(first: Tensor, second: Tensor) -> Tensor:
    """Mean squared error of pixels, `[B]`."""
    check_pair(first, second)
    return (first - second).square().mean(dim=(1, 2, 3))


def mae(first: Tensor, second: Tensor) -> Tensor:
    """Mean absolute error of pixels, `[B]`."""
    check_pair(first, second)
    return (first - second).abs().mean(dim=(1, 2, 3))


def psnr(first: Tensor, second: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB for a range of 2, `[B]`; 100 at most."""
    return (10 * torch.log10(4 / mse(first, second).clamp(min=4e-10))).clamp(max=100.0)


def rmse(first: Tensor, second: Tensor) -> Tensor:
    """Root of the mean squared error of pixels, `[B]`, in [0, 2]."""
    return mse(first, second).sqrt()


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity, `[B]` (Wang et al. 2004, equation 13): Gaussian window of 11 pixels,
    sigma 1.5, constants 0.01 and 0.03 of the range."""
    check_pair(first, second)
    if min(first.shape[2:]) < 11:
        raise ValueError(f"SSIM needs pictures of 11 px or more, got {tuple(first.shape[2:])}")
    offsets = torch.arange(11, dtype=first.dtype, device=first.device) - 5
    taps = torch.exp(-offsets.square() / (2 * 1.5**2))
    taps = taps / taps.sum()
    window = torch.outer(taps, taps).expand(3, 1, 11, 11)

    def blur(x: Tensor) -> Tensor:
        return F.conv2d(x, window, groups=3)

    mean_a, mean_b = blur(first), blur(second)
    var_a = blur(first * first) - mean_a.square()
    var_b = blur(second * second) - mean_b.square()
    covariance = blur(first * second) - mean_a * mean_b
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    top = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return (top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean(dim=(1, 2, 3))


def check_pair(first: Tensor, second: Tensor) -> None:
    """Raise `ValueError` unless both are pictures `[B, 3, H, W]` of one size."""
    if first.shape != second.shape or first.ndim != 4 or first.shape[1] != 3:
        raise ValueError(
            f"pictures {tuple(first.shape)} and {tuple(second.shape)}: need two equal [B, 3, H, W]"
        )
