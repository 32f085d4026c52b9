"""The compact inversion encoder that the bundled model ships.

One feed-forward network from a face to W+, shaped like e4e's idea (Tov et al. 2021, "Designing an
Encoder for StyleGAN Image Manipulation"): one code `w0` from the global features, and one delta a
row from features of three scales. With `feedback` it also sees its own reconstruction and predicts
a correction (Alaluf et al. 2021, "ReStyle"). Its norm layers do not depend on the batch, so one
face and a batch of faces give the same codes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (1, 2, 4, 5, 4)
"""Channels of the five stages (sides 1/2 to 1/32 of the input), in units of `width`."""

EFFICIENTNET = "tf_efficientnet_lite0"
TRUNK_SIDE = 128
"""Side that pictures are brought to before the trunk."""

POOLED = 4
"""Side of the grid every scale is pooled to before its head: keeps where things are."""


@dataclass(frozen=True)
class BundleEncoderConfig:
    """The shape of a bundle encoder.

    Args:
        num_layers: rows L of the W+ code it predicts.
        resolution: side that pictures are resized to inside, a power of two >= 32.
        style_dim: size D of a row.
        width: channels of the first stage.
        hidden: features from which the deltas of a scale's rows are read.
        feedback: take a second picture, the current reconstruction, and correct it.
        passes: forward passes that `load_encoder` runs (1 without feedback).
        trunk: a second pair of eyes for the base code, which knows ImageNet before any face:
            `EFFICIENTNET`, or "" for none.
    """

    num_layers: int
    resolution: int = 128
    style_dim: int = 512
    width: int = 48
    hidden: int = 192
    feedback: bool = False
    passes: int = 1
    trunk: str = ""

    def __post_init__(self) -> None:
        if self.trunk not in ("", EFFICIENTNET):
            raise ValueError(f"trunk {self.trunk!r} is not {EFFICIENTNET!r} or empty")
        side = self.resolution
        if side < 32 or side > 1024 or side & (side - 1):
            raise ValueError(f"resolution {side} is not a power of two in 32..1024")
        if not 2 <= self.num_layers <= 18:
            raise ValueError(f"num_layers {self.num_layers} is not in 2..18")
        if self.passes < 1 or (self.passes > 1 and not self.feedback):
            raise ValueError(f"{self.passes} passes asked; more than one needs feedback=True")

    @property
    def rows_of_scales(self) -> tuple[int, int, int]:
        """How many rows the coarse, medium and fine features drive: e4e's 3 | 4 | rest."""
        coarse = min(3, self.num_layers)
        medium = min(4, self.num_layers - coarse)
        return coarse, medium, self.num_layers - coarse - medium


class ResidualBlock(nn.Module):
    """Pre-activation residual block (He et al. 2016); starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm0, self.norm1 = group_norm(channels), group_norm(channels)
        self.conv0 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.gain = nn.Parameter(torch.full((channels,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to the same shape; the un-normalised sum keeps colour and brightness."""
        y = self.conv0(F.silu(self.norm0(x)))
        y = self.conv1(F.silu(self.norm1(y)))
        return torch.addcmul(x, y, self.gain[:, None, None].to(y.dtype))


class ScaleHead(nn.Module):
    """Features of one scale, with the global ones, to the deltas of its rows.

    Args:
        channels: of the scale's features.
        context: size of the global feature vector.
        rows: rows of W+ this scale drives.
        config: the network's shape.
    """

    def __init__(self, channels: int, context: int, rows: int, config: BundleEncoderConfig) -> None:
        super().__init__()
        self.rows, self.style_dim = rows, config.style_dim
        self.norm = group_norm(channels)
        self.reduce = nn.Conv2d(channels, 64, 1)
        self.local = nn.Linear(64 * POOLED * POOLED, config.hidden)
        self.context = nn.Linear(context, config.hidden)
        self.out = nn.Linear(config.hidden, rows * config.style_dim)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        """`[B, C, H, W]` and `[B, G]` -> `[B, rows, D]`; zero before any training."""
        x = F.adaptive_avg_pool2d(self.reduce(F.silu(self.norm(features))), POOLED).flatten(1)
        x = F.silu(self.local(x) + self.context(context))
        return self.out(x).float().unflatten(1, (self.rows, self.style_dim))


class Trunk(nn.Module):
    """EfficientNet-Lite0's last two scales, pooled to a vector; its norms never see the batch.

    Args:
        context: size of the vector.
    """

    def __init__(self, context: int) -> None:
        super().__init__()
        import timm

        network: Any = timm.create_model(EFFICIENTNET, features_only=True, out_indices=(3, 4))
        middle, last = network.feature_info.channels()
        self.network = network
        self.middle, self.last = nn.Conv2d(middle, 64, 1), nn.Conv2d(last, 96, 1)
        self.out = nn.Linear((64 + 96) * POOLED * POOLED, context)
        self.begin()

    def begin(self) -> None:
        """Say nothing yet, so that a trained encoder may be given a trunk."""
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def train(self, mode: bool = True) -> Trunk:
        """Training leaves the norms as they are, so that a face alone gives the same code."""
        super().train(mode)
        self.network.train(False)
        return self

    def forward(self, images: Tensor) -> Tensor:
        """`[B, 3, H, W]` in [-1, 1] -> `[B, context]`."""
        side = _resized(images, TRUNK_SIDE).contiguous(memory_format=torch.channels_last)
        middle, last = self.network(side)
        maps = (self.middle(middle), self.last(last))
        return self.out(torch.cat([F.adaptive_avg_pool2d(m, POOLED) for m in maps], 1).flatten(1))


class BundleEncoder(nn.Module):
    """Pictures to W+; about 9 million parameters and 2.3 GFLOP at the default shape.

    Args:
        config: its shape.

    The buffer `w_avg` `[D]` is the centre that predicted codes are measured from; set it to the
    generator's average code before training.
    """

    w_avg: Tensor

    def __init__(self, config: BundleEncoderConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.width * factor for factor in WIDTHS]
        self.register_buffer("w_avg", torch.zeros(config.style_dim))
        self.stem, self.downs, self.stages = body(config.width, 6 if config.feedback else 3)
        context = config.style_dim
        self.norm = group_norm(widths[-1])
        self.reduce = nn.Conv2d(widths[-1], 96, 1)
        self.global_features = nn.Linear(96 * POOLED * POOLED, context)
        self.w0 = nn.Linear(context, config.style_dim)
        self.trunk = Trunk(context) if config.trunk else None
        rows = config.rows_of_scales
        self.heads = nn.ModuleList(
            ScaleHead(c, context, n, config)
            for c, n in zip(widths[:1:-1], rows, strict=True)
            if n > 0
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def codes(self, images: Tensor, current: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Base code and per-row deltas.

        Args:
            images: `[B, 3, H, W]` in [-1, 1], any size.
            current: the reconstruction so far, `[B, 3, H, W]`, for a feedback encoder.

        Returns:
            `w0` `[B, D]` and `deltas` `[B, L, D]`, float32; `w_plus = w0[:, None] + deltas`.
            Measured from zero (a correction) when `current` is given, else from `w_avg`.

        Raises:
            ValueError: `current` given to an encoder without feedback.
        """
        if current is not None and not self.config.feedback:
            raise ValueError("this encoder has feedback=False and takes no current reconstruction")
        maps = self._features(images, current)
        x = self.reduce(F.silu(self.norm(maps[-1])))
        x = self.global_features(F.adaptive_avg_pool2d(x, POOLED).flatten(1))
        x = F.silu(x if self.trunk is None else x + self.trunk(images))
        w0 = self.w0(x).float()
        deltas = [head(f, x) for head, f in zip(self.heads, reversed(maps[2:]), strict=False)]
        return (w0 if current is not None else w0 + self.w_avg), torch.cat(deltas, dim=1)

    def forward(self, images: Tensor, current: Tensor | None = None) -> Tensor:
        """Code, or with `current` the correction to the code that drew it.

        Args:
            images: `[B, 3, H, W]` in [-1, 1], any size.
            current: the reconstruction so far, `[B, 3, H, W]`, for a feedback encoder; None is
                the first pass.

        Returns:
            `[B, L, D]`.
        """
        w0, deltas = self.codes(images, current)
        return w0[:, None] + deltas

    def _features(self, images: Tensor, current: Tensor | None) -> list[Tensor]:
        x = _resized(images, self.config.resolution)
        if self.config.feedback:
            seen = torch.zeros_like(x) if current is None else _resized(current, x.shape[-1])
            x = torch.cat([x, seen], dim=1)
        return body_maps(x, self.stem, self.downs, self.stages)


def body(width: int, channels: int) -> tuple[nn.Conv2d, nn.ModuleList, nn.ModuleList]:
    """Stem, halving convolutions and stages of residual blocks, for pictures of some channels."""
    widths = [width * factor for factor in WIDTHS]
    stem = nn.Conv2d(channels * 4, widths[0], 3, padding=1)
    downs = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(widths))
    stages = nn.ModuleList(
        nn.Sequential(*(ResidualBlock(c) for _ in range(depth)))
        for c, depth in zip(widths, (1, 2, 2, 2, 1), strict=True)
    )
    return stem, downs, stages


def body_maps(
    x: Tensor, stem: nn.Module, downs: nn.ModuleList, stages: nn.ModuleList
) -> list[Tensor]:
    """Features after each stage of a `body`, at 1/2 to 1/32 of the side of `[B, C, H, W]`."""
    x = F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last)
    maps = [stages[0](stem(x))]
    for down, stage in zip(downs, list(stages)[1:], strict=True):
        maps.append(stage(down(maps[-1])))
    return maps


def group_norm(channels: int) -> nn.GroupNorm:
    """Norm over groups of 16 channels; the same at every batch size."""
    return nn.GroupNorm(channels // math.gcd(channels, 16), channels)


def _resized(images: Tensor, side: int) -> Tensor:
    """`[B, 3, H, W]` to `[B, 3, side, side]`; averages to shrink, interpolates to grow."""
    if images.shape[-2:] == (side, side):
        return images
    if min(images.shape[-2:]) >= side:
        return F.interpolate(images, (side, side), mode="area")
    return F.interpolate(images, (side, side), mode="bilinear", align_corners=False)
