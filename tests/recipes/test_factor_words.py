"""Classes, their words and their factors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from guidance.factors import FactorMoves
from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config
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


def test_a_class_lies_where_its_pictures_are() -> None:
    seen = torch.eye(4)
    known = [{"beard": b} for b in ("full", "none", "none", "full")]
    axes = factor_words.class_axes(seen, known)
    assert set(axes) == {("beard", "full"), ("beard", "none")}
    there = factor_words.progress(seen, axes["beard", "full"])
    torch.testing.assert_close(there, torch.tensor([1.0, 0.0, 0.0, 1.0]))
    shown_or_not = factor_words.class_axes(seen, [{"makeup": "yes"}, {}, {}, {}])
    assert set(shown_or_not) == {("makeup", "yes")}


def test_the_least_amount_that_comes_far_enough() -> None:
    amounts = factor_words.AMOUNTS
    climbing = [amount / 2 for amount in amounts]
    assert factor_words.least_amount(climbing) == 1.75
    assert factor_words.least_amount([0.9] * 2 + [1.2] * (len(amounts) - 2)) == amounts[0]
    falling = [0.5, 0.6, 0.55, 0.4, 0.3, 0.2, 0.1]
    assert factor_words.least_amount(falling) == amounts[1]
    assert factor_words.least_amount([0.3] * len(amounts)) == 1.0


def test_goals_are_as_far_as_pictures_of_the_class(tmp_path: Path) -> None:
    config = ClipConfig(image_tower="test_resnet", image_size=32, dim=16, context_length=48)
    clip = new_clip(tiny_sentence_model(tmp_path / "text"), config)
    generator = StyleGAN2(StyleGAN2Config(32, (8, 8, 8, 8), w_dim=64, z_dim=64))
    weight = torch.randn(64, len(NAMES), generator=torch.Generator().manual_seed(0))
    moves = factor_words.factor_moves(clip, weight, torch.zeros(len(NAMES)))
    start = clip.encode_image(generator.synthesize(generator.sample(1, 0).w))[0]
    axes = {("beard", "full"): (start, torch.ones(16))}
    goals = factor_words.calibrated(moves, clip, generator, axes, 2).goals
    changed = (goals != moves.goals).any(dim=1).nonzero().flatten().tolist()
    assert {moves.names[i] for i in changed} == {"beard: full"}
