"""Walks that bend."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from apps.cli import run
from guidance.common import save_tensors
from guidance.controls.steering import WalkConfig, walk_loss
from guidance.controls.walks import (
    PIECES,
    BentWalk,
    BentWalkConfig,
    learn_bent_walk,
    load_walk,
    save_walk,
)
from multimodal.generators import load_generator


def _bent() -> BentWalk:
    torch.manual_seed(0)
    walk = BentWalk(BentWalkConfig("zoom", 3, 8)).requires_grad_(False)
    walk.straight.copy_(torch.randn(3, 8))
    for way in walk.ways:
        way[2].weight.normal_(std=0.2)
    return walk


def test_an_untrained_walk_is_straight() -> None:
    walk = BentWalk(BentWalkConfig("zoom", 3, 8)).requires_grad_(False)
    walk.straight.copy_(torch.randn(3, 8))
    codes, amounts = torch.randn(4, 3, 8), torch.tensor([-1.0, 0.0, 0.3, 2.0])
    wanted = codes + amounts[:, None, None] * walk.straight
    torch.testing.assert_close(walk(codes, amounts), wanted)


def test_steps_follow_each_other() -> None:
    walk, codes = _bent(), torch.randn(2, 3, 8)
    one, half = torch.ones(2), torch.full((2,), 0.5)
    torch.testing.assert_close(walk(walk(codes, half), half), walk(codes, one))
    assert torch.equal(walk(codes, torch.zeros(2)), codes)
    straight = codes + walk.straight / PIECES
    assert not torch.allclose(walk(codes, one / PIECES), straight, atol=1e-3)
    mixed = walk(codes, torch.tensor([1.0, -0.3]))  # a batch walks as each alone does
    torch.testing.assert_close(mixed[1:], walk(codes[1:], torch.tensor([-0.3])))


def test_bending_helps_and_is_kept(tmp_path: Path) -> None:
    generator = load_generator("tiny", "cpu")
    walk = learn_bent_walk(generator, "shift_x", WalkConfig(steps=30, batch=3, lr=0.05))
    straight = BentWalk(walk.config)
    straight.straight.copy_(walk.straight)
    codes = generator.sample(8, seed=77).w
    amounts = torch.linspace(-1, 1, 8)
    with torch.no_grad():
        bent = float(walk_loss(generator, codes, walk(codes, amounts), "shift_x", amounts))
        assert bent < float(
            walk_loss(generator, codes, straight(codes, amounts), "shift_x", amounts)
        )
    again = load_walk(save_walk(walk, tmp_path))
    assert torch.equal(again(codes, amounts), walk(codes, amounts))


def test_other_files_and_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="edit 'flip' is not one of zoom"):
        BentWalkConfig("flip", 3, 8)
    with pytest.raises(FileNotFoundError):
        load_walk(tmp_path / "none.safetensors")
    path = tmp_path / "walk.safetensors"
    huge = {"edit": "zoom", "layers": 4096, "style_dim": 4096}
    for about in ({}, {"kind": "non-linear walk"}, {"kind": "non-linear walk", "config": huge}):
        save_tensors(path, {"straight": torch.zeros(1)}, about)
        with pytest.raises(ValueError, match="walk"):
            load_walk(path)


def test_the_command(tmp_path: Path) -> None:
    out = ["--model", "tiny", "--out", str(tmp_path)]
    assert run(["directions", "walk", "zoom", "--bent", "--steps", "2", *out]) == 0
    assert load_walk(tmp_path / "walk_zoom.safetensors").config.edit == "zoom"
