"""StyleGAN2 (Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN").

The whole network in one file over the pieces of `modulation.py`, in plain PyTorch, for CPU, MPS and
CUDA. State-dict keys are those of NVIDIA's stylegan2-ada-pytorch (`mapping.fc0.weight`,
`synthesis.b8.conv0.affine.bias`, ...).

Two choices make it fast without compiled extensions:

* Modulation in the scale-input, scale-output form: `demod * conv(x * style, W)` uses one shared
  convolution for the batch instead of a grouped one (paper, section 2.2, equations 1-3, are linear
  in the input, so the two are equal), and its backward pass needs no gradient of the weights.
* Activations are channels-last, the layout CPU and tensor-core convolutions like best.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.generators.config import StyleGAN2Config, channels_for
from multimodal.generators.modulation import (
    EqualLinear,
    ModulatedConv,
    blur_kernel,
    packed,
    polyphase,
    spread,
    with_residual,
)
from multimodal.latents import ALL_SPACES
from multimodal.types import Latent, NoiseMode, check_seed

__all__ = [
    "SQRT2",
    "EqualLinear",
    "MappingNetwork",
    "OnFeatures",
    "StyleGAN2",
    "StyleGAN2Config",
    "SynthesisBlock",
    "SynthesisLayer",
    "SynthesisNetwork",
    "ToRGB",
    "channels_for",
]

SQRT2 = math.sqrt(2.0)
PHASES_FROM = 32
"""Side of the input from which bf16 up-sampling in phases pays on a CPU (measured)."""

OnFeatures = Callable[[int, Tensor], Tensor]
"""Called with (layer index, features `[B, C, h, w]`) after each convolution; returns features."""


class MappingNetwork(nn.Module):
    """z -> w, broadcast to the rows of W+, with the truncation trick.

    Args:
        config: the network's shape.
    """

    w_avg: Tensor

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        self.depth = config.mapping_layers
        self.num_layers = config.num_layers
        for index in range(self.depth):
            width = config.z_dim if index == 0 else config.w_dim
            layer = EqualLinear(width, config.w_dim, lr_multiplier=config.mapping_lr_multiplier)
            setattr(self, f"fc{index}", layer)
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def forward(self, z: Tensor, truncation: float = 1.0, cutoff: int | None = None) -> Tensor:
        """Map noise to codes.

        Args:
            z: `[B, z_dim]`, standard normal.
            truncation: psi; 1 leaves w alone, 0 gives the average code.
            cutoff: only the first `cutoff` rows are truncated; None truncates all.

        Returns:
            w_plus `[B, L, w_dim]`.
        """
        x = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        for index in range(self.depth):
            x = F.leaky_relu(getattr(self, f"fc{index}")(x), 0.2) * SQRT2
        w_plus = x.unsqueeze(1).repeat(1, self.num_layers, 1)
        if truncation == 1.0:
            return w_plus
        rows = slice(0, cutoff)
        w_plus[:, rows] = torch.lerp(
            self.w_avg.expand_as(w_plus[:, rows]), w_plus[:, rows], truncation
        )
        return w_plus


class SynthesisLayer(ModulatedConv):
    """Modulated 3x3 convolution, optional up-sampling, noise, bias, leaky ReLU.

    Args:
        inputs: channels in.
        outputs: channels out.
        resolution: side of the output.
        config: the network's shape.
        up: double the side first.
    """

    noise_const: Tensor
    resample_filter: Tensor

    def __init__(
        self, inputs: int, outputs: int, resolution: int, config: StyleGAN2Config, up: bool
    ) -> None:
        super().__init__(inputs, outputs, 3, config.w_dim)
        self.up = up
        self.resolution = resolution
        self.clamp = config.conv_clamp
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.residual: Tensor | None  # one face's features, see `pivotal.anchored`
        self.residual_at: Tensor | None
        self.register_parameter("residual", None)
        self.register_parameter("residual_at", None)
        self.residual_shape = (outputs, resolution, resolution)
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.register_buffer("resample_filter", blur_kernel(1.0))

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """`[B, inputs, h, w]`, style `[B, inputs]`, noise `[*, 1, H, W]` to `[B, outputs, H, W]`"""
        dtype = x.dtype
        energy = self.derived("energy", lambda w: w.square().sum(dim=(2, 3)).t())
        # sqrt(2), the activation's gain, is folded into everything added up before it.
        demod = torch.rsqrt(style.square() @ energy + 1e-8) * SQRT2
        x = self._convolve(x * style.to(dtype)[:, :, None, None], dtype)
        # Two passes along channels-last memory beat one that mixes layouts.
        bias = self.bias.to(dtype)[:, None, None] * SQRT2
        scale = demod.to(dtype)[:, :, None, None]
        tracked = torch.is_grad_enabled() and any(t.requires_grad for t in (x, scale, bias))
        x = torch.addcmul(bias, x, scale, out=None if tracked else x)
        if noise is not None:
            x = x.add_((noise * (self.noise_strength * SQRT2)).to(dtype))
        x = F.leaky_relu_(x, 0.2)
        x = x if self.clamp is None else x.clamp(-self.clamp, self.clamp)
        return with_residual(x, self.residual, self.residual_at)

    def _convolve(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        if not self.up:
            return F.conv2d(x, self.derived(f"conv {dtype}", lambda w: packed(w, dtype)), padding=1)
        tracked = torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad)
        plainly = x.device.type == "cpu" and not tracked
        # CPUs with bf16 matrix units do four times the channels faster than a strided kernel, but
        # not where reading the weights is most of the work.
        if plainly and dtype == torch.bfloat16 and x.shape[2] >= PHASES_FROM:
            return self._up_in_phases(x, dtype)
        x = spread(x, self.parities(dtype)) if plainly else self._transposed(x, dtype)
        blur = self.resample_filter.to(dtype) * 4
        return F.conv2d(x, blur.expand(x.shape[1], 1, 4, 4), padding=1, groups=x.shape[1])

    def _transposed(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        weight = self.derived(f"up {dtype}", lambda w: packed(w.transpose(0, 1), dtype))
        return F.conv_transpose2d(x, weight, stride=2)

    def _up_in_phases(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        def phases(w: Tensor) -> Tensor:
            return packed(polyphase(w, self.resample_filter * 4).flatten(0, 2), dtype)

        x = F.conv2d(x, self.derived(f"phases {dtype}", phases), padding=1)
        x = x.unflatten(1, (2, 2, -1)).permute(0, 4, 1, 5, 2, 3)  # [B, h, 2, w, 2, C]
        return x.flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)


class ToRGB(ModulatedConv):
    """Modulated 1x1 convolution to colour, without demodulation (paper, section 3.1)."""

    def __init__(self, inputs: int, config: StyleGAN2Config) -> None:
        super().__init__(inputs, 3, 1, config.w_dim)
        self.weight_gain = 1 / math.sqrt(inputs)
        self.clamp = config.conv_clamp

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """`[B, C, H, W]`, style `[B, C]` before the weight gain -> float32 `[B, 3, H, W]`."""
        weight = self.weight[:, :, 0, 0] * (style * self.weight_gain)[:, None, :]  # [B, 3, C]
        pixels = x.permute(0, 2, 3, 1).flatten(1, 2)  # [B, H W, C]; a view when channels-last
        rgb = pixels @ weight.transpose(1, 2).to(x.dtype)
        rgb = rgb.to(torch.promote_types(x.dtype, torch.float32))
        rgb = rgb.transpose(1, 2).unflatten(2, x.shape[2:]) + self.bias[:, None, None]
        return rgb if self.clamp is None else rgb.clamp(-self.clamp, self.clamp)


class SynthesisBlock(nn.Module):
    """The layers of one resolution: conv0 (up-sampling), conv1 and toRGB; 4 px has no conv0."""

    resample_filter: Tensor

    def __init__(self, inputs: int, outputs: int, resolution: int, config: StyleGAN2Config) -> None:
        super().__init__()
        self.resolution = resolution
        self.register_buffer("resample_filter", blur_kernel(1.0))
        if inputs == 0:
            self.const = nn.Parameter(torch.randn(outputs, 4, 4))
        else:
            self.conv0 = SynthesisLayer(inputs, outputs, resolution, config, up=True)
        self.conv1 = SynthesisLayer(outputs, outputs, resolution, config, up=False)
        self.torgb = ToRGB(outputs, config)

    @property
    def convs(self) -> list[SynthesisLayer]:
        """The convolutions in order of use."""
        return [self.conv1] if self.resolution == 4 else [self.conv0, self.conv1]

    def upsample(self, image: Tensor) -> Tensor:
        """Double the side of a picture `[B, 3, h, w]` through the low-pass filter."""
        kernel = (self.resample_filter * 4).expand(3, 1, 4, 4)
        return F.conv_transpose2d(image, kernel, stride=2, padding=1, groups=3)


class SynthesisNetwork(nn.Module):
    """Styles -> picture, with skip connections from every resolution's toRGB."""

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        inputs = 0
        self.block_resolutions = config.block_resolutions
        for side, outputs in zip(config.block_resolutions, config.channels, strict=True):
            setattr(self, f"b{side}", SynthesisBlock(inputs, outputs, side, config))
            inputs = outputs

    @property
    def blocks(self) -> list[SynthesisBlock]:
        """Blocks from 4 px up."""
        return [getattr(self, f"b{side}") for side in self.block_resolutions]

    def style_layers(self) -> list[tuple[ModulatedConv, int]]:
        """Every modulated layer in network order with the row of W+ that feeds it."""
        layers: list[tuple[ModulatedConv, int]] = []
        row = 0
        for block in self.blocks:
            for conv in block.convs:
                layers.append((conv, row))
                row += 1
            layers.append((block.torgb, row))  # shares its row with the next block's conv0
        return layers

    def conv_layers(self) -> list[SynthesisLayer]:
        """The noise-carrying convolutions in order."""
        return [conv for block in self.blocks for conv in block.convs]

    def forward(
        self,
        styles: Sequence[Tensor],
        noise: Sequence[Tensor | None],
        dtype: torch.dtype = torch.float32,
        on_features: OnFeatures | None = None,
    ) -> Tensor:
        """Draw `[B, 3, H, W]` in float32; features are kept in `dtype`."""
        style, maps = iter(styles), iter(noise)
        const = self.blocks[0].const
        x = const.to(dtype).expand(styles[0].shape[0], *const.shape)
        x = x.contiguous(memory_format=torch.channels_last)
        image: Tensor | None = None
        index = 0
        for block in self.blocks:
            for conv in block.convs:
                x = conv(x, next(style), next(maps))
                x = x if on_features is None else on_features(index, x)
                index += 1
            rgb = block.torgb(x, next(style))
            image = rgb if image is None else block.upsample(image) + rgb
        assert image is not None
        return image


class StyleGAN2(nn.Module):
    """A StyleGAN2 generator; satisfies `multimodal.types.Generator`.

    Args:
        config: its shape.
        dtype: of the features while drawing (float32, or bfloat16 for speed).
    """

    family: ClassVar[str] = "stylegan2"
    spaces: ClassVar[tuple[str, ...]] = ALL_SPACES

    def __init__(self, config: StyleGAN2Config, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.config = config
        self.dtype = dtype
        self.mapping = MappingNetwork(config)
        self.synthesis = SynthesisNetwork(config)

    @property
    def resolution(self) -> int:
        """Side of the picture in pixels."""
        return self.config.resolution

    @property
    def num_layers(self) -> int:
        """Rows L of a W+ code."""
        return self.config.num_layers

    @property
    def style_dim(self) -> int:
        """Size D of a row of W+."""
        return self.config.w_dim

    @property
    def w_avg(self) -> Tensor:
        """The average code `[D]`, centre of truncation."""
        return self.mapping.w_avg

    @property
    def device(self) -> torch.device:
        """Where the weights live."""
        return self.mapping.w_avg.device

    def styles(self, w_plus: Tensor) -> list[Tensor]:
        """S-space codes of `w_plus` `[B, L, D]`: one `[B, C_i]` a modulated layer, network order,
        toRGB included, before toRGB's weight gain (Wu et al. 2021, "StyleSpace Analysis")."""
        self._check_w_plus(w_plus)
        return [layer.affine(w_plus[:, row]) for layer, row in self.synthesis.style_layers()]

    def synthesize(
        self,
        w_plus: Tensor,
        noise: NoiseMode | Sequence[Tensor] = "const",
        on_features: OnFeatures | None = None,
    ) -> Tensor:
        """Draw the faces of `w_plus` `[B, L, D]`: float32 `[B, 3, H, W]`, nominally in [-1, 1],
        not clamped. See `synthesize_styles` for `noise` and `on_features`."""
        return self.synthesize_styles(self.styles(w_plus), noise, on_features)

    def synthesize_styles(
        self,
        styles: Sequence[Tensor],
        noise: NoiseMode | Sequence[Tensor] = "const",
        on_features: OnFeatures | None = None,
    ) -> Tensor:
        """Draw from S-space codes.

        Args:
            styles: as `styles()` returns them, each `[B, C_i]`.
            noise: "const" (the stored maps), "none", "random" (fresh normals), or one map
                `[1 or B, 1, h, w]` a convolution.
            on_features: may look at or replace the features after each convolution.

        Returns:
            float32 `[B, 3, H, W]`.

        Raises:
            ValueError: wrong number of styles or noise maps, or an unknown noise mode.
        """
        expected = len(self.synthesis.style_layers())
        if len(styles) != expected:
            raise ValueError(f"{len(styles)} style vectors given, this generator takes {expected}")
        maps = self.noise_maps(noise, styles[0].shape[0])
        return self.synthesis(styles, maps, self.dtype, on_features)

    def noise_maps(
        self, noise: NoiseMode | Sequence[Tensor], batch: int = 1
    ) -> Sequence[Tensor | None]:
        """The noise of each convolution, `[1 or B, 1, h, w]`, for a mode or given maps."""
        convs = self.synthesis.conv_layers()
        if not isinstance(noise, str):
            if len(noise) != len(convs):
                raise ValueError(
                    f"{len(noise)} noise maps given, this generator takes {len(convs)}"
                )
            return list(noise)
        if noise == "none":
            return [None] * len(convs)
        if noise == "const":
            return [conv.noise_const[None, None] for conv in convs]
        if noise == "random":
            return [
                torch.randn(batch, 1, conv.resolution, conv.resolution, device=self.device)
                for conv in convs
            ]
        raise ValueError(f"noise mode {noise!r} is not one of 'const', 'none', 'random'")

    def sample(self, n: int, seed: int, truncation: float = 0.7) -> Latent:
        """`n` random codes; the first k are the same whatever `n` (drawn on the CPU)."""
        source = torch.Generator().manual_seed(check_seed(seed))
        z = torch.randn(n, self.config.z_dim, generator=source).to(self.device)
        return Latent(self.mapping(z, truncation=truncation))

    def forward(self, w_plus: Tensor) -> Tensor:
        """Same as `synthesize(w_plus)`."""
        return self.synthesize(w_plus)

    def _check_w_plus(self, w_plus: Tensor) -> None:
        if w_plus.ndim != 3 or w_plus.shape[1:] != (self.num_layers, self.style_dim):
            raise ValueError(
                f"w_plus has shape {tuple(w_plus.shape)}, "
                f"expected [B, {self.num_layers}, {self.style_dim}]"
            )
