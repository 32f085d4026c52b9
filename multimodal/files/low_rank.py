"""A fine-tuned network as what differs from the one it began as.

Fine-tuning moves a matrix of weights along few directions (Hu et al. 2021, "LoRA"), so the
difference is kept as the product of two thin matrices in 8 bits each: a tenth of the network.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from multimodal.files.eight_bits import restored, rounded

SHARE = 0.9
"""Of the squared difference that the thin matrices must hold."""
SMALL = 4096
"""Tensors of so many numbers or fewer are kept whole."""
LEFT, RIGHT, WHOLE = ".left", ".right", ".whole"


def difference(
    before: Mapping[str, Tensor], after: Mapping[str, Tensor], share: float = SHARE
) -> dict[str, Tensor]:
    """What must be added to one network's weights to get another's, in few bytes.

    Args:
        before: float tensors by name, and counters that training leaves alone.
        after: the same names and shapes.
        share: of each matrix's squared difference, in (0, 1], that is kept.

    Returns:
        tensors for `added`: thin matrices of what changed, small tensors whole in float16.

    Raises:
        ValueError: other names or shapes, or a share out of its range.
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share of {share} is not in (0, 1]")
    if {k: v.shape for k, v in before.items()} != {k: v.shape for k, v in after.items()}:
        raise ValueError("the two networks have tensors of other names or shapes")
    kept: dict[str, Tensor] = {}
    for name, old in before.items():
        moved = after[name].float() - old.float()
        if not bool(moved.any()):
            continue
        if moved.ndim < 2 or moved.numel() <= SMALL:
            kept[name + WHOLE] = moved.half()
        else:
            kept |= _thin(name, moved.flatten(1), share)
    return kept


def added(before: Mapping[str, Tensor], kept: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The fine-tuned network's weights, each of the dtype that it had before.

    Args:
        before: tensors by name.
        kept: what `difference` gave.

    Raises:
        ValueError: a difference of tensors that `before` lacks, or of other shapes.
    """
    found, out = restored(kept), dict(before)
    for name in sorted({name.rsplit(".", 1)[0] for name in found}):
        if name not in before:
            raise ValueError(f"a difference of {name!r}, which the network does not have")
        moved = _moved(name, found, before[name].shape)
        out[name] = (before[name].float() + moved).to(before[name].dtype)
    return out


def _thin(name: str, moved: Tensor, share: float) -> dict[str, Tensor]:
    """The least number of singular vectors that hold the share, half of each value to a side."""
    left, values, right = torch.linalg.svd(moved, full_matrices=False)
    held = values.square().cumsum(0) / values.square().sum()
    rank = min(int((held < share).sum()) + 1, len(values))
    roots = values[:rank].sqrt()[:, None]
    sides = {name + LEFT: left[:, :rank].T * roots, name + RIGHT: right[:rank] * roots}
    return {
        key: part for side, matrix in sides.items() for key, part in rounded(side, matrix).items()
    }


def _moved(name: str, found: Mapping[str, Tensor], shape: torch.Size) -> Tensor:
    """The difference of one tensor; its size is known to fit before it is multiplied out."""
    nothing = torch.empty(0)
    whole, left, right = (found.get(name + side, nothing) for side in (WHOLE, LEFT, RIGHT))
    if name + WHOLE in found:
        sides, fits = [whole], whole.shape == shape
    else:
        sides, fits = [left, right], len(shape) > 1 and left.ndim == right.ndim == 2
        fits = fits and len(left) == len(right) and left.shape[1] == shape[0]
        fits = fits and right.shape[1] * shape[0] == shape.numel()
    if not fits or not all(bool(side.isfinite().all()) for side in sides):
        raise ValueError(f"the difference of {name!r} does not fit it, or is not finite")
    return whole.float() if name + WHOLE in found else (left.T @ right).view(shape)
