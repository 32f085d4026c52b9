from __future__ import annotations

from pathlib import Path

import pytest
import torch

from audio.encoder import CONFIG, WEIGHTS, SoundConfig, SoundEncoder, load_encoder, save_encoder

TINY = SoundConfig(
    stem=4, widths=(4, 8), blocks=(1, 2), strides=(4, 2, 2), hidden=16, heads=2, dim=12
)


def tiny() -> SoundEncoder:
    torch.manual_seed(0)
    return SoundEncoder(TINY).eval()


def test_unit_vectors_and_steps() -> None:
    net = tiny()
    features = torch.randn(2, 1, 100, 64)
    assert net.steps(features).shape == (2, 7, 16)
    torch.testing.assert_close(net(features).norm(dim=1), torch.ones(2))


def test_hear_does_not_depend_on_gain_or_batch() -> None:
    net = tiny()
    samples = torch.randn(2, 20000, generator=torch.Generator().manual_seed(1)) * 0.1
    both = net.hear(samples)
    torch.testing.assert_close(net.hear(samples[:1] * 0.01), both[:1], atol=1e-4, rtol=0)
    torch.testing.assert_close(net.hear(samples[1]), both[1:], atol=1e-5, rtol=0)


def test_very_short_sounds_are_heard() -> None:
    assert tiny().hear(torch.randn(1, 50)).shape == (1, 12)


def test_save_and_load(tmp_path: Path) -> None:
    net = tiny()
    save_encoder(net, tmp_path, {"trained_on": {"CC0-1.0": 3}})
    again = load_encoder(tmp_path)
    assert again.config == TINY
    samples = torch.randn(1, 16000)
    torch.testing.assert_close(again.hear(samples), net.hear(samples), atol=5e-3, rtol=0)
    assert '"CC0-1.0": 3' in (tmp_path / CONFIG).read_text()
    assert not list(tmp_path.glob("*.part"))


def test_half_precision() -> None:
    net = tiny().bfloat16()
    assert net.hear(torch.randn(1, 16000)).dtype == torch.float32


def test_gradient_reaches_every_parameter() -> None:
    net = tiny().train()
    net(torch.randn(3, 1, 64, 64))[:, 0].sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_bad_folders(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=WEIGHTS):
        load_encoder(tmp_path)
    save_encoder(tiny(), tmp_path, {})
    (tmp_path / CONFIG).write_text("{}")
    with pytest.raises(ValueError, match="configuration"):
        load_encoder(tmp_path)
    save_encoder(tiny(), tmp_path, {})
    other = SoundEncoder(
        SoundConfig(stem=4, widths=(4,), blocks=(1,), strides=(4, 2), hidden=16, heads=2, dim=12)
    )
    save_encoder(other, tmp_path / "b", {})
    (tmp_path / CONFIG).write_text((tmp_path / "b" / CONFIG).read_text())
    with pytest.raises(ValueError, match="does not fit"):
        load_encoder(tmp_path)
