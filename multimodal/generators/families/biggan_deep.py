"""BigGAN-deep (Brock et al. 2019, "Large Scale GAN Training for High Fidelity Natural Image
Synthesis", appendix B), in the layout that huggingface published.

Residual bottlenecks whose batch norms are scaled and shifted by z and the class together. The
statistics of batch norm are stored for 51 truncations in steps of 0.02 and interpolated between
them. State-dict keys are those of pytorch-pretrained-BigGAN; weights are divided by the spectral
norms that its stored vectors tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.generators.families.base import Found, check_sizes
from multimodal.generators.families.classes import ClassNetwork, attend, enlarged
from multimodal.generators.layout import CheckpointError
from multimodal.types import NoiseMode

REDUCTION = 4


@dataclass(frozen=True)
class BigGANDeepConfig:
    """The shape of a BigGAN-deep.

    Args:
        resolution: side of the picture in pixels.
        z_dim: size of the noise vector.
        class_dim: size of a class's embedding.
        width: channels of the last block.
        classes: how many there are.
        layers: of every block: 1 where it doubles the side, channels in and out over `width`.
        attention: block before which self-attention stands.
        eps: of batch norm.
        stats: truncations that statistics are stored for.
    """

    resolution: int
    z_dim: int
    class_dim: int
    width: int
    classes: int
    layers: tuple[tuple[int, ...], ...]
    attention: int
    eps: float = 1e-4
    stats: int = 51

    def __post_init__(self) -> None:
        rows = self.layers
        if not 1 <= len(rows) <= 64 or any(len(row) != 3 or row[0] not in (0, 1) for row in rows):
            raise ValueError(f"layers {rows!r:.60} are not up to 64 triples (up, in, out)")
        if any(a[2] != b[1] for a, b in pairwise(rows)) or rows[-1][2] != 1:
            raise ValueError("a block's channels do not fit the next one's, or the last is not 1")
        if any(row[1] not in (row[2], 2 * row[2]) for row in rows):
            raise ValueError("a block neither keeps nor halves its channels")
        if self.resolution != 4 * 2 ** sum(row[0] for row in rows) or self.resolution > 1024:
            raise ValueError(f"resolution {self.resolution} is not what its blocks draw")
        check_sizes(self, z_dim=self.z_dim, class_dim=self.class_dim, classes=self.classes)
        check_sizes(self, widest=self.width * rows[0][1], narrowest=self.width // 8)
        if self.width < 3 or not 2 <= self.stats <= 1001 or not 0 < self.eps < 1:
            raise ValueError(f"width {self.width}, stats {self.stats} or eps {self.eps} is wrong")

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels that each block gives."""
        return tuple(self.width * row[2] for row in self.layers)


class Table(nn.Module):
    """A matrix of embeddings under the key `weight`."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, columns))


class Spectral(nn.Module):
    """A linear or convolutional layer whose weight is divided by its spectral norm."""

    weight_u: Tensor
    weight_v: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int = 0, bias: bool = True) -> None:
        super().__init__()
        sides = (kernel, kernel) if kernel else ()
        self.bias = nn.Parameter(torch.empty(outputs)) if bias else None
        self.weight_orig = nn.Parameter(torch.empty(outputs, inputs, *sides))
        self.register_buffer("weight_u", torch.empty(outputs))
        self.register_buffer("weight_v", torch.empty(inputs * max(1, kernel) ** 2))

    def start(self) -> None:
        """Vectors of one power step, for a new layer."""
        flat = self.weight_orig.flatten(1)
        self.weight_v.copy_(F.normalize(flat.t() @ self.weight_u, dim=0))
        self.weight_u.copy_(F.normalize(flat @ self.weight_v, dim=0))

    def forward(self, x: Tensor) -> Tensor:
        """`[B, I] -> [B, O]`, or `[B, I, h, w] -> [B, O, h, w]`."""
        weight: Tensor = self.weight_orig
        weight = weight / (self.weight_u @ (weight.flatten(1) @ self.weight_v))
        if weight.ndim == 2:
            return F.linear(x, weight, self.bias)
        return F.conv2d(x, weight, self.bias, padding=weight.shape[-1] // 2)


class Norm(nn.Module):
    """Batch norm by stored statistics of a truncation; scale and shift come from a condition, or
    are learnt where there is none."""

    running_means: Tensor
    running_vars: Tensor

    def __init__(self, channels: int, config: BigGANDeepConfig, conditional: bool = True) -> None:
        super().__init__()
        self.eps = config.eps
        self.register_buffer("running_means", torch.empty(config.stats, channels))
        self.register_buffer("running_vars", torch.empty(config.stats, channels))
        if conditional:
            size = config.z_dim + config.class_dim
            self.scale = Spectral(size, channels, bias=False)
            self.offset = Spectral(size, channels, bias=False)
        else:
            self.weight = nn.Parameter(torch.empty(channels))
            self.bias = nn.Parameter(torch.empty(channels))
        self.conditional = conditional

    def forward(self, x: Tensor, condition: Tensor, truncation: float) -> Tensor:
        """Features `[B, C, h, w]` by a condition `[B, D]`."""
        mean, variance = (row_at(s, truncation) for s in (self.running_means, self.running_vars))
        if not self.conditional:
            return F.batch_norm(x, mean, variance, self.weight, self.bias, eps=self.eps)
        gain, shift = 1 + self.scale(condition), self.offset(condition)
        gain = gain * (variance + self.eps).rsqrt()
        return x * gain[:, :, None, None] + (shift - mean * gain)[:, :, None, None]


def row_at(statistics: Tensor, truncation: float) -> Tensor:
    """The row `[C]` of `[n, C]` statistics for a truncation in (0, 1].

    Between two rows, the published code weights them the other way round from what one expects:
    the nearer one less.
    """
    share, index = math.modf(truncation / (1.0 / (len(statistics) - 1)))
    row = statistics[int(index)]
    return row if share == 0 else torch.lerp(statistics[int(index) + 1], row, share)


class Block(nn.Module):
    """Four convolutions, the first and last 1x1 around a bottleneck; no weights in the shortcut."""

    def __init__(self, inputs: int, outputs: int, up: bool, config: BigGANDeepConfig) -> None:
        super().__init__()
        inner = inputs // REDUCTION
        self.up, self.outputs = up, outputs
        widths = (inputs, inner, inner, inner, outputs)
        for i, kernel in enumerate((1, 3, 3, 1)):
            self.add_module(f"bn_{i}", Norm(widths[i], config))
            self.add_module(f"conv_{i}", Spectral(widths[i], widths[i + 1], kernel))

    def forward(self, x: Tensor, condition: Tensor, truncation: float) -> Tensor:
        """`[B, I, h, w] -> [B, O, H, W]`; a block that halves keeps x's first channels."""
        h = x
        for i in range(4):
            h = self.get_submodule(f"bn_{i}")(h, condition, truncation).relu()
            h = enlarged(h) if self.up and i == 1 else h
            h = self.get_submodule(f"conv_{i}")(h)
        x = x[:, : self.outputs]
        return h + (enlarged(x) if self.up else x)


class Attention(nn.Module):
    """Self-attention; see `classes.attend`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        few = channels // 8
        sizes = {"theta": (channels, few), "phi": (channels, few), "g": (channels, channels // 2)}
        for name, (inputs, outputs) in sizes.items():
            self.add_module(f"snconv1x1_{name}", Spectral(inputs, outputs, 1, bias=False))
        self.snconv1x1_o_conv = Spectral(channels // 2, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.empty(1))

    def forward(self, x: Tensor, condition: Tensor, truncation: float) -> Tensor:
        """`[B, C, h, w]`, the same shape; condition and truncation are not asked."""
        names = ("theta", "phi", "g", "o_conv")
        return attend(x, [self.get_submodule(f"snconv1x1_{n}") for n in names], self.gamma)


class Body(nn.Module):
    """From the condition to the picture."""

    def __init__(self, config: BigGANDeepConfig) -> None:
        super().__init__()
        size, width = config.z_dim + config.class_dim, config.width
        self.first = width * config.layers[0][1]
        self.gen_z = Spectral(size, 16 * self.first)
        self.layers = nn.ModuleList()
        for i, (up, inputs, outputs) in enumerate(config.layers):
            if i == config.attention:
                self.layers.append(Attention(width * inputs))
            self.layers.append(Block(width * inputs, width * outputs, bool(up), config))
        self.bn = Norm(width, config, conditional=False)
        self.conv_to_rgb = Spectral(width, width, 3)

    def forward(self, condition: Tensor, truncation: float) -> Tensor:
        """Conditions `[B, D]` to pictures `[B, 3, R, R]` before tanh."""
        x = self.gen_z(condition).view(-1, 4, 4, self.first).permute(0, 3, 1, 2).contiguous()
        for layer in self.layers:
            x = layer(x, condition, truncation)
        x = self.bn(x, condition, truncation).relu()
        return self.conv_to_rgb(x)[:, :3]


class BigGANDeep(ClassNetwork):
    """A BigGAN-deep generator; see the module."""

    family: ClassVar[str] = "biggan-deep"
    bare: ClassVar[bool] = False
    config_type: ClassVar[type[BigGANDeepConfig]] = BigGANDeepConfig
    config: BigGANDeepConfig

    def __init__(self, config: BigGANDeepConfig) -> None:
        super().__init__(config)
        self._truncation = 0.4
        self.embeddings = Table(config.class_dim, config.classes)
        self.generator = Body(config)

    @classmethod
    def read(cls, found: Found) -> tuple[dict[str, Tensor], BigGANDeepConfig]:
        """Of huggingface's state dict and the `config.json` beside it."""
        told = found.options
        if not told:
            raise CheckpointError(
                f"{found.source}: a BigGAN-deep needs its config.json beside it (named so, or as "
                "the weights with -config.json)"
            )
        names = ("output_dim", "z_dim", "class_embed_dim", "channel_width", "num_classes")
        missing = [n for n in (*names, "layers", "attention_layer_position") if n not in told]
        if missing:
            raise CheckpointError(f"{found.source}: config.json lacks {', '.join(missing)}")
        side, z_dim, class_dim, width, classes = (int(told[name]) for name in names)
        config = BigGANDeepConfig(
            side,
            z_dim,
            class_dim,
            width,
            classes,
            layers=tuple((int(bool(up)), int(a), int(b)) for up, a, b in told["layers"]),
            attention=int(told["attention_layer_position"]),
            eps=float(told.get("eps", 1e-4)),
            stats=int(told.get("n_stats", 51)),
        )
        return dict(found.state), config

    @classmethod
    def tiny(cls) -> BigGANDeepConfig:
        """32 px, 5 classes."""
        layers = ((0, 4, 4), (1, 4, 4), (1, 4, 2), (0, 2, 2), (1, 2, 1))
        return BigGANDeepConfig(32, 8, 8, 8, 5, layers, attention=3, stats=11)

    def start(self) -> None:
        """Weights by their inputs; statistics of standard normals."""
        for key, tensor in self.state_dict().items():
            if key.endswith("weight_orig"):
                tensor.normal_(std=tensor[0].numel() ** -0.5)
            elif key.endswith(("running_vars", "bn.weight", "gamma")):
                tensor.fill_(1.0)
            elif key.endswith(("embeddings.weight", "weight_u")):
                tensor.normal_()
            else:
                tensor.zero_()
        for module in self.modules():
            if isinstance(module, Spectral):
                module.start()

    @property
    def truncation(self) -> float:
        """The truncation whose statistics are drawn with, in (0, 1]."""
        return self._truncation

    @truncation.setter
    def truncation(self, value: float) -> None:
        """Draw with another truncation's statistics; `ValueError` outside (0, 1]."""
        if not 0 < value <= 1:
            raise ValueError(f"truncation {value} is not in (0, 1]")
        self._truncation = float(value)

    def table(self) -> Tensor:
        """The embedding of every class, `[classes, class_dim]`."""
        return self.embeddings.weight.t()

    def first_map(self) -> Tensor:
        """z to the 4 px features, `[16 C, D]`; 0 for the class."""
        weight = self.generator.gen_z.weight_orig[:, : self.config.z_dim]
        return F.pad(weight, (0, self.config.class_dim))

    def synthesize(self, w_plus: Tensor, noise: NoiseMode | Sequence[Tensor] = "const") -> Tensor:
        """Codes `[B, 1, D]` to pictures `[B, 3, R, R]` in [-1, 1], at `truncation`; there are no
        noise maps."""
        return self.generator(self.check(w_plus)[:, 0], self.truncation).tanh()

    def forward(self, z: Tensor, labels: Tensor, truncation: float) -> Tensor:
        """As the published class is called: noise, weights of the classes, truncation."""
        self.truncation = truncation
        return self.synthesize(self.code(z, labels))
