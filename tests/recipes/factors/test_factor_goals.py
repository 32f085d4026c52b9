"""How far a factor goes, and where."""

from __future__ import annotations

import pytest
import torch

from guidance.clip import OpenClip
from guidance.methods.factor_moves import FactorMoves
from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from multimodal.recognition.judge import Judge, JudgeConfig
from recipes.clip.clip_model import ClipConfig, new_clip
from recipes.factors import factor_goals
from recipes.factors.attributes import NAMES
from recipes.factors.factor_goals import AMOUNTS, ROWS, Trial
from recipes.factors.factor_words import factor_moves
from tests.tiny_text import tiny_sentence_model

FULL = ("beard", "full")


def _trial(share: float, identity: float, amount: float = 1.0) -> Trial:
    return Trial((0, None), amount, share, identity)


def test_the_least_amount_that_shows() -> None:
    assert factor_goals.least([0.2, 0.6, 0.95]) == 2
    assert factor_goals.least([0.1, 0.5, 0.55] + [0.4] * (len(AMOUNTS) - 3)) == 1
    assert AMOUNTS[factor_goals.least([0.0] * len(AMOUNTS))] == 1.0


def test_rows_that_show_it_and_keep_the_person_are_best() -> None:
    few, kept, lost = _trial(0.5, 0.99), _trial(0.9, 0.8), _trial(1.0, 0.6)
    assert factor_goals.best([lost, few, kept]) is kept
    hardly, never = _trial(0.2, 0.9), _trial(0.0, 1.0)
    assert factor_goals.best([never, hardly]) is hardly
    assert factor_goals.best([never, _trial(0.0, 0.5)]) is never


def test_row_masks() -> None:
    assert factor_goals.row_mask((2, 4), 6).tolist() == [0, 0, 1, 1, 0, 0]
    assert factor_goals.row_mask((6, None), 6).tolist() == [1] * 6


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> OpenClip:
    config = ClipConfig(image_tower="test_resnet", image_size=32, dim=16, context_length=48)
    return new_clip(tiny_sentence_model(tmp_path_factory.mktemp("text")), config)


@pytest.fixture
def moves(clip: OpenClip) -> FactorMoves:
    weight = torch.randn(64, len(NAMES), generator=torch.Generator().manual_seed(0))
    return factor_moves(clip, weight, torch.zeros(len(NAMES)), 8)


@pytest.fixture(scope="module")
def generator() -> StyleGAN2:
    torch.manual_seed(0)
    return StyleGAN2(StyleGAN2Config(32, (8, 8, 8, 8), w_dim=64, z_dim=64))


def _colours(images: torch.Tensor) -> torch.Tensor:
    """Identity vectors of a kind: the mean colours of the corners."""
    return torch.nn.functional.normalize(images[..., :2, :2].flatten(1), dim=1)


class _Late(Judge):
    """Sees a full beard from its fifth look on."""

    def __init__(self) -> None:
        super().__init__(JudgeConfig({"beard": ("none", "full")}, 32, 32))
        self.looks = 0

    def read(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        self.looks += 1
        seen = torch.full((len(images),), float(self.looks >= 5))
        return {"beard": torch.stack([1 - seen, seen], dim=1)}


def test_goals_go_as_far_as_it_takes_to_show(
    moves: FactorMoves, generator: StyleGAN2, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factor_goals, "ROWS", ROWS[:1])
    found = factor_goals.calibrated(moves, _Late(), _colours, generator, 2)
    changed = (found.goals != moves.goals).any(dim=1).nonzero().flatten().tolist()
    assert {moves.names[i] for i in changed} == {": ".join(FULL)}
    # Its first look is at "none", which shows; then one at rest, and three at amounts.
    row = changed[0]
    expected = torch.lerp(moves.rests[row], moves.goals[row], AMOUNTS[2])
    torch.testing.assert_close(found.goals[row], expected)
