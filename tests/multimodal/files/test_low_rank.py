"""A network as what differs from another: how near it comes back, and how small it is."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from multimodal.files.low_rank import added, difference


def _networks(rank: int, seed: int = 0) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A network, and it after a fine-tuning that moved its kernel along `rank` directions."""
    source = torch.Generator().manual_seed(seed)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=source)

    before = {"conv": noise(96, 24, 3, 3), "bias": noise(96), "steps": torch.tensor(3)}
    moved = 0.01 * (noise(96, rank) @ noise(rank, 216)).view(96, 24, 3, 3)
    after = {"conv": before["conv"] + moved, "bias": before["bias"] + 0.1, "steps": before["steps"]}
    return before, after


@settings(max_examples=10, deadline=None)
@given(rank=st.integers(1, 8), seed=st.integers(0, 1000))
def test_a_difference_of_few_directions_comes_back(rank: int, seed: int) -> None:
    before, after = _networks(rank, seed)
    kept = difference(before, after, share=0.9999)
    back = added(before, kept)
    moved = after["conv"] - before["conv"]
    assert float((back["conv"] - after["conv"]).norm() / moved.norm()) < 0.03
    torch.testing.assert_close(back["bias"], after["bias"], atol=1e-3, rtol=0)
    assert torch.equal(back["steps"], before["steps"])
    assert sum(t.numel() * t.element_size() for t in kept.values()) < 0.2 * moved.numel() * 4


def test_the_share_that_is_asked_for_is_kept() -> None:
    before, after = _networks(rank=64)
    moved = after["conv"] - before["conv"]
    for share in (0.5, 0.9):
        lost = added(before, difference(before, after, share))["conv"] - after["conv"]
        assert 1 - share - 0.1 < float((lost.norm() / moved.norm()).square()) < 1 - share + 0.01


def test_what_did_not_move_is_not_kept_and_dtypes_stay() -> None:
    before, after = _networks(rank=2)
    half = {"conv": before["conv"].half(), "bias": before["bias"], "steps": before["steps"]}
    assert difference(half, half) == {}
    back = added(half, difference(half, {**half, "conv": after["conv"].half()}))
    assert back["conv"].dtype == torch.float16
    assert back["bias"] is half["bias"]


def test_networks_that_do_not_fit_are_refused() -> None:
    before, after = _networks(rank=2)
    with pytest.raises(ValueError, match="names or shapes"):
        difference(before, {"conv": after["conv"]})
    with pytest.raises(ValueError, match="share"):
        difference(before, after, share=0)
    kept = difference(before, after)
    with pytest.raises(ValueError, match="'conv', which the network does not have"):
        added({"bias": before["bias"]}, kept)
    with pytest.raises(ValueError, match="'conv' does not fit"):
        added(before | {"conv": torch.ones(3, 3)}, kept)
    with pytest.raises(ValueError, match="'conv' does not fit"):
        added(before, {k: v for k, v in kept.items() if "right" not in k})


def test_a_small_file_cannot_ask_for_a_large_matrix() -> None:
    before, _ = _networks(rank=2)
    side = {"": torch.ones(1, 10**6, dtype=torch.int8), ".scales": torch.ones(1)}
    kept = {f"conv.{where}{end}": part for where in ("left", "right") for end, part in side.items()}
    with pytest.raises(ValueError, match="does not fit"):
        added(before, kept)
    with pytest.raises(ValueError, match="does not fit"):
        added(before, {"steps.left": torch.ones(1, 1), "steps.right": torch.ones(1, 1)})


def test_numbers_that_are_not_finite_are_refused() -> None:
    before, after = _networks(rank=2)
    kept = difference(before, after)
    for name in ("conv.left.scales", "bias.whole"):
        with pytest.raises(ValueError, match="not finite"):
            added(before, kept | {name: torch.full_like(kept[name], float("nan"))})
