"""Where the terms of the generator's training look."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from multimodal.recognition.identity import IdentityConfig, IdentityNet
from recipes.clip.clip_model import ClipConfig, new_clip
from recipes.generator.generator_losses import (
    Weights,
    attention,
    factor_weights,
    likeness,
    recognition,
)
from recipes.generator.pairs import FaceBatch
from tests.tiny_text import tiny_sentence_model


def test_rare_factors_weigh_more() -> None:
    source = torch.Generator().manual_seed(0)
    often = torch.bernoulli(torch.full((400,), 0.5), generator=source)
    seldom = torch.bernoulli(torch.full((400,), 0.06), generator=source)
    never = torch.zeros(400)
    weights = factor_weights(torch.stack([often, seldom, never], dim=1))
    torch.testing.assert_close(weights.mean(), torch.tensor(1.0))
    assert weights[1] > 2 * weights[0]
    assert weights[2] < 3 * weights[1], "what never varies must not outweigh everything"
    assert factor_weights(torch.zeros(0, 3)).tolist() == [1.0, 1.0, 1.0]


def test_what_an_edit_changed_counts_more() -> None:
    images = torch.zeros(1, 3, 16, 16)
    edited = images.clone()
    edited[..., :4, :4] = 1
    weights = attention(FaceBatch(images, edited), Weights())
    assert isinstance(weights, torch.Tensor)
    assert weights.shape == (2, 1, 16, 16)
    assert weights[0, 0, 1, 1] > 2 * weights[0, 0, 12, 12]
    assert attention(FaceBatch(images), Weights()) == 1.0


@pytest.mark.parametrize("kind", ["recognition", "likeness"])
def test_viewers_tell_pictures_apart_and_pull_the_drawing(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    if kind == "recognition":
        config = ClipConfig(image_tower="test_resnet", image_size=32, dim=16, context_length=48)
        judge = recognition(new_clip(tiny_sentence_model(tmp_path), config))
    else:
        judge = likeness(IdentityNet(IdentityConfig((8, 8, 8, 8), (1, 1, 1), 16)))
    real = torch.rand(2, 3, 64, 64) * 2 - 1
    torch.testing.assert_close(judge(real, real), torch.tensor(0.0), atol=1e-5, rtol=0)
    drawn = (-real).requires_grad_()
    far = judge(drawn, real)
    assert far > 1e-3
    far.backward()
    assert drawn.grad is not None
    assert not any(p.requires_grad for p in judge.network.parameters())
