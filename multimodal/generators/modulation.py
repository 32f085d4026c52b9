"""The pieces under StyleGAN2's layers: equalised weights, their derived forms, the blur."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BLUR_TAPS = (1.0, 3.0, 3.0, 1.0)
"""The low-pass filter of StyleGAN2's up-sampling, applied along rows and columns."""
STILL = 3.0
"""How fast what was added to a layer's features goes where an edit moves them."""


def blur_kernel(gain: float = 4.0) -> Tensor:
    """The 4x4 low-pass kernel `[4, 4]`; gain 4 makes up for the zeros of up-sampling by two."""
    taps = torch.tensor(BLUR_TAPS)
    return torch.outer(taps, taps) * (gain / taps.sum() ** 2)


class EqualLinear(nn.Module):
    """Fully connected layer with an equalised learning rate (Karras et al. 2018, section 4.1).

    Args:
        inputs: features in.
        outputs: features out.
        bias: initial bias.
        lr_multiplier: factor on the effective weight and bias.
    """

    def __init__(
        self, inputs: int, outputs: int, bias: float = 0.0, lr_multiplier: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias / lr_multiplier))
        self.weight_gain = lr_multiplier / math.sqrt(inputs)
        self.bias_gain = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """`[B, inputs] -> [B, outputs]`."""
        return F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)


class ModulatedConv(nn.Module):
    """Weights, style affine and the constants derived from them; shared by conv and toRGB layers.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: side of the kernel.
        w_dim: size of a code.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, w_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.affine = EqualLinear(w_dim, inputs, bias=1.0)
        self._derived: dict[str, tuple[Tensor, int, Tensor]] = {}

    def derived(self, name: str, make: Callable[[Tensor], Tensor]) -> Tensor:
        """`make(weight)`, kept while the weight is frozen and unchanged."""
        if self.weight.requires_grad:
            return make(self.weight)
        weight = self.weight
        version = 0 if weight.is_inference() else weight._version
        kept = self._derived.get(name)
        if kept is None or kept[0] is not weight or kept[1] != version:
            with torch.inference_mode(False), torch.no_grad():
                kept = (weight, version, make(weight))
            self._derived[name] = kept
        return kept[2]

    def parities(self, dtype: torch.dtype) -> list[Tensor]:
        """The weight's `strided_taps` for each of `PARITIES`."""

        def taps(row: int, column: int) -> Tensor:
            name = f"taps {row} {column} {dtype}"
            return self.derived(name, lambda w: packed(strided_taps(w, row, column), dtype))

        return [taps(*parity) for parity in PARITIES]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_derived": {}}  # a copy may be given other weights

    def _apply(self, *args: object, **kwargs: object) -> ModulatedConv:
        self._derived.clear()
        super()._apply(*args, **kwargs)  # type: ignore[arg-type]
        return self


def polyphase(weight: Tensor, blur: Tensor) -> Tensor:
    """Up-sampling by two, convolution and blur as four convolutions at the low resolution.

    Args:
        weight: `[O, I, 3, 3]`.
        blur: symmetric low-pass filter `[4, 4]`.

    Returns:
        `[2, 2, O, I, 3, 3]`: the kernel of each (row, column) phase of the output, padding 1.
    """
    outputs, inputs = weight.shape[:2]
    both = F.conv2d(weight.reshape(-1, 1, 3, 3), blur.to(weight)[None, None], padding=3)
    both = both.view(outputs, inputs, 3, 2, 3, 2).flip(2, 4)
    return both.permute(3, 5, 0, 1, 2, 4)


PARITIES = tuple((row, column) for row in (0, 1) for column in (0, 1))
"""Rows and columns of a doubled picture: even or odd."""


def strided_taps(weight: Tensor, row: int, column: int) -> Tensor:
    """What a 3x3 kernel `[O, I, 3, 3]` of a transposed convolution with stride two adds to the
    rows and columns of one parity: `[O, I, 1 or 2, 1 or 2]`."""
    taps = ([2, 0], [1])
    return weight[:, :, taps[row]][:, :, :, taps[column]]


def spread(x: Tensor, kernels: Sequence[Tensor]) -> Tensor:
    """A transposed convolution with stride two, as a plain one for each parity of rows and columns.

    On CPUs plain kernels do the same sums a fifth faster than the strided one, but not backwards.

    Args:
        x: `[B, I, h, w]`.
        kernels: `strided_taps` for each of `PARITIES`.

    Returns:
        `[B, O, 2 h + 1, 2 w + 1]`, channels-last.
    """
    batch, _, height, width = x.shape
    channels = kernels[0].shape[0]
    out = x.new_empty(batch, 2 * height + 1, 2 * width + 1, channels).permute(0, 3, 1, 2)
    for (row, column), kernel in zip(PARITIES, kernels, strict=True):
        out[:, :, row::2, column::2] = F.conv2d(x, kernel, padding=(1 - row, 1 - column))
    return out


def packed(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Weights in the features' type, laid out channels-last."""
    return weight.to(dtype).contiguous(memory_format=torch.channels_last)


def with_residual(x: Tensor, residual: Tensor | None, at: Tensor | None) -> Tensor:
    """Features `[B, C, H, W]` with those of one face added, `[C, H, W]` or None: everywhere, or
    where they are still near `at` `[C, H, W]`, the less the further an edit moves them."""
    if residual is None:
        return x
    if at is None:
        return x + residual.to(x.dtype)
    moved = (x.float() - at).square().mean(dim=1, keepdim=True) / at.square().mean()
    still = torch.exp(-STILL * F.avg_pool2d(moved, 3, 1, 1))
    return x + residual.to(x.dtype) * still.to(x.dtype)
