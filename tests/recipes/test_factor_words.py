"""Classes, their words and their factors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from guidance.factors import FactorMoves
from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from multimodal.judge import Judge, JudgeConfig
from recipes import factor_words
from recipes.attributes import NAMES
from recipes.clip_model import ClipConfig, new_clip
from recipes.clip_words import class_prompts
from tests.tiny_text import tiny_sentence_model


def test_every_class_of_a_face_has_factors() -> None:
    of_the_picture = {"light", "background"}
    named = {(a, v) for a, classes in class_prompts().items() for v in classes}
    assert {one for one in named if one[0] not in of_the_picture} == set(factor_words.CLASSES)


def test_classes_speak_of_their_own_factors() -> None:
    mask = factor_words.mask_of(("beard",))
    assert {n for n, m in zip(NAMES, mask.tolist(), strict=True) if m} == {
        n for n in NAMES if n.startswith("beard")
    }
    for parts, _ in factor_words.CLASSES.values():
        assert 0 < int(factor_words.mask_of(parts).sum()) < len(NAMES) / 2


def test_moves_of_a_clip(tmp_path: Path) -> None:
    config = ClipConfig(image_tower="test_resnet", image_size=32, dim=16, context_length=48)
    clip = new_clip(tiny_sentence_model(tmp_path / "text"), config)
    weight = torch.randn(64, len(NAMES), generator=torch.Generator().manual_seed(0))
    moves = factor_words.factor_moves(clip, weight, torch.zeros(len(NAMES)))
    again = FactorMoves.load(moves.save(tmp_path / "factors.safetensors"))
    assert again.names == moves.names
    torch.testing.assert_close(moves.words.norm(dim=1), torch.ones(len(moves.names)))
    old, child = (moves.names.index(f"age: {name}") for name in ("old", "child"))
    age = NAMES.index("age")
    assert moves.goals[old, age] > moves.goals[child, age]
    with pytest.raises(ValueError, match="factors given"):
        factor_words.factor_moves(clip, weight[:, :3], torch.zeros(3))


def test_the_least_amount_that_shows() -> None:
    amounts = factor_words.AMOUNTS
    assert factor_words.least_amount([0.2, 0.6, 0.95]) == amounts[2]
    assert factor_words.least_amount([0.1, 0.5, 0.55] + [0.4] * (len(amounts) - 3)) == amounts[1]
    assert factor_words.least_amount([0.0] * len(amounts)) == 1.0


def _tiny(tmp_path: Path) -> tuple[FactorMoves, StyleGAN2]:
    config = ClipConfig(image_tower="test_resnet", image_size=32, dim=16, context_length=48)
    clip = new_clip(tiny_sentence_model(tmp_path / "text"), config)
    weight = torch.randn(64, len(NAMES), generator=torch.Generator().manual_seed(0))
    generator = StyleGAN2(StyleGAN2Config(32, (8, 8, 8, 8), w_dim=64, z_dim=64))
    return factor_words.factor_moves(clip, weight, torch.zeros(len(NAMES))), generator


class _Late(Judge):
    """Sees a full beard from its fifth look on."""

    def __init__(self) -> None:
        super().__init__(JudgeConfig({"beard": ("none", "full")}, 32, 32))
        self.looks = 0

    def read(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        self.looks += 1
        seen = torch.full((len(images),), float(self.looks >= 5))
        return {"beard": torch.stack([1 - seen, seen], dim=1)}


def test_goals_go_as_far_as_it_takes_to_show(tmp_path: Path) -> None:
    moves, generator = _tiny(tmp_path)
    found = factor_words.calibrated(moves, _Late(), generator, 2)
    changed = (found.goals != moves.goals).any(dim=1).nonzero().flatten().tolist()
    assert {moves.names[i] for i in changed} == {"beard: full"}
    # Its first look is at "none", which shows; then one at rest, and three at amounts.
    amount = factor_words.AMOUNTS[2]
    row = changed[0]
    expected = torch.lerp(moves.rests[row], moves.goals[row], amount)
    torch.testing.assert_close(found.goals[row], expected)
