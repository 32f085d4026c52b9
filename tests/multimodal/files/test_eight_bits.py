"""Matrices in 8 bits: how much rounding costs, and what is refused."""

from __future__ import annotations

import pytest
import torch

from multimodal.files.eight_bits import SCALES, restored, rounded


def test_rounding_costs_less_than_a_hundredth_of_each_row() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(16, 8, 3, 3) * torch.logspace(-6, 3, 16)[:, None, None, None]
    stored = rounded("weight", matrix)
    assert stored["weight"].dtype == torch.int8
    assert stored["weight"].shape == matrix.shape
    back = restored(stored)
    assert set(back) == {"weight"}
    lost = (back["weight"] - matrix).flatten(1).norm(dim=1) / matrix.flatten(1).norm(dim=1)
    assert float(lost.max()) < 0.01


def test_rows_of_zeros_and_other_tensors_stay() -> None:
    stored = rounded("a", torch.zeros(2, 3)) | {"bias": torch.ones(4), "step": torch.tensor(7)}
    back = restored(stored)
    assert torch.equal(back["a"], torch.zeros(2, 3))
    assert torch.equal(back["bias"], torch.ones(4))
    assert back["step"].dtype == torch.int64


@pytest.mark.parametrize("shape", [(3,), (2, 1)])
def test_scales_that_fit_nothing_are_refused(shape: tuple[int, ...]) -> None:
    stored = rounded("a", torch.ones(2, 3)) | {"a" + SCALES: torch.ones(shape)}
    with pytest.raises(ValueError, match="scales of 'a'"):
        restored(stored)
    with pytest.raises(ValueError, match="scales of 'b'"):
        restored({"b" + SCALES: torch.ones(2)})
