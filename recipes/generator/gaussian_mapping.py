"""A mapping network that draws codes from a Gaussian, written down instead of trained.

StyleGAN2's mapping ends in a leaky ReLU, whose inverse bends where a coordinate of w changes its
sign. One hidden unit a coordinate makes up for the bend: with slope 0.2, `w if w > 0 else 5 w` is
`6 w - 5 lrelu(w)`. The layers before only pass z on, lifted so far that their own leaky ReLUs
do not bend it. Training starts from here with the codes' mean and covariance already right, so
that a short one cannot lose the differences between faces.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from multimodal.generators.stylegan2 import EqualLinear, MappingNetwork

SLOPE = 0.2
LIFT = 5.0
"""Added to normals so that they stay positive."""


@torch.no_grad()
def write_gaussian(
    mapping: MappingNetwork, mean: Tensor, axes: Tensor, scale: Tensor, passed: int = 128
) -> None:
    """Make `mapping` draw `mean + (z * scale) @ axes.T`, in place.

    Args:
        mapping: three layers or more, as wide as a code.
        mean: `[D]`.
        axes: `[D, D]`, columns by falling scale.
        scale: `[D]`, standard deviations along them.
        passed: axes that are kept, at most half of the width; the rest varies too little to see.

    Raises:
        ValueError: the network is too shallow.
    """
    layers: list[EqualLinear] = [getattr(mapping, f"fc{i}") for i in range(mapping.depth)]
    width, inputs = layers[0].weight.shape
    if mapping.depth < 3:
        raise ValueError(f"a mapping of {mapping.depth} layers cannot be written; it takes three")
    passed = min(passed, inputs, width // 2)
    first = torch.eye(width, inputs)
    _write(layers[0], first, torch.full((width,), LIFT))
    for layer in layers[1:-2]:
        _write(layer, torch.eye(width), torch.zeros(width))
    spread = (axes * scale)[:, :passed].cpu()  # [D, passed]
    mean = mean.cpu()
    # The coordinates likeliest to change their sign get the units that are left.
    certain = mean.abs() / spread.norm(dim=1).clamp(min=1e-9)
    bent = certain.argsort()[: width - passed]
    rows, shift = torch.zeros(width, width), torch.zeros(width)
    rows[:passed, :passed] = torch.eye(passed)
    rows[passed : passed + len(bent), :passed] = spread[bent]
    shift[passed : passed + len(bent)] = mean[bent] - LIFT * spread[bent].sum(dim=1)
    _write(layers[-2], rows, shift)
    gain = torch.where(mean > 0, 1.0, 1 / SLOPE)
    gain[bent] = 1 + 1 / SLOPE
    last = torch.zeros(len(mean), width)
    last[:, :passed] = gain[:, None] * spread
    last[bent, passed + torch.arange(len(bent))] = -1 / SLOPE
    _write(layers[-1], last, gain * (mean - LIFT * spread.sum(dim=1)))


def _write(layer: EqualLinear, weight: Tensor, bias: Tensor) -> None:
    """Set a layer so that, after its leaky ReLU of gain sqrt(2), it gives `lrelu(x W^T + b)`."""
    gain = math.sqrt(2.0)
    layer.weight.copy_(weight / (layer.weight_gain * gain))
    layer.bias.copy_(bias / (layer.bias_gain * gain))
