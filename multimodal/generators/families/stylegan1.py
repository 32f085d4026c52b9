"""StyleGAN (Karras et al. 2019, "A Style-Based Generator Architecture for GANs").

Two layers a resolution; each is convolution, blur (where it doubles the side), noise, bias, leaky
ReLU, instance norm, and a style of scales and shifts (equation 1, AdaIN). Up to 64 px a layer
doubles by repeating pixels before its convolution, from 128 px on by a transposed convolution.
State-dict keys are genforce's; idinvert's layout of the same numbers is read too.
"""

from __future__ import annotations

import math
import re
from collections import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.generators.families.base import (
    Found,
    StyledNetwork,
    check_growing,
    check_sizes,
    in_colour,
)
from multimodal.generators.families.pggan import SQRT2, blend, level_count
from multimodal.generators.layout import CheckpointError
from multimodal.latents import broadcast_w, normalize_z, truncate
from multimodal.types import NoiseMode

MAPPING_RATE = 0.01
TRANSPOSED_FROM = 128
"""Side from which layers double by a transposed convolution."""


@dataclass(frozen=True)
class StyleGAN1Config:
    """The shape of a StyleGAN.

    Args:
        z_dim: size of the noise vector.
        w_dim: size of the intermediate code.
        mapping_width: features of the mapping network's inner layers.
        mapping_layers: its layers.
        channels: channels of each resolution from 4 px up.
        image_channels: 3, or 1 for grey pictures.
    """

    z_dim: int
    w_dim: int
    mapping_width: int
    mapping_layers: int
    channels: tuple[int, ...]
    image_channels: int = 3

    def __post_init__(self) -> None:
        check_growing(self)
        if not 1 <= self.mapping_layers <= 64:
            raise ValueError(f"mapping_layers {self.mapping_layers} is not in 1..64")
        for count in (self.z_dim, self.w_dim, self.mapping_width):
            check_sizes(self, size=count)

    @property
    def resolution(self) -> int:
        """Side of the picture in pixels."""
        return int(4 * 2 ** (len(self.channels) - 1))


class Dense(nn.Module):
    """Fully connected, with equalised weights (gain over the root of the inputs)."""

    def __init__(self, inputs: int, outputs: int, gain: float, rate: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.scale, self.rate = gain / math.sqrt(inputs) * rate, rate

    def forward(self, x: Tensor) -> Tensor:
        """`[B, I] -> [B, O]`."""
        return F.linear(x, self.weight * self.scale, self.bias * self.rate)


class Noise(nn.Module):
    """A stored noise map and its strength a channel."""

    noise: Tensor

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels))
        self.register_buffer("noise", torch.empty(1, 1, side, side))


class Blur(nn.Module):
    """A low-pass kernel, the same for every channel."""

    kernel: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("kernel", torch.empty(channels, 1, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, h, w]`, smoothed."""
        return F.conv2d(x, self.kernel, padding=1, groups=x.shape[1])


class Layer(nn.Module):
    """One layer of the synthesis network; inputs 0 starts from the learnt constant."""

    def __init__(self, inputs: int, outputs: int, side: int, w_dim: int, up: bool) -> None:
        super().__init__()
        self.up, self.side = up, side
        if inputs:
            self.weight = nn.Parameter(torch.empty(outputs, inputs, 3, 3))
            self.scale = SQRT2 / math.sqrt(inputs * 9)
        else:
            self.const = nn.Parameter(torch.empty(1, outputs, side, side))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.apply_noise = Noise(outputs, side)
        self.style = Dense(w_dim, 2 * outputs, 1.0, 1.0)
        if up:
            self.blur = Blur(outputs)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """Features `[B, I, h, w]` and a style `[B, 2 O]` to `[B, O, H, W]`."""
        x = self._convolved(x) if hasattr(self, "weight") else x
        if noise is not None:
            x = x + noise * self.apply_noise.weight[:, None, None]
        x = F.leaky_relu(x + self.bias[:, None, None], 0.2)
        x = x - x.mean(dim=(2, 3), keepdim=True)
        x = x * (x.square().mean(dim=(2, 3), keepdim=True) + 1e-8).rsqrt()
        scale, shift = style[:, :, None, None].chunk(2, dim=1)
        return x * (1 + scale) + shift

    def _convolved(self, x: Tensor) -> Tensor:
        weight = self.weight * self.scale
        if not self.up:
            return F.conv2d(x, weight, padding=1)
        if self.side < TRANSPOSED_FROM:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            return self.blur(F.conv2d(x, weight, padding=1))
        corners = F.pad(weight, (1, 1, 1, 1))
        kernel = corners[..., 1:, 1:] + corners[..., :-1, 1:]
        kernel = kernel + corners[..., 1:, :-1] + corners[..., :-1, :-1]
        return self.blur(F.conv_transpose2d(x, kernel.transpose(0, 1), stride=2, padding=1))


class ToColour(nn.Module):
    """A 1x1 convolution to colours."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.empty(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, h, w] -> [B, 3, h, w]`."""
        return F.conv2d(x, self.weight / math.sqrt(self.weight.shape[1]), self.bias)


class Mapping(nn.Module):
    """z -> w, broadcast to the rows of W+, with the truncation trick."""

    def __init__(self, config: StyleGAN1Config, truncation: nn.Module, rows: int) -> None:
        super().__init__()
        self.depth, self.rows = config.mapping_layers, rows
        self._centre = (truncation,)  # a tuple, so that its buffer keeps the file's key
        inner = [config.mapping_width] * (self.depth - 1)
        widths = [config.z_dim, *inner, config.w_dim]
        for i, (inputs, outputs) in enumerate(pairwise(widths)):
            self.add_module(f"dense{i}", Dense(inputs, outputs, SQRT2, MAPPING_RATE))

    @property
    def w_avg(self) -> Tensor:
        """The average code `[D]`."""
        return self._centre[0].get_buffer("w_avg")

    def forward(self, z: Tensor, truncation: float = 1.0, cutoff: int | None = None) -> Tensor:
        """Noise `[B, z_dim]` to codes `[B, L, w_dim]`, of which the first `cutoff` rows (None for
        all) are pulled towards the average."""
        x = normalize_z(z)
        for i in range(self.depth):
            x = F.leaky_relu(self.get_submodule(f"dense{i}")(x), 0.2)
        w_plus = broadcast_w(x, self.rows)
        return w_plus if truncation == 1 else truncate(w_plus, self.w_avg, truncation, cutoff)


class StyleGAN1(StyledNetwork):
    """A StyleGAN generator; see the module."""

    family: ClassVar[str] = "stylegan1"
    spaces: ClassVar[tuple[str, ...]] = ("z", "w", "w+", "p", "s")
    config_type: ClassVar[type[StyleGAN1Config]] = StyleGAN1Config
    config: StyleGAN1Config

    def __init__(self, config: StyleGAN1Config) -> None:
        super().__init__(config)
        self.truncation, self.synthesis = nn.Module(), nn.Module()
        self.truncation.register_buffer("w_avg", torch.empty(config.w_dim))
        self.mapping = Mapping(config, self.truncation, self.num_layers)
        self.synthesis.register_buffer("lod", torch.empty([]))
        inputs = 0
        for level, outputs in enumerate(config.channels):
            side, width = 4 * 2**level, config.w_dim
            first = Layer(inputs, outputs, side, width, up=level > 0)
            self.synthesis.add_module(f"layer{2 * level}", first)
            second = Layer(outputs, outputs, side, width, up=False)
            self.synthesis.add_module(f"layer{2 * level + 1}", second)
            self.synthesis.add_module(f"output{level}", ToColour(outputs, config.image_channels))
            inputs = outputs

    @classmethod
    def read(cls, found: Found) -> tuple[dict[str, Tensor], StyleGAN1Config]:
        """Of genforce's or idinvert's state dict."""
        state = from_idinvert(found.state)
        found = replace(found, state=state)
        if "mapping.label_weight" in state:
            raise CheckpointError(f"{found.source} holds a StyleGAN with labels: not supported")
        levels = level_count(state, "synthesis.output", found.source)
        depth = level_count(state, "mapping.dense", found.source)
        state.setdefault("synthesis.lod", torch.zeros([]))
        width, z_dim = found.shape("mapping.dense0.weight", 2)
        last = f"synthesis.output{levels - 1}.weight"
        config = StyleGAN1Config(
            z_dim=z_dim,
            w_dim=found.shape(f"mapping.dense{depth - 1}.weight", 2)[0],
            mapping_width=width,
            mapping_layers=depth,
            channels=tuple(found.shape(f"synthesis.output{i}.weight", 4)[1] for i in range(levels)),
            image_channels=found.shape(last, 4)[0],
        )
        return state, config

    @classmethod
    def tiny(cls) -> StyleGAN1Config:
        """32 px."""
        return StyleGAN1Config(32, 32, 32, 2, (32, 32, 16, 16))

    def start(self) -> None:
        """Equalised weights are standard normal; noise is faint, biases are 0."""
        taps = torch.tensor([1.0, 2.0, 1.0])
        for key, tensor in self.state_dict().items():
            if key.endswith("blur.kernel"):
                tensor.copy_((torch.outer(taps, taps) / 16).expand_as(tensor))
            elif key.endswith("apply_noise.weight"):
                tensor.fill_(0.05)
            elif key.endswith(("bias", "lod")):
                tensor.zero_()
            else:
                tensor.normal_(std=100 if "dense" in key else 0.3 if "output" in key else 1)
        z = torch.randn(1024, self.config.z_dim)
        self.w_avg.copy_(self.mapping(z)[:, 0].mean(0))

    @property
    def num_layers(self) -> int:
        """Rows L of W+."""
        return 2 * len(self.config.channels)

    @property
    def w_avg(self) -> Tensor:
        """The average code `[D]`, centre of truncation."""
        return self.truncation.get_buffer("w_avg")

    def style_maps(self) -> list[Callable[[Tensor], Tensor]]:
        """The map of every layer to its scales and shifts, `[B, 2 C_i]`."""
        return [self._layer(i).style for i in range(self.num_layers)]

    def synthesize_styles(
        self, styles: Sequence[Tensor], noise: NoiseMode | Sequence[Tensor] = "const"
    ) -> Tensor:
        """Draw from S-space codes: per layer the scales s of x (1 + s), then the shifts.

        Args:
            styles: as `styles()` returns them.
            noise: "const" (the stored maps), "none", "random", or one map `[1 or B, 1, h, w]` a
                layer.
        """
        maps = self.noise_maps(noise, styles[0].shape[0])
        if len(styles) != self.num_layers or len(maps) != self.num_layers:
            raise ValueError(
                f"{len(styles)} styles and {len(maps)} noise maps given, "
                f"this generator takes {self.num_layers} of each"
            )
        lod, last = float(self.synthesis.get_buffer("lod")), len(self.config.channels) - 1
        const: Tensor = self._layer(0).const
        x, image = const.expand(styles[0].shape[0], -1, -1, -1), const.new_empty(0)
        for level in range(last + 1):
            coarser = last - level
            if level and lod >= coarser + 1:
                image = F.interpolate(image, scale_factor=2, mode="nearest")
                continue
            for i in (2 * level, 2 * level + 1):
                x = self._layer(i)(x, styles[i], maps[i])
            if not lod and coarser:
                continue  # only the last picture counts
            own = self.synthesis.get_submodule(f"output{level}")(x)
            image = blend(image if level else None, own, coarser, lod)
        return in_colour(image)

    def noise_maps(
        self, noise: NoiseMode | Sequence[Tensor], batch: int = 1
    ) -> Sequence[Tensor | None]:
        """The noise of each layer, `[1 or B, 1, h, w]`, for a mode or given maps."""
        layers = [self._layer(i) for i in range(self.num_layers)]
        if not isinstance(noise, str):
            return list(noise)
        if noise == "none":
            return [None] * len(layers)
        if noise == "const":
            return [layer.apply_noise.noise for layer in layers]
        if noise == "random":
            return [torch.randn(batch, 1, y.side, y.side, device=self.device) for y in layers]
        raise ValueError(f"noise mode {noise!r} is not one of 'const', 'none', 'random'")

    def _layer(self, index: int) -> Layer:
        found = self.synthesis.get_submodule(f"layer{index}")
        assert isinstance(found, Layer)
        return found


_RENAMED = (
    (".fc.weight", ".weight"),
    (".wscale.bias", ".bias"),
    (".conv.weight", ".weight"),
    (".epilogue.style_mod.dense.", ".style."),
    (".epilogue.", "."),
)


def from_idinvert(state: abc.Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with genforce's keys; one that has them already is only copied."""
    ours: dict[str, Tensor] = {}
    for key, tensor in state.items():
        if key == "truncation.truncation":  # coefficients that its loader overwrites
            continue
        name = key
        for theirs, mine in _RENAMED:
            name = name.replace(theirs, mine)
        if name == key and tensor.ndim == 4 and re.fullmatch(r"synthesis\.layer\d+\.weight", key):
            first = tensor.shape[0] == tensor.shape[1] == 3 != tensor.shape[2]
            tensor = tensor.permute(3, 2, 0, 1) if first else tensor
        ours[name] = tensor
    return ours
