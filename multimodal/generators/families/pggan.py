"""PGGAN (Karras et al. 2018, "Progressive Growing of GANs for Improved Quality, Stability, and
Variation").

z is normalised to length sqrt(z_dim); every block starts with pixel norm (section 4.2), doubles the
side by repeating pixels where a new resolution begins, convolves with equalised weights (section
4.1) and applies a leaky ReLU. `lod` is the paper's progress of growing: 0 draws at full size, 1 one
resolution coarser, fractions blend two (figure 2). State-dict keys are genforce's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.generators.families.base import (
    Found,
    NoiseNetwork,
    check_growing,
    check_sizes,
    in_colour,
)
from multimodal.generators.layout import CheckpointError
from multimodal.latents import normalize_z
from multimodal.types import NoiseMode

SQRT2 = math.sqrt(2)


@dataclass(frozen=True)
class PGGANConfig:
    """The shape of a PGGAN.

    Args:
        z_dim: size of the noise vector.
        channels: channels of each resolution from 4 px up.
        image_channels: 3, or 1 for grey pictures.
    """

    z_dim: int
    channels: tuple[int, ...]
    image_channels: int = 3

    def __post_init__(self) -> None:
        check_growing(self)
        check_sizes(self, z_dim=self.z_dim)

    @property
    def resolution(self) -> int:
        """Side of the picture in pixels."""
        return int(4 * 2 ** (len(self.channels) - 1))


def pixel_norm(x: Tensor) -> Tensor:
    """Every pixel's channels scaled to a mean square of 1 (section 4.2)."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class Block(nn.Module):
    """Pixel norm, doubling where wanted, an equalised convolution and its bias."""

    def __init__(self, inputs: int, outputs: int, kernel: int, gain: float, up: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.scale = gain / math.sqrt(inputs * kernel**2)
        self.padding = {1: 0, 3: 1, 4: 3}[kernel]
        self.up = up

    def forward(self, x: Tensor) -> Tensor:
        """`[B, I, h, w] -> [B, O, H, W]`, before the activation."""
        x = pixel_norm(x)
        x = F.interpolate(x, scale_factor=2, mode="nearest") if self.up else x
        return F.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


class PGGAN(NoiseNetwork):
    """A PGGAN generator; see the module."""

    family: ClassVar[str] = "pggan"
    spaces: ClassVar[tuple[str, ...]] = ("z",)
    config_type: ClassVar[type[PGGANConfig]] = PGGANConfig
    config: PGGANConfig
    lod: Tensor

    def __init__(self, config: PGGANConfig) -> None:
        super().__init__(config)
        inputs = config.z_dim
        for level, outputs in enumerate(config.channels):
            first = Block(inputs, outputs, 3 if level else 4, SQRT2, up=level > 0)
            self.add_module(f"layer{2 * level}", first)
            self.add_module(f"layer{2 * level + 1}", Block(outputs, outputs, 3, SQRT2, up=False))
            self.add_module(f"output{level}", Block(outputs, config.image_channels, 1, 1.0, False))
            inputs = outputs
        self.register_buffer("lod", torch.empty([]))

    @classmethod
    def read(cls, found: Found) -> tuple[dict[str, Tensor], PGGANConfig]:
        """Of genforce's state dict `layer0.weight`, ..., `output0.weight`, `lod`."""
        state = dict(found.state)
        if "label_weight" in state:
            raise CheckpointError(f"{found.source} holds a PGGAN with labels: not supported")
        levels = level_count(state, "output", found.source)
        channels = tuple(found.shape(f"layer{2 * i}.weight", 4)[0] for i in range(levels))
        state.setdefault("lod", torch.zeros([]))
        outputs = found.shape(f"output{levels - 1}.weight", 4)[0]
        try:
            config = PGGANConfig(found.shape("layer0.weight", 4)[1], channels, outputs)
        except ValueError as error:
            raise CheckpointError(f"{found.source}: {error}") from error
        return state, config

    @classmethod
    def tiny(cls) -> PGGANConfig:
        """32 px."""
        return PGGANConfig(z_dim=16, channels=(16, 16, 8, 8))

    def start(self) -> None:
        """Equalised weights are standard normal, biases and `lod` 0."""
        for key, tensor in self.state_dict().items():
            tensor.normal_(
                std=0.5 if "output" in key else 1
            ) if tensor.ndim == 4 else tensor.zero_()

    def mapping(self, z: Tensor, truncation: float = 1.0, cutoff: int | None = None) -> Tensor:
        """Noise `[B, z_dim]`, normalised, as a code `[B, 1, z_dim]`. Only z's direction counts, so
        there is nothing to truncate."""
        return normalize_z(z)[:, None]

    def synthesize(self, w_plus: Tensor, noise: NoiseMode | Sequence[Tensor] = "const") -> Tensor:
        """Codes `[B, 1, z_dim]` to pictures `[B, 3, R, R]`; there are no noise maps."""
        x = self.check(w_plus).flatten(1)[:, :, None, None]
        lod, last = float(self.lod), len(self.config.channels) - 1
        image: Tensor | None = None
        for level in range(last + 1):
            coarser = last - level  # resolutions that come after this one
            if image is not None and lod >= coarser + 1:
                image = F.interpolate(image, scale_factor=2, mode="nearest")
                continue
            x = self._features(x, level)
            if image is None or lod < coarser + 1:
                image = blend(image, self.get_submodule(f"output{level}")(x), coarser, lod)
        assert image is not None
        return in_colour(image)

    def stages(self) -> list[Callable[[Tensor], Tensor]]:
        """One function a layer, then the colours (at `lod` 0)."""
        count = 2 * len(self.config.channels)
        colour = self.get_submodule(f"output{count // 2 - 1}")

        def layer(index: int) -> Callable[[Tensor], Tensor]:
            block = self.get_submodule(f"layer{index}")
            return lambda x: F.leaky_relu(
                block(x.flatten(1)[:, :, None, None] if index == 0 else x), 0.2
            )

        return [*(layer(i) for i in range(count)), lambda x: in_colour(colour(x))]

    def first_map(self) -> Tensor:
        """z to the 4 px features, `[16 C, z_dim]` (SeFa's matrix for PGGAN)."""
        weight = self.get_submodule("layer0").weight
        return weight.flip(2, 3).permute(0, 2, 3, 1).flatten(0, 2)  # type: ignore[union-attr,operator]

    def forward(self, z: Tensor) -> Tensor:
        """Noise `[B, z_dim]` (or a code `[B, 1, z_dim]`) to pictures."""
        return self.synthesize(self.mapping(z.flatten(1)))

    def _features(self, x: Tensor, level: int) -> Tensor:
        for index in (2 * level, 2 * level + 1):
            x = F.leaky_relu(self.get_submodule(f"layer{index}")(x), 0.2)
        return x


def blend(before: Tensor | None, image: Tensor, coarser: int, lod: float) -> Tensor:
    """The picture after a level of growing: the level's own where growing has passed it, a mixture
    with the enlarged one before it where `lod` lies between.

    Args:
        before: the picture of the level before `[B, 3, h, w]`, or None at 4 px.
        image: the level's own `[B, 3, H, W]`.
        coarser: levels that come after this one.
        lod: progress of growing.
    """
    share = min(max(coarser + 1 - lod, 0.0), 1.0)
    if before is None or share == 1.0:
        return image
    return torch.lerp(F.interpolate(before, scale_factor=2, mode="nearest"), image, share)


def level_count(state: dict[str, Tensor], name: str, source: str) -> int:
    """How many levels `name0`, `name1`, ... there are; they must be numbered without a gap."""
    found = {int(m[1]) for m in map(re.compile(rf"{name}(\d+)\.").match, state) if m}
    if found != set(range(len(found))) or not found:
        raise CheckpointError(f"{source}: the levels {sorted(found)} of its pictures have gaps")
    return len(found)
