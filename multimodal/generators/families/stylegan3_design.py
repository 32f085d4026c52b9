"""StyleGAN3's shape and low-pass filters: how layers' bands follow from a few numbers, the filters'
design, and resampling with them (Karras et al. 2021, "Alias-Free Generative Adversarial Networks",
section 3.1 and appendix C)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal.generators.families.base import Found, check_sizes
from multimodal.generators.layout import CheckpointError

MAPPING_RATE = 0.01


@dataclass(frozen=True)
class StyleGAN3Config:
    """The shape of a StyleGAN3; what is not given has the published value.

    Args:
        resolution: side of the picture, a power of two.
        channels: channels of every layer, the first one's before them; the last entry is colours.
        z_dim: size of the noise vector.
        w_dim: size of the intermediate code.
        mapping_layers: layers from z to w.
        conv_kernel: side of the convolutions: 3 (T) or 1 (R).
        radial: radially symmetric down-sampling filters (R).
        conv_clamp: clamp of the activations, or None.
        num_critical: critically sampled layers at the end.
        first_cutoff: of the first layer, cycles a picture.
        first_stopband: of the first layer.
        last_stopband_rel: of the last layer, over its cutoff.
        margin: samples beyond each border.
        output_scale: factor on the last layer's output.
        filter_size: taps of a filter for each factor of resampling.
        lrelu_upsampling: how much finer the leaky ReLU is taken.
    """

    resolution: int
    channels: tuple[int, ...]
    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 2
    conv_kernel: int = 3
    radial: bool = False
    conv_clamp: float | None = 256.0
    num_critical: int = 2
    first_cutoff: float = 2.0
    first_stopband: float = 2**2.1
    last_stopband_rel: float = 2**0.3
    margin: int = 10
    output_scale: float = 0.25
    filter_size: int = 6
    lrelu_upsampling: int = 2

    def __post_init__(self) -> None:
        side = self.resolution
        if side < 16 or side > 2048 or side & (side - 1):
            raise ValueError(f"resolution {side} is not a power of two in 16..2048")
        for count in (self.z_dim, self.w_dim, *self.channels):
            check_sizes(self, size=count)
        if not self.num_critical + 2 <= len(self.channels) <= 65 or self.channels[-1] != 3:
            raise ValueError(f"{len(self.channels)} layers, the last with {self.channels[-1:]}")
        whole = {
            "mapping_layers": (self.mapping_layers, 1, 64),
            "conv_kernel": (self.conv_kernel, 1, 7),
            "num_critical": (self.num_critical, 0, 16),
            "margin": (self.margin, 0, 64),
            "filter_size": (self.filter_size, 1, 16),
            "lrelu_upsampling": (self.lrelu_upsampling, 1, 4),
        }
        for name, (value, low, high) in whole.items():
            if not low <= value <= high:
                raise ValueError(f"{name} {value} is not in {low}..{high}")
        bands = (self.first_cutoff, self.first_stopband, self.last_stopband_rel, self.output_scale)
        if not all(0 < b < 1e4 for b in bands) or not 0 < (self.conv_clamp or 1) < math.inf:
            raise ValueError(f"cutoff, stopbands, scale {bands} or the clamp are out of range")

    @cached_property
    def bands(self) -> list[tuple[float, float, float, int]]:
        """Of every layer: cutoff, half width of the filter, sampling rate, side with margins."""
        last, depth = self.resolution / 2, len(self.channels) - 1
        cutoffs = rising(self.first_cutoff, last, depth, self.num_critical)
        ends = self.first_stopband, last * self.last_stopband_rel
        stops = rising(*ends, depth, self.num_critical)
        rates = [power_of_two_above(min(stop * 2, self.resolution)) for stop in stops]
        sides = [int(rate) + 2 * self.margin for rate in rates]
        sides[-2:] = [self.resolution] * 2
        widths = [max(s, r / 2) - c for s, r, c in zip(stops, rates, cutoffs, strict=True)]
        return list(zip(cutoffs, widths, rates, sides, strict=True))

    def layer_name(self, index: int) -> str:
        """The layer's name in files: number, side, channels."""
        return f"L{index}_{self.bands[index][3]}_{self.channels[index]}"


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


_TOLD: dict[str, Callable[[Any], Any]] = {
    "output_scale": float,
    "filter_size": int,
    "lrelu_upsampling": int,
    "num_critical": int,
    "first_cutoff": float,
    "first_stopband": float,
    "last_stopband_rel": float,
}
_SEEN = {"z_dim", "w_dim", "img_resolution", "img_channels", "channel_base", "channel_max"} | {
    *("conv_kernel", "use_radial_filters", "num_layers", "magnitude_ema_beta", "num_fp16_res"),
    *("c_dim", "margin_size", "conv_clamp"),
}


def told_options(found: Found) -> dict[str, Any]:
    """What the constructor's arguments tell that tensors do not; those that shapes tell are passed
    over, and unknown ones refused by name."""
    given, options = dict(found.options), {}
    mapping = given.pop("mapping_kwargs", None)
    mapping = mapping if isinstance(mapping, Mapping) else {}
    unknown = sorted(set(map(str, given)) - set(_TOLD) - _SEEN)
    unknown += sorted(
        set(map(str, mapping)) - {"num_layers", "w_avg_beta", "lr_multiplier", "embed_features"}
    )
    if unknown or given.get("c_dim", 0) or mapping.get("lr_multiplier", 0.01) != MAPPING_RATE:
        what = ", ".join(map(str, unknown)) or "labels or another mapping rate"
        raise CheckpointError(f"{found.source}: a StyleGAN3 with {what} is not supported")
    if "conv_clamp" in given:
        options["conv_clamp"] = None if given["conv_clamp"] is None else float(given["conv_clamp"])
    if "margin_size" in given:
        options["margin"] = int(given["margin_size"])
    return options | {name: make(given[name]) for name, make in _TOLD.items() if name in given}
