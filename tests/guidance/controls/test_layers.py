"""Layer groups."""

from __future__ import annotations

import pytest

from guidance.controls.layers import layer_mask


@pytest.mark.parametrize(
    ("layers", "rows"),
    [
        (None, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("all", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("medium", [4, 5, 6, 7]),
        (["coarse", "9"], [0, 1, 2, 3, 9]),
        ([0, -1], [0, 9]),
        ("3-5", [3, 4, 5]),
        ("0-2,7", [0, 1, 2, 7]),
    ],
)
def test_masks(layers: object, rows: list[int]) -> None:
    mask = layer_mask(layers, 10)  # type: ignore[arg-type]
    assert mask.shape == (1, 10, 1)
    assert mask.flatten().nonzero().flatten().tolist() == rows


@pytest.mark.parametrize("layers", ["hair", [12], "8-12", "x-y", "", [-11], []])
def test_unknown_layers_are_refused(layers: object) -> None:
    with pytest.raises(ValueError, match="layers"):
        layer_mask(layers, 10)  # type: ignore[arg-type]


def test_small_networks_have_three_groups_too() -> None:
    masks = [layer_mask(name, 8).flatten() for name in ("coarse", "medium", "fine")]
    assert all(mask.any() for mask in masks)
    assert sum(masks).tolist() == [1.0] * 8  # type: ignore[union-attr]
