from __future__ import annotations

import pytest
import torch

from audio.features import FeatureConfig, log_mel


def waves(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)) * 0.1


def test_shape_and_frames() -> None:
    config = FeatureConfig()
    assert log_mel(waves(2, 16000)).shape == (2, 1, config.frames(1.0), config.mels)
    assert log_mel(waves(800)).shape[0] == 1


def test_gain_and_batch_change_nothing() -> None:
    loud, quiet = waves(1, 8000), waves(1, 8000) * 1e-4
    torch.testing.assert_close(log_mel(loud), log_mel(quiet), atol=1e-3, rtol=0)
    both = log_mel(torch.cat([loud, 50 * loud.flip(1)]))
    torch.testing.assert_close(both[:1], log_mel(loud), atol=1e-5, rtol=0)


def test_a_tone_lights_its_band() -> None:
    config = FeatureConfig()
    t = torch.arange(16000) / 16000
    low, high = (log_mel(torch.sin(6.2832 * hz * t))[0, 0, 50].argmax() for hz in (300.0, 3000.0))
    assert low < high
    mel = 2595 * torch.log10(1 + torch.tensor([60.0, 3000.0, 7600.0]) / 700)
    expected = (mel[1] - mel[0]) / (mel[2] - mel[0]) * (config.mels + 1) - 1
    assert abs(float(high) - float(expected)) <= 1


def test_silence_is_flat_and_finite() -> None:
    features = log_mel(torch.zeros(1, 4000))
    assert features.isfinite().all()
    assert float(features.std()) < 1e-6


def test_gradient_flows() -> None:
    samples = waves(1, 4000).requires_grad_()
    log_mel(samples).sum().backward()
    assert samples.grad is not None
    assert samples.grad.isfinite().all()


def test_bad_shapes() -> None:
    with pytest.raises(ValueError, match=r"\[B, T\]"):
        log_mel(torch.zeros(1, 1, 100))
    with pytest.raises(ValueError, match=r"\[B, T\]"):
        log_mel(torch.zeros(1, 0))
