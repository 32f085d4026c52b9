"""DCGAN (Radford et al. 2016, "Unsupervised Representation Learning with Deep Convolutional GANs")
and the generators of WGAN (Arjovsky et al. 2017, "Wasserstein GAN"), which have its shape.

A tower of transposed convolutions with batch norm and ReLU, tanh at the end. State-dict keys are
those of the PyTorch examples (`main.0.weight`) and of WassersteinGAN
(`main.initial:100-512:convt.weight`). Batch norm uses its running statistics.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.generators.families.base import Found, NoiseNetwork, check_sizes, in_colour
from multimodal.generators.layout import CheckpointError
from multimodal.types import NoiseMode

EPSILON = 1e-5


@dataclass(frozen=True)
class DCGANConfig:
    """The shape of a DCGAN.

    Args:
        z_dim: size of the noise vector.
        channels: channels from 4 px up, one entry a resolution below the picture's.
        image_channels: 3, or 1 for grey pictures.
        extra_layers: 3x3 convolutions before the last layer (WGAN).
        norm: batch norm after every layer but the last.
    """

    z_dim: int = 100
    channels: tuple[int, ...] = (512, 256, 128, 64)
    image_channels: int = 3
    extra_layers: int = 0
    norm: bool = True

    def __post_init__(self) -> None:
        if not 1 <= len(self.channels) <= 8:
            raise ValueError(f"{len(self.channels)} layers of channels are not 1..8")
        if self.image_channels not in (1, 3):
            raise ValueError(f"image_channels {self.image_channels} is not 1 or 3")
        if not 0 <= self.extra_layers <= 64:
            raise ValueError(f"extra_layers {self.extra_layers} is not in 0..64")
        for count in (self.z_dim, *self.channels):
            check_sizes(self, size=count)

    @property
    def resolution(self) -> int:
        """Side of the picture: 4 px doubled once a layer."""
        return int(4 * 2 ** len(self.channels))


@dataclass(frozen=True)
class Layer:
    """One layer: names of its convolution and batch norm, and what the convolution does."""

    conv: str
    norm: str | None
    inputs: int
    outputs: int
    kind: str


class Convolution(nn.Module):
    """A convolution without bias: "first" (1 to 4 px), "up" (doubles), "same" (3x3)."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.kind = layer.kind
        same = layer.kind == "same"
        sizes = (layer.outputs, layer.inputs) if same else (layer.inputs, layer.outputs)
        self.weight = nn.Parameter(torch.empty(*sizes, *((3, 3) if same else (4, 4))))

    def forward(self, x: Tensor) -> Tensor:
        """`[B, I, h, w] -> [B, O, H, W]`."""
        if self.kind == "same":
            return F.conv2d(x, self.weight, padding=1)
        if self.kind == "first":
            return F.conv_transpose2d(x, self.weight)
        return F.conv_transpose2d(x, self.weight, stride=2, padding=1)


class BatchNorm(nn.Module):
    """Batch norm by its running statistics."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.register_buffer("running_mean", torch.empty(channels))
        self.register_buffer("running_var", torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, h, w]`, normalised."""
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=EPSILON
        )


class DCGAN(NoiseNetwork):
    """The generator of the PyTorch examples; see the module."""

    family: ClassVar[str] = "dcgan"
    spaces: ClassVar[tuple[str, ...]] = ("z",)
    config_type: ClassVar[type[DCGANConfig]] = DCGANConfig
    config: DCGANConfig

    def __init__(self, config: DCGANConfig) -> None:
        super().__init__(config)
        self.layers = self.plan(config)
        self.main = nn.Module()
        for layer in self.layers:
            self.main.add_module(layer.conv, Convolution(layer))
            if layer.norm is not None:
                self.main.add_module(layer.norm, BatchNorm(layer.outputs))

    @classmethod
    def plan(cls, config: DCGANConfig) -> list[Layer]:
        """The layers in order, with their names."""
        if config.extra_layers or not config.norm:
            raise ValueError("a DCGAN has batch norm and no extra layers; a WGAN may")
        widths = (config.z_dim, *config.channels, config.image_channels)
        last = len(widths) - 2
        return [
            Layer(
                str(3 * i),
                None if i == last else str(3 * i + 1),
                widths[i],
                widths[i + 1],
                "up" if i else "first",
            )
            for i in range(last + 1)
        ]

    @classmethod
    def read(cls, found: Found) -> tuple[dict[str, Tensor], DCGANConfig]:
        """Of a bare state dict `main.0.weight`, `main.1.running_mean`, ..."""
        names = (re.fullmatch(r"main\.(\d+)\.weight", key) for key in found.state)
        numbers = sorted(int(m[1]) for m in names if m and int(m[1]) % 3 == 0)
        if numbers[:1] != [0] or found.state["main.0.weight"].ndim != 4:
            raise CheckpointError(f"{found.source}: main.0 is no convolution, so this is no DCGAN")
        shapes = [found.shape(f"main.{n}.weight", 4) for n in numbers]
        widths = [shape[1] for shape in shapes]
        return without_counts(found.state), _config(found, shapes[0][0], widths)

    @classmethod
    def tiny(cls) -> DCGANConfig:
        """32 px."""
        return DCGANConfig(z_dim=16, channels=(16, 16, 8))

    def start(self) -> None:
        """The scheme of the paper's section 4, wide enough that pictures are not grey."""
        for key, tensor in self.state_dict().items():
            if tensor.ndim == 4:
                tensor.normal_(std=(tensor[:, 0].numel() / 4) ** -0.5)
            elif key.endswith(("bias", "running_mean")):
                tensor.zero_()
            else:
                tensor.fill_(1.0)

    def synthesize(self, w_plus: Tensor, noise: NoiseMode | Sequence[Tensor] = "const") -> Tensor:
        """Codes `[B, 1, z_dim]` to pictures `[B, 3, R, R]` in [-1, 1]; there are no noise maps."""
        x = self.check(w_plus)
        for stage in self.stages():
            x = stage(x)
        return in_colour(x)

    def stages(self) -> list[Callable[[Tensor], Tensor]]:
        """One function a layer: convolution, batch norm and ReLU; tanh in the last."""
        return [self._stage(layer) for layer in self.layers]

    def affine_stages(self) -> list[tuple[Callable[[Tensor], Tensor], tuple[int, ...]]]:
        """Every layer before its activation, an affine function, with its input's shape."""
        shapes: list[tuple[int, ...]] = [(1, self.config.z_dim)]
        side = 4
        for layer in self.layers[:-1]:
            side *= 2 if layer.kind == "up" else 1
            shapes.append((layer.outputs, side, side))
        return [(self._affine(x), s) for x, s in zip(self.layers, shapes, strict=True)]

    def first_map(self) -> Tensor:
        """z to the 4 px features before batch norm, `[16 C, z_dim]`."""
        return self.main.get_submodule(self.layers[0].conv).weight.flatten(1).t()  # type: ignore[union-attr,operator]

    def forward(self, z: Tensor) -> Tensor:
        """Noise `[B, z_dim]` or `[B, z_dim, 1, 1]` to pictures, as the published class is called;
        codes `[B, 1, z_dim]` too."""
        return self.synthesize(z.flatten(1)[:, None])

    def _stage(self, layer: Layer) -> Callable[[Tensor], Tensor]:
        affine, last = self._affine(layer), layer is self.layers[-1]
        return lambda x: affine(x).tanh() if last else affine(x).relu()

    def _affine(self, layer: Layer) -> Callable[[Tensor], Tensor]:
        conv = self.main.get_submodule(layer.conv)
        norm = None if layer.norm is None else self.main.get_submodule(layer.norm)

        def run(x: Tensor) -> Tensor:
            x = conv(x.flatten(1)[:, :, None, None] if x.ndim == 3 else x)
            return x if norm is None else norm(x)

        return run


class WGAN(DCGAN):
    """WassersteinGAN's `DCGAN_G` and `DCGAN_G_nobn`; see the module."""

    family: ClassVar[str] = "wgan"

    @classmethod
    def plan(cls, config: DCGANConfig) -> list[Layer]:
        """The layers in order, with their names."""
        widths, last = config.channels, config.channels[-1]

        def norm(block: str, channels: int) -> str | None:
            return f"{block}:{channels}:batchnorm" if config.norm else None

        first = f"initial:{config.z_dim}-{widths[0]}:convt"
        layers = [Layer(first, norm("initial", widths[0]), config.z_dim, widths[0], "first")]
        for i, o in pairwise(widths):
            layers.append(Layer(f"pyramid:{i}-{o}:convt", norm("pyramid", o), i, o, "up"))
        for t in range(config.extra_layers):
            block = f"extra-layers-{t}"
            layers.append(Layer(f"{block}:{last}:conv", norm(block, last), last, last, "same"))
        final = f"final:{last}-{config.image_channels}:convt"
        return [*layers, Layer(final, None, last, config.image_channels, "up")]

    @classmethod
    def read(cls, found: Found) -> tuple[dict[str, Tensor], DCGANConfig]:
        """Of a bare state dict `main.initial:100-512:convt.weight`, ..."""
        convs = [key for key in found.state if re.fullmatch(r"main\..+:convt\.weight", key)]
        shapes = [found.shape(key, 4) for key in convs if ".pyramid:" in key]
        steps = {shape[0]: shape[1] for shape in shapes}
        first = next((key for key in convs if key.startswith("main.initial:")), None)
        final = next((key for key in convs if key.startswith("main.final:")), None)
        if first is None or final is None or len(steps) != len(convs) - 2:
            raise CheckpointError(f"{found.source}: its convolutions are not a WGAN's pyramid")
        z_dim, width = found.shape(first, 4)[:2]
        widths = [width]
        while widths[-1] in steps and len(widths) <= len(steps):
            widths.append(steps[widths[-1]])
        extra = [key for key in found.state if re.fullmatch(r"main\.extra-.+:conv\.weight", key)]
        widths.append(found.shape(final, 4)[1])
        norm = any(key.endswith(":batchnorm.weight") for key in found.state)
        return without_counts(found.state), _config(found, z_dim, widths, len(extra), norm)

    @classmethod
    def tiny(cls) -> DCGANConfig:
        """32 px, with an extra layer."""
        return DCGANConfig(z_dim=16, channels=(32, 16, 8), extra_layers=1)


def without_counts(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict without batch norm's counters, which newer files have and nobody reads."""
    return {k: v for k, v in state.items() if not k.endswith(".num_batches_tracked")}


def _config(
    found: Found, z_dim: int, widths: list[int], extra: int = 0, norm: bool = True
) -> DCGANConfig:
    try:
        return DCGANConfig(z_dim, tuple(widths[:-1]), widths[-1], extra, norm)
    except ValueError as error:
        raise CheckpointError(f"{found.source}: {error}") from error
