"""Objects made at their first use."""

from __future__ import annotations

import copy

import pytest
import torch

from multimodal.files.lazy import Lazy


def test_is_made_once_at_the_first_use() -> None:
    made: list[torch.nn.Linear] = []
    lazy = Lazy(lambda: made.append(torch.nn.Linear(2, 3)) or made[0])
    assert not lazy.loaded
    assert copy.copy(lazy) is not lazy
    assert made == []
    assert lazy.out_features == 3
    assert lazy(torch.zeros(1, 2)).shape == (1, 3)
    assert lazy.loaded
    assert len(made) == 1


def test_what_making_raises_is_raised_and_tried_again() -> None:
    answers = iter([ValueError("cut off"), "there"])

    def make() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    lazy = Lazy(make)
    with pytest.raises(ValueError, match="cut off"):
        lazy.upper()
    assert lazy.upper() == "THERE"
