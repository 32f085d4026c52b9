"""The shape of a StyleGAN2: plain data, no network."""

from __future__ import annotations

import math
from dataclasses import dataclass

LARGEST = 4096
"""Of any width: what a file claims is checked before memory is taken."""


@dataclass(frozen=True)
class StyleGAN2Config:
    """The shape of a StyleGAN2.

    Args:
        resolution: side of the square picture, a power of two in 32..1024 (16 for tests).
        channels: channels of each block from 4 px up, one entry a resolution.
        z_dim: size of the noise vector z.
        w_dim: size of the intermediate code w (`style_dim`).
        mapping_layers: fully connected layers from z to w.
        mapping_lr_multiplier: learning-rate multiplier folded into the mapping weights.
        conv_clamp: clamp of the activations (networks trained in fp16 use 256), or None.
    """

    resolution: int
    channels: tuple[int, ...]
    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 8
    mapping_lr_multiplier: float = 0.01
    conv_clamp: float | None = None

    def __post_init__(self) -> None:
        side = self.resolution
        if side < 8 or side > 1024 or side & (side - 1):
            raise ValueError(f"resolution {side} is not a power of two in 8..1024")
        if len(self.channels) != len(self.block_resolutions):
            raise ValueError(
                f"{len(self.channels)} channel counts given, {side} px needs "
                f"{len(self.block_resolutions)} (one each for {self.block_resolutions})"
            )
        for name in ("z_dim", "w_dim", "mapping_layers"):
            _check_size(name, getattr(self, name))
        for count in self.channels:
            _check_size("channels", count)
        scales = {
            "mapping_lr_multiplier": self.mapping_lr_multiplier,
            "conv_clamp": self.conv_clamp,
        }
        for name, scale in scales.items():
            if scale is not None and not 0 < scale < math.inf:
                raise ValueError(f"{name} {scale} is not a positive number")

    @property
    def block_resolutions(self) -> tuple[int, ...]:
        """4, 8, ..., resolution."""
        return tuple(2**i for i in range(2, int(math.log2(self.resolution)) + 1))

    @property
    def num_layers(self) -> int:
        """Rows of a W+ code: 18 at 1024 px, 14 at 256 px."""
        return 2 * len(self.block_resolutions)


def _check_size(name: str, value: int) -> None:
    if not 1 <= value <= LARGEST:
        raise ValueError(f"{name} {value} is not in 1..{LARGEST}")


def channels_for(resolution: int, base: int = 32768, largest: int = 512) -> tuple[int, ...]:
    """Channel counts of the published family: `min(base / side, largest)` from 4 px up."""
    return tuple(min(base // 2**i, largest) for i in range(2, int(math.log2(resolution)) + 1))
