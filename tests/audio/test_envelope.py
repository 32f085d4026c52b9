from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from audio.envelope import frame_loudness, sound_track
from audio.io import Sound

RATE = 16000


def halves() -> Sound:
    """Two seconds of a low tone, one of silence, two of a high one."""
    t = np.arange(2 * RATE) / RATE
    parts = [np.sin(6.2832 * 200 * t), np.zeros(RATE), 0.5 * np.sin(6.2832 * 4000 * t)]
    return Sound(np.concatenate(parts).astype(np.float32))


def pitch(samples: torch.Tensor) -> torch.Tensor:
    """A stand-in encoder: [low, high] energy."""
    power = torch.fft.rfft(samples).abs().square()
    split = int(power.shape[1] * 1000 / (RATE / 2))
    return F.normalize(
        torch.stack([power[:, :split].sum(1), power[:, split:].sum(1)], 1) + 1e-6, dim=-1
    )


def test_content_follows_the_sound() -> None:
    track = sound_track(pitch, halves(), fps=25)
    assert len(track) == 125
    torch.testing.assert_close(track.embeddings.norm(dim=1), torch.ones(125))
    assert track.embeddings[10, 0] > 0.95
    assert track.embeddings[115, 1] > 0.95


def test_loudness_follows_the_sound() -> None:
    loud = frame_loudness(halves(), 25)
    assert float(loud.max()) == pytest.approx(1)
    assert loud[25] > 0.95
    assert loud[70] < 0.1
    assert 0.7 < loud[110] < 0.95


def test_onset_is_within_one_frame() -> None:
    samples = np.zeros(2 * RATE, dtype=np.float32)
    samples[RATE:] = np.random.default_rng(0).normal(size=RATE) * 0.2
    loud = frame_loudness(Sound(samples), 25)
    assert loud[23] < 0.1
    assert loud[25] > 0.5


@pytest.mark.parametrize("fps", [0, -1, 121, float("nan")])
def test_bad_frame_rates(fps: float) -> None:
    with pytest.raises(ValueError, match="frame rate"):
        sound_track(pitch, halves(), fps=fps)


def test_short_sounds_have_a_frame() -> None:
    sound = Sound(np.ones(100, dtype=np.float32))
    assert len(sound_track(pitch, sound, fps=25)) == 1
    with pytest.raises(ValueError, match="positive"):
        sound_track(pitch, sound, window_s=0)
