"""What happens to a sound on its way to a microphone: rooms, noise, phones, other speeds."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

RATE = 16000


def speed(samples: np.ndarray, factor: float) -> np.ndarray:
    """Play `factor` times faster: pitch and formants move with it (a smaller speaker)."""
    at = np.arange(0, len(samples) - 1, factor)
    return np.interp(at, np.arange(len(samples)), samples).astype(np.float32)


def room(rng: np.random.Generator, samples: np.ndarray) -> np.ndarray:
    """Reverb by noise that dies away, after a direct path and a few early reflections."""
    seconds = rng.uniform(0.08, 0.7)
    count = int(RATE * seconds)
    t = np.arange(count) / RATE
    tail = rng.normal(size=count) * np.exp(-6.9 * t / seconds) * rng.uniform(0.01, 0.06)
    tail[: int(0.003 * RATE)] = 0.0
    for _ in range(4):
        tail[rng.integers(30, min(800, count))] += rng.uniform(-0.4, 0.4)
    tail[0] = 1.0
    return np.asarray(fftconvolve(samples, tail)[: len(samples)], dtype=np.float32)


def telephone(rng: np.random.Generator, samples: np.ndarray) -> np.ndarray:
    """A band of frequencies only: a phone, a cheap microphone, or 8 kHz sampling."""
    kind = rng.integers(3)
    if kind == 0:
        sos = butter(6, rng.uniform(2800, 4000), "low", fs=RATE, output="sos")
    elif kind == 1:
        sos = butter(2, (rng.uniform(150, 400), rng.uniform(2800, 6500)), "band", fs=RATE,
                     output="sos")  # fmt: skip
    else:
        sos = butter(1, rng.uniform(80, 500), "high", fs=RATE, output="sos")
    return np.asarray(sosfilt(sos, samples), dtype=np.float32)


def coloured(rng: np.random.Generator, count: int) -> np.ndarray:
    """Noise whose spectrum falls by a random power (white to brown), unit root mean square."""
    spectrum = np.fft.rfft(rng.normal(size=count))
    tilt = np.maximum(np.arange(len(spectrum)), 8.0) ** -rng.uniform(0.0, 1.2)
    out = np.fft.irfft(spectrum * tilt, count)
    return np.asarray(out / max(out.std(), 1e-9), dtype=np.float32)


def add_noise(
    rng: np.random.Generator, samples: np.ndarray, low_db: float = 5, high_db: float = 35
) -> np.ndarray:
    """Noise at a random signal-to-noise ratio."""
    level = samples.std() * 10 ** (-rng.uniform(low_db, high_db) / 20)
    return np.asarray(samples + level * coloured(rng, len(samples)), dtype=np.float32)


def shift(rng: np.random.Generator, samples: np.ndarray, seconds: float = 0.5) -> np.ndarray:
    """Up to so many seconds earlier or later, silence moving in."""
    by = int(rng.uniform(-seconds, seconds) * RATE)
    out = np.zeros_like(samples)
    if by >= 0:
        out[by:] = samples[: len(samples) - by]
    else:
        out[:by] = samples[-by:]
    return out


def window(rng: np.random.Generator, samples: np.ndarray, count: int) -> np.ndarray:
    """`count` samples of a sound: a random cut, or the whole at a random place in silence."""
    if len(samples) >= count:
        start = int(rng.integers(len(samples) - count + 1))
        return samples[start : start + count].astype(np.float32)
    out = np.zeros(count, dtype=np.float32)
    start = int(rng.integers(count - len(samples) + 1))
    out[start : start + len(samples)] = samples
    return out


def degrade(rng: np.random.Generator, samples: np.ndarray) -> np.ndarray:
    """A worse recording of the same sound."""
    if rng.random() < 0.4:
        samples = room(rng, samples)
    if rng.random() < 0.5:
        samples = telephone(rng, samples)
    if rng.random() < 0.6:
        samples = add_noise(rng, samples)
    if rng.random() < 0.5:
        samples = shift(rng, samples)
    if rng.random() < 0.1:
        level = max(float(np.abs(samples).max()), 1e-6)
        samples = np.clip(samples, -0.5 * level, 0.5 * level)
    return samples
