"""StyleGAN3 (Karras et al. 2021, "Alias-Free Generative Adversarial Networks"), configurations T
and R.

The picture starts as Fourier features that the first style turns and shifts (appendix F); every
layer is a modulated convolution and a leaky ReLU taken at a higher sampling rate between two
low-pass filters (section 3.1). No noise, no pyramid of colours. R has 1x1 convolutions and radial
filters. State-dict keys are those of NVIDIA's stylegan3 (`synthesis.L0_36_512.affine.weight`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.generators.families.base import Found, StyledNetwork
from multimodal.generators.families.stylegan3_design import (
    MAPPING_RATE,
    StyleGAN3Config,
    downsample,
    lowpass,
    told_options,
    upsample,
)
from multimodal.generators.layout import CheckpointError
from multimodal.latents import broadcast_w, normalize_z, truncate
from multimodal.types import NoiseMode

SQRT2 = math.sqrt(2)


class Linear(nn.Module):
    """Fully connected, equalised; `rate` is the learning rate folded into weight and bias."""

    def __init__(self, inputs: int, outputs: int, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.scale, self.rate = rate / math.sqrt(inputs), rate

    def forward(self, x: Tensor) -> Tensor:
        """`[B, I] -> [B, O]`."""
        return F.linear(x, self.weight * self.scale, self.bias * self.rate)


class Mapping(nn.Module):
    """z -> w, broadcast to the rows of W+, with the truncation trick."""

    w_avg: Tensor

    def __init__(self, config: StyleGAN3Config) -> None:
        super().__init__()
        self.depth, self.rows = config.mapping_layers, len(config.channels) + 1
        for i in range(self.depth):
            inputs = config.w_dim if i else config.z_dim
            self.add_module(f"fc{i}", Linear(inputs, config.w_dim, MAPPING_RATE))
        self.register_buffer("w_avg", torch.empty(config.w_dim))

    def forward(self, z: Tensor, truncation: float = 1.0, cutoff: int | None = None) -> Tensor:
        """Noise `[B, z_dim]` to codes `[B, L, w_dim]`, of which the first `cutoff` rows (None for
        all) are pulled towards the average."""
        x = normalize_z(z)
        for i in range(self.depth):
            x = F.leaky_relu(self.get_submodule(f"fc{i}")(x), 0.2) * SQRT2
        w_plus = broadcast_w(x, self.rows)
        return w_plus if truncation == 1 else truncate(w_plus, self.w_avg, truncation, cutoff)


class FourierInput(nn.Module):
    """Fourier features, turned and shifted by a style (cos, sin, x, y) and by `transform`."""

    transform: Tensor
    freqs: Tensor
    phases: Tensor

    def __init__(self, config: StyleGAN3Config) -> None:
        super().__init__()
        channels = config.channels[0]
        self.cutoff, _, self.rate, self.side = config.bands[0]
        self.weight = nn.Parameter(torch.empty(channels, channels))
        self.affine = Linear(config.w_dim, 4)
        self.register_buffer("transform", torch.empty(3, 3))
        self.register_buffer("freqs", torch.empty(channels, 2))
        self.register_buffer("phases", torch.empty(channels))

    def forward(self, style: Tensor) -> Tensor:
        """A style `[B, 4]` to features `[B, C, side, side]`."""
        cos, sin, x, y = (style / style[:, :2].norm(dim=1, keepdim=True)).unbind(1)
        one, none = torch.ones_like(cos), torch.zeros_like(cos)
        turn = torch.stack([cos, -sin, none, sin, cos, none, none, none, one], 1).view(-1, 3, 3)
        shift = torch.stack([one, none, -x, none, one, -y, none, none, one], 1).view(-1, 3, 3)
        motion = turn @ shift @ self.transform
        phases = self.phases + (self.freqs @ motion[:, :2, 2:])[..., 0]
        freqs = self.freqs @ motion[:, :2, :2]  # [B, C, 2]
        # Frequencies that the motion brought too high are faded out.
        room = self.rate / 2 - self.cutoff
        amplitudes = (1 - (freqs.norm(dim=2) - self.cutoff) / room).clamp(0, 1)
        reach = 0.5 * self.side / self.rate
        steps = (torch.arange(self.side, device=style.device) * 2 + 1) / self.side - 1
        grid = torch.stack(torch.meshgrid(steps * reach, steps * reach, indexing="xy"), dim=-1)
        waves = torch.einsum("hwk,bck->bhwc", grid, freqs) + phases[:, None, None]
        waves = (waves * (2 * math.pi)).sin() * amplitudes[:, None, None]
        mixed = waves @ (self.weight / math.sqrt(len(self.weight))).t()
        return mixed.permute(0, 3, 1, 2)


class Layer(nn.Module):
    """A modulated convolution, then a leaky ReLU between an up- and a down-sampling filter."""

    magnitude_ema: Tensor
    up_filter: Tensor | None
    down_filter: Tensor | None

    def __init__(self, config: StyleGAN3Config, index: int) -> None:
        super().__init__()
        before = max(index - 1, 0)
        self.colours = index == len(config.channels) - 1
        self.clamp, self.scale = config.conv_clamp, config.output_scale if self.colours else 1.0
        inputs, outputs = config.channels[before], config.channels[index]
        kernel = 1 if self.colours else config.conv_kernel
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.affine = Linear(config.w_dim, inputs)
        self.register_buffer("magnitude_ema", torch.empty([]))
        came, goes = config.bands[before], config.bands[index]
        rate = max(came[2], goes[2]) * (1 if self.colours else config.lrelu_upsampling)
        self.up, self.down = round(rate / came[2]), round(rate / goes[2])
        critical = index >= len(config.channels) - 1 - config.num_critical
        taps = [
            1 if self.colours or f == 1 else config.filter_size * f for f in (self.up, self.down)
        ]
        self._design = (
            (taps[0], came[0], came[1] * 2, rate, False),
            (taps[1], goes[0], goes[1] * 2, rate, config.radial and not critical),
        )
        for name, plan in zip(("up_filter", "down_filter"), self._design, strict=True):
            shape = (plan[0],) * (2 if plan[4] else 1)
            self.register_buffer(name, None if plan[0] == 1 else torch.empty(shape))
        total = (goes[3] - 1) * self.down + 1 - (came[3] + kernel - 1) * self.up + sum(taps) - 2
        low = (total + self.up) // 2
        self.padding = (low, total - low)

    def design(self) -> None:
        """Fill the filters of a new layer."""
        for held, plan in zip((self.up_filter, self.down_filter), self._design, strict=True):
            if held is not None:
                held.copy_(lowpass(*plan))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Features `[B, I, h, w]` and a style `[B, I]` to `[B, O, H, W]`."""
        x = self._convolved(x, style) + self.bias[:, None, None]
        x = x if self.up_filter is None else upsample(x, self.up_filter, self.up, self.padding)
        x = x if self.colours else F.leaky_relu(x, 0.2) * SQRT2
        x = x if self.clamp is None else x.clamp(-self.clamp, self.clamp)
        x = x if self.down_filter is None else downsample(x, self.down_filter, self.down)
        return x * self.scale

    def _convolved(self, x: Tensor, style: Tensor) -> Tensor:
        weight: Tensor = self.weight
        gain = self.magnitude_ema.rsqrt()
        if self.colours:
            style = style / math.sqrt(weight[0].numel())
            return F.conv2d(x * (style * gain)[:, :, None, None], weight)
        weight = weight * weight.square().mean(dim=(1, 2, 3), keepdim=True).rsqrt()
        style = style * style.square().mean().rsqrt()  # over the batch; demodulation undoes it
        demod = (style.square() @ weight.square().sum(dim=(2, 3)).t() + 1e-8).rsqrt()
        x = F.conv2d(x * (style * gain)[:, :, None, None], weight, padding=weight.shape[-1] - 1)
        return x * demod[:, :, None, None]


class Synthesis(nn.Module):
    """Styles -> picture."""

    def __init__(self, config: StyleGAN3Config) -> None:
        super().__init__()
        self.input = FourierInput(config)
        self.names = [config.layer_name(i) for i in range(len(config.channels))]
        for index, name in enumerate(self.names):
            self.add_module(name, Layer(config, index))

    def layers(self) -> list[Layer]:
        """All layers after the input, in order."""
        return [getattr(self, name) for name in self.names]


class StyleGAN3(StyledNetwork):
    """A StyleGAN3 generator; see the module."""

    family: ClassVar[str] = "stylegan3"
    spaces: ClassVar[tuple[str, ...]] = ("z", "w", "w+", "p", "s")
    bare: ClassVar[bool] = False
    config_type: ClassVar[type[StyleGAN3Config]] = StyleGAN3Config
    config: StyleGAN3Config

    def __init__(self, config: StyleGAN3Config) -> None:
        super().__init__(config)
        self.mapping = Mapping(config)
        self.synthesis = Synthesis(config)

    @classmethod
    def read(cls, found: Found) -> tuple[dict[str, Tensor], StyleGAN3Config]:
        """Of NVIDIA's state dict and constructor arguments, where the file tells them."""
        matches = map(re.compile(r"synthesis\.(L(\d+)_(\d+)_(\d+))\.weight$").match, found.state)
        layers = sorted((int(m[2]), int(m[3]), m[1]) for m in matches if m)
        if [n for n, _, _ in layers] != list(range(len(layers))) or len(layers) < 2:
            raise CheckpointError(f"{found.source}: layers {[n for n, _, _ in layers]} have gaps")
        shapes = [found.shape(f"synthesis.{name}.weight", 4) for _, _, name in layers]
        filters = [found.state.get(f"synthesis.{layers[0][2]}.{f}_filter") for f in ("up", "down")]
        depth = sum(bool(re.match(r"mapping\.fc\d+\.weight$", key)) for key in found.state)
        options = {**told_options(found), "resolution": layers[-1][1]}
        config = StyleGAN3Config(
            channels=tuple(shape[0] for shape in shapes),
            z_dim=found.shape("mapping.fc0.weight", 2)[1],
            w_dim=found.shape(f"synthesis.{layers[0][2]}.affine.weight", 2)[1],
            mapping_layers=depth,
            conv_kernel=shapes[0][2],
            radial=filters[1] is not None and filters[1].ndim == 2,
            **options,
        )
        return dict(found.state), config

    @classmethod
    def tiny(cls) -> StyleGAN3Config:
        """32 px, configuration T."""
        widths = (16, 16, 16, 16, 12, 12, 8, 3)
        return StyleGAN3Config(32, widths, 32, 32, first_stopband=3.0, margin=4)

    def start(self) -> None:
        """NVIDIA's initial weights: normal ones, biases of styles 1, designed filters."""
        start = self.synthesis.input
        for key, tensor in self.state_dict().items():
            if key.endswith("weight"):
                tensor.normal_(std=100 if "mapping" in key else 0.1 if "input.affine" in key else 1)
            else:
                tensor.fill_(1 if key.endswith(("affine.bias", "magnitude_ema")) else 0)
        start.affine.bias.copy_(torch.tensor([1.0, 0, 0, 0]))
        start.transform.copy_(torch.eye(3))
        angles = torch.rand(len(start.freqs), 2) * 2 - 1
        start.freqs.copy_(angles / angles.norm(dim=1, keepdim=True).clamp(min=1) * start.cutoff)
        start.phases.uniform_(-0.5, 0.5)
        for layer in self.synthesis.layers():
            layer.design()
        z = torch.randn(1024, self.config.z_dim)
        self.mapping.w_avg.copy_(self.mapping(z)[:, 0].mean(0))

    @property
    def num_layers(self) -> int:
        """Rows L of W+: the input's and every layer's."""
        return len(self.config.channels) + 1

    @property
    def w_avg(self) -> Tensor:
        """The average code `[D]`, centre of truncation."""
        return self.mapping.w_avg

    def style_maps(self) -> list[Callable[[Tensor], Tensor]]:
        """Of the input (cos, sin, x, y), then of every layer, to-colour before its gain."""
        return [self.synthesis.input.affine, *(y.affine for y in self.synthesis.layers())]

    def synthesize_styles(
        self, styles: Sequence[Tensor], noise: NoiseMode | Sequence[Tensor] = "const"
    ) -> Tensor:
        """Draw from S-space codes, as `styles()` returns them; there are no noise maps."""
        if len(styles) != self.num_layers:
            raise ValueError(f"{len(styles)} styles given, this generator takes {self.num_layers}")
        x = self.synthesis.input(styles[0])
        for layer, style in zip(self.synthesis.layers(), styles[1:], strict=True):
            x = layer(x, style)
        return x

    def moved(
        self, w_plus: Tensor, angle: float = 0.0, x: float = 0.0, y: float = 0.0
    ) -> list[Tensor]:
        """The styles of `w_plus` with the picture turned and shifted, each `[B, C_i]`.

        What NVIDIA's `transform` buffer does to every picture, done to one code: turning and
        shifting commute into the input's own style (appendix F).

        Args:
            w_plus: `[B, L, D]`.
            angle: in degrees, as the published tool counts them.
            x: to the right, in units of the picture.
            y: downwards, likewise.
        """
        styles = self.styles(w_plus)
        own = styles[0] / styles[0][:, :2].norm(dim=1, keepdim=True)
        c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        back = own.new_tensor([[c, -s], [s, c]])  # the inverse of the wanted motion, and its shift
        gone = back @ own.new_tensor([-x, -y])
        heading = own[:, :2] @ own.new_tensor([[c, s], [-s, c]])
        styles[0] = torch.cat([heading, (own[:, 2:] - gone) @ back], dim=1)
        return styles
