from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from audio.alignment import Adapter, SoundEmbedder, fit_adapter, load_adapter, save_adapter
from audio.encoder import SoundConfig, SoundEncoder, save_encoder

TINY = SoundConfig(
    stem=4, widths=(4, 8), blocks=(1, 1), strides=(4, 2, 2), hidden=16, heads=2, dim=12
)


def noise(seconds: float = 1.0) -> tuple[int, np.ndarray]:
    return 16000, np.random.default_rng(0).normal(size=int(16000 * seconds)).astype(np.float32)


def pairs(count: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = F.normalize(torch.randn(count, 12, generator=generator), dim=-1)
    true = torch.randn(12, 20, generator=generator)
    return x, F.normalize(x @ true + 0.3, dim=-1)


def test_ridge_recovers_a_line() -> None:
    _, score = fit_adapter(*pairs())
    assert score > 0.97


def test_a_hidden_layer_learns_what_the_line_leaves() -> None:
    x, _ = pairs(400)
    y = F.normalize(torch.cat([x, (3 * x[:, :6]).square()], dim=1), dim=-1)
    steps: list[float] = []
    _, line = fit_adapter(x, y)
    _, bent = fit_adapter(x, y, hidden=32, steps=60, on_step=lambda i, n, loss: steps.append(loss))
    assert bent > line + 0.003
    assert len(steps) == 60


def test_fit_is_deterministic_and_checked() -> None:
    x, y = pairs()
    one, two = (fit_adapter(x, y, hidden=8, steps=3)[0](x) for _ in range(2))
    torch.testing.assert_close(one, two)
    with pytest.raises(ValueError, match="too few"):
        fit_adapter(x[:5], y[:5])
    with pytest.raises(ValueError, match=r"\[N, D\]"):
        fit_adapter(x, y[:50])
    with pytest.raises(ValueError, match="finite"):
        fit_adapter(x, y * float("nan"))


def test_adapter_files(tmp_path: Path) -> None:
    adapter, _ = fit_adapter(*pairs(), hidden=8, steps=2)
    save_adapter(adapter, tmp_path, "ViT-B-32/openai")
    x, _ = pairs()
    torch.testing.assert_close(load_adapter(tmp_path)(x), adapter(x))
    with pytest.raises(FileNotFoundError):
        load_adapter(tmp_path / "none")
    (tmp_path / "sound_adapter.json").write_text('{"shape": [3, 4, 0]}')
    with pytest.raises(ValueError, match="cannot be read"):
        load_adapter(tmp_path)


class Clip:
    """Stands for a CLIP that projects sentences itself."""

    def project_sentence(self, vectors: torch.Tensor) -> torch.Tensor:
        return F.normalize(vectors[:, :5] + 1, dim=-1)


def test_embedder_from_a_folder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_encoder(SoundEncoder(TINY), tmp_path, {})
    bare = SoundEmbedder.from_dir(tmp_path)
    assert bare.embed(noise()).shape == (1, 12)
    torch.testing.assert_close(bare.embed(noise()), bare.sentence(noise()))
    assert SoundEmbedder.from_dir(tmp_path, Clip()).embed(noise()).shape == (1, 5)
    save_adapter(Adapter(12, 7), tmp_path, "another")
    embedded = SoundEmbedder.from_dir(tmp_path, Clip()).embed(noise())
    assert embedded.shape == (1, 7)
    assert float(embedded.norm()) == pytest.approx(1, abs=1e-5)


def test_a_track_has_one_row_a_frame(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_encoder(SoundEncoder(TINY), tmp_path, {})
    track = SoundEmbedder.from_dir(tmp_path, Clip()).track(noise(2.0), fps=10)
    assert track.embeddings.shape == (20, 5)
    assert track.loudness.shape == (20,)
