"""Layer groups of W+: which rows an edit may touch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

GROUPS: dict[str, tuple[int, int | None]] = {
    "coarse": (0, 4),
    "medium": (4, 8),
    "fine": (8, None),
    "all": (0, None),
}
"""Rows of each group: pose and shape, features and hair, colours (Karras et al. 2019)."""

Layers = Sequence[int | str] | str | None


def layer_mask(layers: Layers, rows: int) -> Tensor:
    """`[1, rows, 1]` of ones and zeros.

    Args:
        layers: None for all; a group's name; or a sequence of names, indices (negative ones count
            from the end) and spans such as "3-6".
        rows: rows L of W+.

    Raises:
        ValueError: an unknown name or a row that does not exist.
    """
    if layers is None:
        return torch.ones(1, rows, 1)
    mask = torch.zeros(1, rows, 1)
    for item in [layers] if isinstance(layers, str) else layers:
        start, stop = _span(item, rows)
        mask[:, start:stop] = 1
    return mask


def _span(item: int | str, rows: int) -> tuple[int, int]:
    if isinstance(item, str) and item in GROUPS:
        start, stop = GROUPS[item]
        return start, rows if stop is None else min(stop, rows)
    try:
        first, last = _numbers(item)
    except ValueError:
        raise ValueError(
            f"layers {item!r} is neither a row, a span such as '3-6', nor one of {sorted(GROUPS)}"
        ) from None
    first, last = (i + rows if i < 0 else i for i in (first, last))
    if not 0 <= first <= last < rows:
        raise ValueError(f"layers {item!r} reach outside rows 0..{rows - 1}")
    return first, last + 1


def _numbers(item: int | str) -> tuple[int, int]:
    if isinstance(item, int):
        return item, item
    first, dash, last = item.strip().partition("-")
    return (int(first), int(last)) if dash and first else (int(item), int(item))
