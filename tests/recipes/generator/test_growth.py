"""A small network's weights begin a larger one, which then draws and encodes the same."""

from __future__ import annotations

import torch

from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder, BundleEncoderConfig
from recipes.generator.growth import grown


def _generator(resolution: int, *channels: int) -> StyleGAN2:
    torch.manual_seed(len(channels))
    return StyleGAN2(StyleGAN2Config(resolution, channels, 16, 16, 2)).requires_grad_(False)


def test_wider_generator_draws_the_same() -> None:
    small, wide = _generator(16, 8, 8, 8), _generator(16, 8, 12, 10)
    wide.load_state_dict(grown(wide.state_dict(), small.state_dict()))
    w_plus = torch.randn(3, small.num_layers, 16)
    expected = small.synthesize(w_plus, noise="none")
    assert torch.allclose(wide.synthesize(w_plus, noise="none"), expected, atol=1e-4)
    assert wide.synthesis.b16.conv1.weight[8:].abs().min() > 0  # new channels can learn


def test_a_higher_resolution_begins_silent() -> None:
    small, tall = _generator(16, 8, 8, 8), _generator(32, 8, 8, 8, 4)
    tall.load_state_dict(grown(tall.state_dict(), small.state_dict()))
    w_plus = torch.randn(2, tall.num_layers, 16)
    enlarged = tall.synthesis.b32.upsample(small.synthesize(w_plus[:, :6], noise="none"))
    assert torch.allclose(tall.synthesize(w_plus, noise="none"), enlarged, atol=1e-4)


def test_encoder_gains_rows_and_features() -> None:
    small = BundleEncoder(BundleEncoderConfig(8, 32, 16, width=8, hidden=8))
    large = BundleEncoder(BundleEncoderConfig(10, 32, 16, width=8, hidden=12))
    for head in small.heads:
        torch.nn.init.normal_(head.out.weight)  # type: ignore[union-attr, arg-type]
    large.load_state_dict(grown(large.state_dict(), small.state_dict()))
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        (w, deltas), (wide_w, wide_deltas) = small.codes(images), large.codes(images)
    assert torch.allclose(w, wide_w, atol=1e-5)
    assert torch.allclose(deltas, wide_deltas[:, :8], atol=1e-5)
    assert not wide_deltas[:, 8:].any()


def test_what_does_not_fit_is_left_out() -> None:
    mine = {"a": torch.ones(2, 2), "b.torgb.weight": torch.ones(3, 2)}
    assert grown(mine, {}) == mine
    theirs = {"a": torch.zeros(3, 2), "c": torch.zeros(1)}
    found = grown(mine, theirs)
    assert torch.equal(found["a"], mine["a"])
    assert not found["b.torgb.weight"].any()
