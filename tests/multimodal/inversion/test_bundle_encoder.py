"""The bundle encoder: shapes, batch independence, feedback, size."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from multimodal.inversion.encoders.bundle_encoder import (
    EFFICIENTNET,
    BundleEncoder,
    BundleEncoderConfig,
)
from multimodal.inversion.encoders.encoder_files import read_bundle_encoder, save_bundle_encoder


def tiny(**changes: object) -> BundleEncoder:
    torch.manual_seed(0)
    settings: dict = {"num_layers": 8, "resolution": 32, "width": 16, "hidden": 32, "style_dim": 24}
    return BundleEncoder(BundleEncoderConfig(**{**settings, **changes})).eval()


@pytest.mark.parametrize("layers", [4, 8, 14, 18])
def test_codes_have_one_row_a_layer_and_start_from_w0_alone(layers: int) -> None:
    encoder = tiny(num_layers=layers)
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    w0, deltas = encoder.codes(images)
    assert w0.shape == (2, 24)
    assert deltas.shape == (2, layers, 24)
    assert deltas.abs().max() == 0
    torch.testing.assert_close(encoder(images), w0[:, None].expand(-1, layers, -1))


def test_a_face_gets_the_same_code_alone_and_in_a_batch() -> None:
    encoder = tiny()
    images = torch.rand(3, 3, 32, 32) * 2 - 1
    torch.testing.assert_close(encoder(images)[1:2], encoder(images[1:2]), atol=1e-5, rtol=1e-5)


def test_any_picture_size_is_taken() -> None:
    encoder = tiny()
    for side in (16, 32, 48, 96):
        assert encoder(torch.zeros(1, 3, side, side)).shape == (1, 8, 24)


def test_codes_are_measured_from_the_average_and_corrections_from_zero() -> None:
    encoder = tiny(feedback=True, passes=2)
    images = torch.rand(1, 3, 32, 32)
    blank = encoder(images)
    encoder.w_avg.fill_(3.0)
    torch.testing.assert_close(encoder(images), blank + 3)
    torch.testing.assert_close(encoder(images, torch.zeros_like(images)), blank)


def test_every_weight_gets_a_gradient() -> None:
    encoder = tiny(feedback=True)
    for head in encoder.heads:
        torch.nn.init.normal_(head.out.weight)
    encoder(torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


def test_bad_shapes_are_refused_at_the_door() -> None:
    with pytest.raises(ValueError, match="48"):
        BundleEncoderConfig(num_layers=8, resolution=48)
    with pytest.raises(ValueError, match="feedback"):
        BundleEncoderConfig(num_layers=8, passes=3)
    with pytest.raises(ValueError, match="num_layers 99"):
        BundleEncoderConfig(num_layers=99)
    with pytest.raises(ValueError, match="feedback=False"):
        tiny()(torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 32))


def test_the_default_shape_is_small() -> None:
    with torch.device("meta"):
        encoder = BundleEncoder(BundleEncoderConfig(num_layers=14, feedback=True))
    assert 6e6 < sum(p.numel() for p in encoder.parameters()) < 9e6


def test_a_trunk_joins_a_trained_encoder_without_changing_it(tmp_path: Path) -> None:
    plain = tiny()
    images = torch.rand(3, 3, 64, 64) * 2 - 1
    joined = tiny(trunk=EFFICIENTNET)
    joined.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(joined(images), plain(images))
    torch.nn.init.normal_(joined.trunk.out.weight, std=0.01)
    assert not torch.allclose(joined(images), plain(images), atol=1e-3)
    joined.train()
    one = joined(images[1:2])
    torch.testing.assert_close(joined(images)[1:2], one, atol=1e-4, rtol=1e-4)
    save_bundle_encoder(joined, tmp_path)
    torch.testing.assert_close(read_bundle_encoder(tmp_path)(images[1:2]), one)
    with pytest.raises(ValueError, match="trunk 'vit'"):
        BundleEncoderConfig(num_layers=8, trunk="vit")
