"""Layer groups of W+: which rows an edit may touch."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from multimodal import latents

Layers = Sequence[int | str] | str | None


def layer_mask(layers: Layers, rows: int) -> Tensor:
    """`[1, rows, 1]` of ones and zeros.

    Args:
        layers: as `multimodal.latents.parse_layers` takes them: None for all; a group's name, a
            row, a span or several ("coarse,9", "0-3"); or a sequence of such.
        rows: rows L of W+.

    Raises:
        ValueError: an unknown name or a row that does not exist.
    """
    return latents.layer_mask(layers, rows)
