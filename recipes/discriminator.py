"""StyleGAN2's residual discriminator (Karras et al. 2020, figure 7) and its losses."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.generators.stylegan2 import SQRT2, EqualLinear, blur_kernel


class EqualConv(nn.Module):
    """Convolution with an equalised learning rate, optional low-pass and halving, leaky ReLU."""

    blur: Tensor

    def __init__(
        self, inputs: int, outputs: int, kernel: int, down: bool = False, active: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if active else None
        self.gain = 1 / math.sqrt(inputs * kernel**2)
        self.down, self.pad = down, kernel // 2
        self.register_buffer("blur", blur_kernel(1.0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, inputs, h, w] -> [B, outputs, h or h/2, ...]`."""
        weight = (self.weight * self.gain).to(x.dtype)
        weight = weight.contiguous(memory_format=torch.channels_last)
        if self.down:
            kernel = self.blur.to(x.dtype).expand(x.shape[1], 1, 4, 4)
            pad = self.pad + 1
            x = F.conv2d(x, kernel, padding=pad, groups=x.shape[1])
            x = F.conv2d(x, weight, stride=2)
        else:
            x = F.conv2d(x, weight, padding=self.pad)
        if self.bias is None:
            return x
        return F.leaky_relu(x + self.bias.to(x.dtype)[:, None, None], 0.2) * SQRT2


class ResidualBlock(nn.Module):
    """Two convolutions and a skip, halving the side."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv0 = EqualConv(inputs, inputs, 3)
        self.conv1 = EqualConv(inputs, outputs, 3, down=True)
        self.skip = EqualConv(inputs, outputs, 1, down=True, active=False)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, inputs, h, w] -> [B, outputs, h/2, w/2]`."""
        return (self.conv1(self.conv0(x)) + self.skip(x)) / SQRT2


class Discriminator(nn.Module):
    """Real or drawn? One logit a picture.

    Args:
        resolution: side of the pictures.
        channels: channels from 4 px up, as in the generator's config.
        dtype: of the features.
        group: pictures compared by the minibatch standard deviation.
    """

    def __init__(
        self,
        resolution: int,
        channels: tuple[int, ...],
        dtype: torch.dtype = torch.float32,
        group: int = 4,
    ) -> None:
        super().__init__()
        self.dtype, self.group = dtype, group
        self.from_rgb = EqualConv(3, channels[-1], 1)
        pairs = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.blocks = nn.ModuleList(ResidualBlock(a, b) for a, b in pairs)
        width = channels[0]
        self.conv = EqualConv(width + 1, width, 3)
        self.dense = EqualLinear(width * 16, width)
        self.out = EqualLinear(width, 1)
        assert resolution == 4 * 2 ** len(self.blocks)

    def forward(self, images: Tensor) -> Tensor:
        """`[B, 3, R, R]` in [-1, 1] -> logits `[B]`."""
        x = images.to(self.dtype).contiguous(memory_format=torch.channels_last)
        x = self.from_rgb(x)
        for block in self.blocks:
            x = block(x)
        x = self.conv(torch.cat([x, _minibatch_deviation(x, self.group)], dim=1))
        x = F.leaky_relu(self.dense(x.float().flatten(1)), 0.2) * SQRT2
        return self.out(x).squeeze(1)


def _minibatch_deviation(x: Tensor, group: int) -> Tensor:
    """Mean deviation within groups of pictures, as one more channel (Karras et al. 2018)."""
    batch, _, height, width = x.shape
    group = math.gcd(group, batch)
    groups = x.float().reshape(group, batch // group, -1)
    spread = groups.var(dim=0, unbiased=False).add(1e-8).sqrt().mean(dim=1)
    return spread.repeat(group)[:, None, None, None].expand(-1, 1, height, width).to(x.dtype)


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Non-saturating loss (Goodfellow et al. 2014)."""
    return F.softplus(-fake_logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Logistic loss of the discriminator."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def r1_penalty(discriminator: nn.Module, real: Tensor) -> Tensor:
    """Mean squared gradient at real pictures (Mescheder et al. 2018, equation 9)."""
    real = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()
