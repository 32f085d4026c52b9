"""Pivotal tuning: what it changes, what it shares, what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from multimodal.inversion import invert, tuned_generator
from multimodal.inversion.methods.pivotal import anchored
from multimodal.inversion.options import PIVOTAL


@pytest.fixture(scope="module")
def elsewhere(tiny: StyleGAN2) -> Tensor:
    return tiny.sample(1, seed=8, truncation=0.5).w


def test_the_tuned_generator_draws_the_face_at_the_pivot(
    tiny: StyleGAN2, face: Tensor, elsewhere: Tensor, distance: Any
) -> None:
    before = {k: v.clone() for k, v in tiny.state_dict().items()}
    tiny.synthesize(elsewhere)  # fills the original's caches
    result = invert(
        tiny, face, "pti", start=elsewhere, steps=40, lr=3e-3, threshold=0, perceptual=distance
    )
    assert result.tuned is not None
    torch.testing.assert_close(result.latent.w, elsewhere)
    twin = tuned_generator(tiny, result.tuned)
    after = float((twin.synthesize(elsewhere).clamp(-1, 1) - face).square().mean())
    plain = float((tiny.synthesize(elsewhere).clamp(-1, 1) - face).square().mean())
    assert after < 0.7 * plain
    assert abs(after - result.report["mse"]) < 1e-5
    for key, value in tiny.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)


def test_untouched_weights_are_shared(tiny: StyleGAN2) -> None:
    key = "synthesis.b8.conv1.bias"
    twin = tuned_generator(tiny, {key: torch.ones(32)})
    changed = [
        name
        for (name, ours), theirs in zip(
            tiny.named_parameters(), dict(twin.named_parameters()).values(), strict=True
        )
        if ours.data_ptr() != theirs.data_ptr()
    ]
    assert changed == [key]
    assert twin.w_avg.data_ptr() == tiny.w_avg.data_ptr()


def test_caches_of_the_original_are_not_reused(tiny: StyleGAN2) -> None:
    w_plus = tiny.sample(1, seed=0).w
    before = tiny.synthesize(w_plus)
    key = "synthesis.b16.conv1.weight"
    twin = tuned_generator(tiny, {key: torch.zeros_like(tiny.synthesis.b16.conv1.weight)})
    assert not torch.allclose(twin.synthesize(w_plus), before)
    torch.testing.assert_close(tiny.synthesize(w_plus), before, rtol=0, atol=0)


def test_it_stops_at_the_threshold(
    tiny: StyleGAN2, face: Tensor, elsewhere: Tensor, distance: Any
) -> None:
    options: dict[str, Any] = {"perceptual": distance, "steps": 30, "lr": 3e-3}
    at_once = invert(tiny, face, "pti", start=elsewhere, threshold=9.0, **options)
    assert at_once.tuned is None
    assert at_once.report["steps"] == 1
    full = invert(tiny, face, "pti", start=elsewhere, threshold=0, **options)
    goal = (full.report["lpips"] + at_once.report["lpips"]) / 2
    part = invert(tiny, face, "pti", start=elsewhere, threshold=goal, **options)
    assert 1 < part.report["steps"] < full.report["steps"]


def test_locality_keeps_the_neighbourhood(
    tiny: StyleGAN2, face: Tensor, elsewhere: Tensor, distance: Any
) -> None:
    others = tiny.sample(8, seed=3, truncation=1.0).w
    wanted = tiny.synthesize(others)

    def drift(locality: float) -> float:
        result = invert(
            tiny, face, "pti", start=elsewhere, steps=30, lr=3e-3, threshold=0,
            locality=locality, alpha=3.0, perceptual=distance,
        )  # fmt: skip
        assert result.tuned is not None
        drawn = tuned_generator(tiny, result.tuned).synthesize(others)
        return float((drawn - wanted).square().mean())

    assert drift(5.0) < drift(0.0)


def test_locality_draws_noise_as_wide_as_the_mapping_takes(distance: Any) -> None:
    sizes = StyleGAN2Config(32, (8, 8, 8, 8), z_dim=16, w_dim=24, mapping_layers=2)
    narrow = StyleGAN2(sizes).eval().requires_grad_(False)
    start = narrow.sample(1, seed=0).w
    result = invert(
        narrow, torch.zeros(1, 3, 32, 32), "pti", start=start, steps=2, locality=0.1,
        threshold=0, perceptual=distance,
    )  # fmt: skip
    assert result.report["steps"] == 2


def test_weights_that_do_not_fit_are_refused(tiny: StyleGAN2) -> None:
    with pytest.raises(ValueError, match=r"'synthesis\.b512"):
        tuned_generator(tiny, {"synthesis.b512.conv0.bias": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"\(7,\)"):
        tuned_generator(tiny, {"synthesis.b8.conv1.bias": torch.zeros(7)})
    with pytest.raises(ValueError, match="not finite"):
        tuned_generator(tiny, {"synthesis.b8.conv1.bias": torch.full((32,), float("nan"))})


def test_weights_that_the_pivot_tuned_are_tuned_further(
    tiny: StyleGAN2, face: Tensor, distance: Any
) -> None:
    options: dict[str, Any] = {"perceptual": distance, "threshold": 0, "pivot_steps": 6}
    result = invert(tiny, face, "pti", pivot="quick", steps=6, **options)
    pivot = invert(
        tiny, face, "quick", perceptual=distance, steps=6, finest=20, lr=0.1, weights=PIVOTAL
    )
    torch.testing.assert_close(result.latent.w, pivot.latent.w)
    assert result.tuned is not None
    assert pivot.tuned is not None
    assert set(pivot.tuned) <= set(result.tuned)
    assert not any("affine" in key or "mapping" in key for key in result.tuned)
    assert result.report["mse"] < pivot.report["mse"]


def test_added_features_stay_where_the_code_draws_the_same(
    tiny: StyleGAN2, elsewhere: Tensor
) -> None:
    key = "synthesis.b16.conv1.residual"
    torch.manual_seed(0)
    added = torch.randn(tiny.synthesis.b16.conv1.residual_shape)
    own = anchored(tiny, elsewhere, {key: added, f"{key}_at": torch.zeros_like(added)})
    assert set(own) == {key, f"{key}_at"}
    assert own[f"{key}_at"].any()
    anchored_twin, plain_twin = tuned_generator(tiny, own), tuned_generator(tiny, {key: added})
    here = [twin.synthesize(elsewhere) for twin in (anchored_twin, plain_twin)]
    torch.testing.assert_close(here[0], here[1], rtol=1e-3, atol=1e-3)
    far = tiny.sample(1, seed=21, truncation=1.0).w
    bare, drawn, always = (g.synthesize(far) for g in (tiny, anchored_twin, plain_twin))
    assert (drawn - bare).square().mean() < 0.5 * (always - bare).square().mean()
