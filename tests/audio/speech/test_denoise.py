"""Noise is taken off, what was said stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from audio.io import RATE, load_sound
from audio.speech.denoise import WINDOW, denoised, signal_to_noise

VOICE = Path(__file__).parent / "no_glasses.ogg"


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """The part of one sound that is not in the other, as a share of the other's power."""
    return float(((one - other) ** 2).sum() / (other**2).sum())


def test_a_noisy_voice_comes_nearer_to_the_clean_one() -> None:
    clean = np.pad(load_sound(VOICE).samples, RATE // 4)
    noise = np.random.default_rng(0).normal(0, 0.5 * clean.std(), len(clean)).astype(np.float32)
    found = denoised(clean + noise)
    assert found.shape == clean.shape
    assert found.dtype == np.float32
    assert _apart(found, clean) < 0.5 * _apart(clean + noise, clean)


def test_a_clean_voice_stays() -> None:
    clean = np.pad(load_sound(VOICE).samples, RATE // 4)
    assert _apart(denoised(clean), clean) < 0.1


def test_rumble_goes_and_what_is_too_short_stays() -> None:
    time = np.arange(RATE, dtype=np.float32) / RATE
    hum = np.sin(2 * np.pi * 50 * time).astype(np.float32)
    assert np.abs(denoised(hum)[WINDOW:-WINDOW]).max() < 0.1
    short = np.ones(10, np.float32)
    assert np.array_equal(denoised(short), short)


def test_how_noisy_a_voice_is() -> None:
    clean = np.pad(load_sound(VOICE).samples, RATE // 4)
    noise = np.random.default_rng(0).normal(0, 0.1 * clean.std(), len(clean)).astype(np.float32)
    assert signal_to_noise(clean) > 40
    assert 18 < signal_to_noise(clean + noise) < 22
    assert signal_to_noise(np.zeros(10, np.float32)) == 100
