"""Sounds made by formula, the same everywhere: what YAMNet's numbers were recorded on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

RATE, COUNT = 16000, 200


def made_sounds(count: int = COUNT) -> Iterator[np.ndarray]:
    """Tones, sweeps, trills, noises and bursts, 0.5 to 1.5 s, with a peak of 0.8."""
    for index in range(count):
        rng = np.random.default_rng(index)
        t = np.arange(int(RATE * rng.uniform(0.5, 1.5))) / RATE
        low, high = rng.uniform(80, 900), rng.uniform(100, 6000)
        pitch = np.linspace(low, high, len(t)) if index % 2 else np.full(len(t), low)
        pitch = pitch * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(2, 9) * t))
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        voice = sum(np.sin(k * phase) / k for k in range(1, 2 + index % 9))
        noise = rng.normal(size=len(t)) * (index % 3)
        beat = 0.5 + 0.5 * np.sign(np.sin(2 * np.pi * rng.uniform(1, 8) * t)) * (index % 5 == 0)
        sound = (voice + noise) * beat * np.exp(-t * rng.uniform(0, 4))
        yield (0.8 * sound / np.abs(sound).max()).astype(np.float32)
