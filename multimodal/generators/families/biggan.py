"""BigGAN (Brock et al. 2019, "Large Scale GAN Training for High Fidelity Natural Image Synthesis",
section 3 and appendix B), in the layout of ajbrock's PyTorch code.

z is cut into chunks: the first makes the 4 px features, each other one joins the class's shared
embedding and scales and shifts the batch norms of one block. Weights are divided by the spectral
norm that one power step from the stored vector tells. State-dict keys are that code's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.generators.families.base import Found, check_sizes
from multimodal.generators.families.classes import ClassNetwork, attend, enlarged
from multimodal.generators.layout import CheckpointError
from multimodal.types import NoiseMode

NORM_EPSILON, SPECTRAL_EPSILON = 1e-5, 1e-6


@dataclass(frozen=True)
class BigGANConfig:
    """The shape of a BigGAN.

    Args:
        chunk: size of a chunk of z.
        class_dim: size of a class's shared embedding.
        classes: how many there are.
        channels: channels into the first block and out of every block.
        attention: block after which self-attention stands, or None.
    """

    chunk: int
    class_dim: int
    classes: int
    channels: tuple[int, ...]
    attention: int | None

    def __post_init__(self) -> None:
        if not 2 <= len(self.channels) <= 9:
            raise ValueError(f"{len(self.channels) - 1} blocks are not 1..8")
        for count in (self.chunk, self.class_dim, self.classes, *self.channels):
            check_sizes(self, size=count)
        if self.attention is not None and not 0 <= self.attention < len(self.channels) - 1:
            raise ValueError(f"attention after block {self.attention} of {len(self.channels) - 1}")

    @property
    def z_dim(self) -> int:
        """Size of z: a chunk for the start and for every block."""
        return self.chunk * len(self.channels)

    @property
    def resolution(self) -> int:
        """Side of the picture in pixels."""
        return int(4 * 2 ** (len(self.channels) - 1))


class Spectral(nn.Module):
    """A linear or convolutional layer whose weight is divided by its estimated spectral norm."""

    u0: Tensor
    sv0: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int = 0, bias: bool = True) -> None:
        super().__init__()
        sides = (kernel, kernel) if kernel else ()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, *sides))
        self.bias = nn.Parameter(torch.empty(outputs)) if bias else None
        self.register_buffer("u0", torch.empty(1, outputs))
        self.register_buffer("sv0", torch.empty(1))

    def scaled(self) -> Tensor:
        """The weight after one power step from `u0` (appendix of Miyato et al. 2018)."""
        flat = self.weight.flatten(1)
        with torch.no_grad():
            v = F.normalize(self.u0 @ flat, eps=SPECTRAL_EPSILON)
            u = F.normalize(v @ flat.t(), eps=SPECTRAL_EPSILON)
        return self.weight / (v @ flat.t() @ u.t()).squeeze()

    def forward(self, x: Tensor) -> Tensor:
        """`[B, I] -> [B, O]`, or `[B, I, h, w] -> [B, O, h, w]`."""
        weight = self.scaled()
        if weight.ndim == 2:
            return F.linear(x, weight, self.bias)
        return F.conv2d(x, weight, self.bias, padding=weight.shape[-1] // 2)


class Norm(nn.Module):
    """Batch norm by stored statistics, scaled and shifted by a condition."""

    stored_mean: Tensor
    stored_var: Tensor

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.gain = Spectral(condition, channels, bias=False)
        self.bias = Spectral(condition, channels, bias=False)
        self.register_buffer("stored_mean", torch.empty(channels))
        self.register_buffer("stored_var", torch.empty(channels))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Features `[B, C, h, w]` by a condition `[B, D]`."""
        x = F.batch_norm(x, self.stored_mean, self.stored_var, eps=NORM_EPSILON)
        gain, shift = 1 + self.gain(condition), self.bias(condition)
        return x * gain[:, :, None, None] + shift[:, :, None, None]


class PlainNorm(nn.Module):
    """Batch norm by stored statistics, with learnt scale and shift."""

    stored_mean: Tensor
    stored_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.register_buffer("stored_mean", torch.empty(channels))
        self.register_buffer("stored_var", torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, h, w]`, normalised."""
        held = self.stored_mean, self.stored_var, self.gain, self.bias
        return F.batch_norm(x, *held, eps=NORM_EPSILON)


class Block(nn.Module):
    """Two 3x3 convolutions with a 1x1 shortcut; doubles the side."""

    def __init__(self, inputs: int, outputs: int, condition: int) -> None:
        super().__init__()
        self.conv1 = Spectral(inputs, outputs, 3)
        self.conv2 = Spectral(outputs, outputs, 3)
        self.conv_sc = Spectral(inputs, outputs, 1)
        self.bn1, self.bn2 = Norm(inputs, condition), Norm(outputs, condition)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """`[B, I, h, w] -> [B, O, 2 h, 2 w]`."""
        h = self.conv1(enlarged(self.bn1(x, condition).relu()))
        h = self.conv2(self.bn2(h, condition).relu())
        return h + self.conv_sc(enlarged(x))


class Attention(nn.Module):
    """Self-attention; see `classes.attend`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        few, half = channels // 8, channels // 2
        self.theta = Spectral(channels, few, 1, bias=False)
        self.phi = Spectral(channels, few, 1, bias=False)
        self.g = Spectral(channels, half, 1, bias=False)
        self.o = Spectral(half, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.empty([]))

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, h, w]`, the same shape."""
        return attend(x, [self.theta, self.phi, self.g, self.o], self.gamma)


class Shared(nn.Module):
    """The table of classes' embeddings."""

    def __init__(self, config: BigGANConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(config.classes, config.class_dim))

    def forward(self, numbers: Tensor) -> Tensor:
        """Numbers of classes `[B]` to embeddings `[B, class_dim]`."""
        return self.weight[numbers]


class BigGAN(ClassNetwork):
    """A BigGAN generator; see the module."""

    family: ClassVar[str] = "biggan"
    config_type: ClassVar[type[BigGANConfig]] = BigGANConfig
    config: BigGANConfig

    def __init__(self, config: BigGANConfig) -> None:
        super().__init__(config)
        widths = config.channels
        self.shared = Shared(config)
        self.linear = Spectral(config.chunk, 16 * widths[0])
        self.blocks = nn.ModuleList()
        for i, outputs in enumerate(widths[1:]):
            block: list[nn.Module] = [Block(widths[i], outputs, config.class_dim + config.chunk)]
            block += [Attention(outputs)] if i == config.attention else []
            self.blocks.append(nn.ModuleList(block))
        last = Spectral(widths[-1], 3, 3)
        self.output_layer = nn.Sequential(PlainNorm(widths[-1]), nn.ReLU(), last)

    @classmethod
    def read(cls, found: Found) -> tuple[dict[str, Tensor], BigGANConfig]:
        """Of ajbrock's bare state dict."""
        kept = (key for key in found.state if not key.endswith(".accumulation_counter"))
        state = {re.sub(r"\.bn\.(?:stored|running)_", ".stored_", k): found.state[k] for k in kept}
        numbers = {int(m[1]) for m in map(re.compile(r"blocks\.(\d+)\.0\.").match, state) if m}
        if numbers != set(range(len(numbers))) or not numbers:
            raise CheckpointError(f"{found.source}: blocks {sorted(numbers)} have gaps")
        shapes = [found.shape(f"blocks.{i}.0.conv1.weight", 4) for i in sorted(numbers)]
        attended = [i for i in sorted(numbers) if f"blocks.{i}.1.gamma" in state]
        classes, width = found.shape("shared.weight", 2)
        chunk = found.shape("linear.weight", 2)[1]
        if found.shape("blocks.0.0.bn1.gain.weight", 2)[1] != width + chunk or len(attended) > 1:
            raise CheckpointError(
                f"{found.source}: only BigGANs with a shared embedding, z in chunks (hier) and at "
                "most one attention layer are supported"
            )
        channels = (shapes[0][1], *(shape[0] for shape in shapes))
        return state, BigGANConfig(chunk, width, classes, channels, next(iter(attended), None))

    @classmethod
    def tiny(cls) -> BigGANConfig:
        """32 px, 5 classes."""
        return BigGANConfig(4, 8, 5, (16, 16, 16, 8), attention=1)

    def start(self) -> None:
        """Weights by their inputs; statistics of standard normals."""
        for key, tensor in self.state_dict().items():
            if key.endswith(("u0", "shared.weight")):
                tensor.normal_()
            elif key.endswith(("stored_var", "sv0", "gamma", "0.gain")):
                tensor.fill_(1.0)
            elif key.endswith("weight"):
                tensor.normal_(std=tensor[0].numel() ** -0.5)
            else:
                tensor.zero_()

    def table(self) -> Tensor:
        """The embedding of every class, `[classes, class_dim]`."""
        return self.shared.weight

    def first_map(self) -> Tensor:
        """The first chunk of z to the 4 px features, `[16 C, D]`; 0 for the rest of the code."""
        weight = self.linear.scaled()
        return F.pad(weight, (0, self.style_dim - weight.shape[1]))

    def synthesize(self, w_plus: Tensor, noise: NoiseMode | Sequence[Tensor] = "const") -> Tensor:
        """Codes `[B, 1, D]` to pictures `[B, 3, R, R]` in [-1, 1]; there are no noise maps."""
        z, kind = self.check(w_plus)[:, 0].split([self.config.z_dim, self.config.class_dim], dim=1)
        first, *rest = z.split(self.config.chunk, dim=1)
        x = self.linear(first).view(len(z), -1, 4, 4)
        for block, chunk in zip(self.blocks, rest, strict=True):
            layers = list(block.children())
            x = layers[0](x, torch.cat([kind, chunk], dim=1))
            x = layers[1](x) if len(layers) > 1 else x
        return self.output_layer(x).tanh()

    def forward(self, z: Tensor, embedded: Tensor) -> Tensor:
        """As the published class is called: noise `[B, z_dim]` and embeddings from `shared`."""
        return self.synthesize(torch.cat([z, embedded], dim=1)[:, None])
