"""A plain StyleGAN2 synthesis to measure against: what most PyTorch code does.

One weight per sample (modulated, demodulated, grouped convolution) and `upfirdn` spelled out with
zero insertion, padding and a depthwise convolution, NCHW throughout. It reads the weights of our
`StyleGAN2`, so both draw the same picture.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal.generators.stylegan2 import (
    SQRT2,
    StyleGAN2,
    SynthesisBlock,
    SynthesisLayer,
    ToRGB,
)


def synthesize(model: StyleGAN2, w_plus: Tensor) -> Tensor:
    """The faces of `w_plus` `[B, L, D]` as `[B, 3, H, W]`, stored noise."""
    const = model.synthesis.blocks[0].const
    x = const[None].repeat(len(w_plus), 1, 1, 1)
    image: Tensor | None = None
    row = 0
    for block in model.synthesis.blocks:
        for conv in block.convs:
            x = _layer(conv, x, conv.affine(w_plus[:, row]))
            row += 1
        rgb = _to_rgb(block.torgb, x, block.torgb.affine(w_plus[:, row]))
        image = rgb if image is None else _upsampled(block, image) + rgb
    assert image is not None
    return image


def upfirdn(x: Tensor, kernel: Tensor, up: int, pad: tuple[int, int], gain: float) -> Tensor:
    """Insert zeros, pad, filter: `[B, C, h, w]` to `[B, C, h up + sum(pad) - 3, ...]`."""
    batch, channels, height, width = x.shape
    x = x.reshape(batch, channels, height, 1, width, 1)
    x = F.pad(x, [0, up - 1, 0, 0, 0, up - 1])
    x = x.reshape(batch, channels, height * up, width * up)
    x = F.pad(x, [*pad, *pad])
    weight = (kernel * gain).flip((0, 1))[None, None].repeat(channels, 1, 1, 1)
    return F.conv2d(x, weight, groups=channels)


def _layer(layer: SynthesisLayer, x: Tensor, style: Tensor) -> Tensor:
    x = _modulated(x, layer.weight, style, layer.up, layer.resample_filter)
    x = x + layer.noise_const * layer.noise_strength
    x = x + layer.bias[None, :, None, None]
    x = F.leaky_relu(x, 0.2) * SQRT2
    return x if layer.clamp is None else x.clamp(-layer.clamp, layer.clamp)


def _modulated(x: Tensor, weight: Tensor, style: Tensor, up: bool, kernel: Tensor) -> Tensor:
    batch, inputs = style.shape
    outputs, side = weight.shape[0], x.shape[2]
    per_sample = weight[None] * style[:, None, :, None, None]
    demod = (per_sample.square().sum(dim=(2, 3, 4)) + 1e-8).rsqrt()
    per_sample = per_sample * demod[:, :, None, None, None]
    x = x.reshape(1, batch * inputs, side, side)
    if up:
        turned = per_sample.transpose(1, 2).reshape(batch * inputs, outputs, 3, 3)
        x = F.conv_transpose2d(x, turned, stride=2, groups=batch)
        x = upfirdn(x, kernel, 1, (1, 1), 4.0)
    else:
        grouped = per_sample.reshape(batch * outputs, inputs, 3, 3)
        x = F.conv2d(x, grouped, padding=1, groups=batch)
    return x.reshape(batch, outputs, *x.shape[2:])


def _to_rgb(layer: ToRGB, x: Tensor, style: Tensor) -> Tensor:
    batch, inputs = style.shape
    weight = layer.weight[None] * (style * layer.weight_gain)[:, None, :, None, None]
    grouped = weight.reshape(batch * 3, inputs, 1, 1)
    rgb = F.conv2d(x.reshape(1, -1, *x.shape[2:]), grouped, groups=batch)
    rgb = rgb.reshape(batch, 3, *x.shape[2:]) + layer.bias[:, None, None]
    return rgb if layer.clamp is None else rgb.clamp(-layer.clamp, layer.clamp)


def _upsampled(block: SynthesisBlock, image: Tensor) -> Tensor:
    return upfirdn(image, block.resample_filter, 2, (2, 1), 4.0)


def gradient(model: StyleGAN2, w_plus: Tensor) -> Tensor:
    """One inversion step's work: the gradient of the mean square of the picture, `[B, L, D]`."""
    given = w_plus.detach().requires_grad_()
    (found,) = torch.autograd.grad(synthesize(model, given).square().mean(), given)
    return found
