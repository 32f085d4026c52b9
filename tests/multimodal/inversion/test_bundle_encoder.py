"""The bundle encoder: shapes, batch independence, feedback, size."""

from __future__ import annotations

import pytest
import torch

from multimodal.inversion.bundle_encoder import BundleEncoder, BundleEncoderConfig


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
