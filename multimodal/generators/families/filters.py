"""StyleGAN3's low-pass filters: their design, and resampling with them (Karras et al. 2021,
"Alias-Free Generative Adversarial Networks", section 3.1 and appendix C)."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def lowpass(taps: int, cutoff: float, width: float, rate: float, radial: bool) -> Tensor:
    """A Kaiser-windowed low-pass filter, `[taps]`, or `[taps, taps]` for a radial one.

    Args:
        taps: its length.
        cutoff: where it passes half, in cycles a picture.
        width: of the transition band.
        rate: sampling rate, cycles a picture as well.
        radial: jinc-based, the same in every direction; separable otherwise.
    """
    from scipy.signal import firwin, kaiser_atten, kaiser_beta
    from scipy.special import j1

    if not radial:
        return torch.as_tensor(firwin(taps, cutoff, width=width, fs=rate), dtype=torch.float32)
    x = (np.arange(taps) - (taps - 1) / 2) / rate
    r = np.hypot(*np.meshgrid(x, x))
    if taps % 2:
        r[taps // 2, taps // 2] = 1e-9  # the jinc's limit, approached
    window = np.kaiser(taps, kaiser_beta(kaiser_atten(taps, width / (rate / 2))))
    response = j1(2 * cutoff * np.pi * r) / (np.pi * r) * np.outer(window, window)
    return torch.as_tensor(response / response.sum(), dtype=torch.float32)


def upsample(x: Tensor, taps: Tensor, factor: int, padding: tuple[int, int]) -> Tensor:
    """Insert `factor - 1` zeros after every sample, pad, and filter along both axes.

    Args:
        x: `[B, C, h, w]`.
        taps: separable filter `[n]`.
        factor: how much finer.
        padding: samples before and after, of the finer grid; negative ones crop.
    """
    for axis in (2, 3):
        x = _upsample_axis(x, taps, factor, padding, axis)
    return x


def _upsample_axis(
    x: Tensor, taps: Tensor, factor: int, padding: tuple[int, int], axis: int
) -> Tensor:
    count, channels = len(taps), x.shape[1]
    before, after = padding
    size = x.shape[axis] * factor + before + after - count + 1
    tall = axis == 2
    shape = (count, 1) if tall else (1, count)
    kernel = (taps * factor).view(1, 1, *shape).expand(channels, 1, *shape)
    stride = (factor, 1) if tall else (1, factor)
    full = F.conv_transpose2d(x, kernel, stride=stride, groups=channels)
    start = count - 1 - before
    ends = (-start, size - (full.shape[axis] - start))
    return F.pad(full, (0, 0, *ends) if tall else ends)


def downsample(x: Tensor, taps: Tensor, factor: int) -> Tensor:
    """Filter along both axes and keep every `factor`-th sample.

    Args:
        x: `[B, C, h, w]`.
        taps: separable filter `[n]`, or `[n, n]`.
        factor: how much coarser.
    """
    channels = x.shape[1]
    if taps.ndim == 2:
        kernel = taps.flip(0, 1)[None, None].expand(channels, 1, *taps.shape)
        return F.conv2d(x, kernel, stride=factor, groups=channels)
    for shape, stride in (((-1, 1), (factor, 1)), ((1, -1), (1, factor))):
        kernel = taps.flip(0).view(1, 1, *shape)
        kernel = kernel.expand(channels, 1, *kernel.shape[2:])
        x = F.conv2d(x, kernel, stride=stride, groups=channels)
    return x


def rising(first: float, last: float, count: int, critical: int) -> list[float]:
    """Cutoffs or stopbands of `count + 1` layers: geometric from first to last, and constant over
    the `critical` last ones (equation in section 3.2)."""
    steps = [min(i / (count - critical), 1.0) for i in range(count + 1)]
    return [first * (last / first) ** step for step in steps]


def power_of_two_above(value: float) -> float:
    """The smallest power of two that is not below a positive value."""
    return 2.0 ** math.ceil(math.log2(value))
