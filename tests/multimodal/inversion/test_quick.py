"""Quick inversion: which weights it touches, what it needs, how it stops."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion import invert, tuned_generator
from multimodal.inversion.methods.quick import fine_weights


def test_code_and_fine_layers_learn_and_nothing_else_does(
    tiny: StyleGAN2, face: Tensor, distance: Any
) -> None:
    before = {k: v.clone() for k, v in tiny.state_dict().items()}
    options: dict[str, Any] = {"start": tiny.sample(1, seed=8, truncation=0.5)}
    options |= {"perceptual": distance, "steps": 12}
    result = invert(tiny, face, "quick", finest=2, **options)
    assert result.tuned is not None
    assert set(result.tuned) == set(fine_weights(tiny, 2))
    assert "synthesis.b32.conv1.weight" in result.tuned
    assert "synthesis.b4.torgb.bias" in result.tuned
    assert not any("affine" in key or "b8.conv" in key for key in result.tuned)
    twin = tuned_generator(tiny, result.tuned)
    drawn = float((twin.synthesize(result.latent.w).clamp(-1, 1) - face).square().mean())
    # The search draws in the machine's fastest type, the report in the generator's own.
    assert abs(drawn - result.report["mse"]) < 1e-5
    for key, value in tiny.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)
    bare = invert(tiny, face, "quick", tuning=0, **options)
    assert bare.tuned is None
    assert result.report["mse"] < bare.report["mse"]


def test_other_generators_have_no_fine_layers() -> None:
    assert fine_weights(nn.Linear(2, 2), 3) == []


def test_it_says_that_there_is_no_encoder(tiny: StyleGAN2, face: Tensor, distance: Any) -> None:
    result = invert(tiny, face, "quick", perceptual=distance, steps=2)
    assert result.report["steps"] == 2
    assert "no encoder" in result.report["notes"][0]


def test_a_loss_that_is_not_finite_ends_at_the_best_code(tiny: StyleGAN2, face: Tensor) -> None:
    calls = 0

    def spoiled(first: Tensor, second: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        worth = float("nan") if calls == 4 else 1.0
        return (first - second).square().mean(dim=(1, 2, 3)) * worth

    result = invert(tiny, face, "quick", perceptual=spoiled, steps=20)
    assert result.report["steps"] == 3
    assert any("not finite" in note for note in result.report["notes"])
    assert result.latent.w.isfinite().all()


@pytest.mark.parametrize(("name", "value"), [("steps", 0), ("lr", 0.0), ("tuning", -1)])
def test_options_are_checked(tiny: StyleGAN2, face: Tensor, name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        invert(tiny, face, "quick", perceptual=None, **{name: value})
