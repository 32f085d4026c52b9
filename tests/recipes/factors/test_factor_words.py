"""Classes, their words and their factors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from guidance.methods.factor_moves import FactorMoves
from recipes.clip.clip_model import ClipConfig, new_clip
from recipes.factors import factor_words
from recipes.factors.attributes import NAMES
from recipes.factors.classes import CLASSES
from recipes.words.clip_words import class_prompts
from tests.tiny_text import tiny_sentence_model


def test_every_class_of_a_face_has_factors() -> None:
    of_the_picture = {"light", "background"}
    named = {(a, v) for a, classes in class_prompts().items() for v in classes}
    assert {one for one in named if one[0] not in of_the_picture} == set(CLASSES)


def test_classes_speak_of_their_own_factors() -> None:
    mask = factor_words.mask_of(("beard",))
    assert {n for n, m in zip(NAMES, mask.tolist(), strict=True) if m} == {
        n for n in NAMES if n.startswith("beard")
    }
    for parts, _ in CLASSES.values():
        assert 0 < int(factor_words.mask_of(parts).sum()) < len(NAMES) / 2


def test_moves_of_a_clip(tmp_path: Path) -> None:
    config = ClipConfig(image_tower="test_resnet", image_size=32, dim=16, context_length=48)
    clip = new_clip(tiny_sentence_model(tmp_path / "text"), config)
    weight = torch.randn(64, len(NAMES), generator=torch.Generator().manual_seed(0))
    moves = factor_words.factor_moves(clip, weight, torch.zeros(len(NAMES)), 8)
    again = FactorMoves.load(moves.save(tmp_path / "factors.safetensors"))
    assert again.names == moves.names
    torch.testing.assert_close(moves.words.norm(dim=1), torch.ones(len(moves.names)))
    old, child = (moves.names.index(f"age: {name}") for name in ("old", "child"))
    age = NAMES.index("age")
    assert moves.goals[old, age] > moves.goals[child, age]
    with pytest.raises(ValueError, match="factors given"):
        factor_words.factor_moves(clip, weight[:, :3], torch.zeros(3), 8)
