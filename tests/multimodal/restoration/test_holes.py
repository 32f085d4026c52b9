"""Light goes on into a hole from what shows the same beside it, and from nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from multimodal.restoration.holes import filled

SIDE = 64


@pytest.fixture(scope="module")
def missing() -> Tensor:
    found = torch.zeros(1, 1, SIDE, SIDE)
    found[..., 16:48, 16:48] = 1
    return found


def test_a_drawing_takes_the_light_of_the_photo(missing: Tensor) -> None:
    drawn, photo = torch.zeros(1, 3, SIDE, SIDE), torch.full((1, 3, SIDE, SIDE), 0.2)
    found = filled(drawn, photo * (1 - missing), missing)
    assert float((found - 0.2).abs().max()) < 0.02


def test_what_shows_something_else_does_not_glow_into_the_hole(missing: Tensor) -> None:
    drawn, photo = torch.zeros(1, 3, SIDE, SIDE), torch.full((1, 3, SIDE, SIDE), 0.1)
    photo[..., 45:] = 1.0  # a bright wall where the drawing has a face
    found = filled(drawn, photo * (1 - missing), missing)
    assert float((found[..., 24:40, 20:34] - 0.1).abs().max()) < 0.1
    assert float(found[..., 28:36, 47].mean()) > 0.5  # at the border it does go on
    assert torch.equal(found[..., :16, :], photo[..., :16, :])


def test_where_nothing_fits_all_is_believed(missing: Tensor) -> None:
    drawn, photo = torch.full((1, 3, SIDE, SIDE), -1.0), torch.ones(1, 3, SIDE, SIDE)
    found = filled(drawn, photo * (1 - missing), missing)
    assert float((found - 1).abs().max()) < 0.1
