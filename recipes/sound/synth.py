"""Human noises made by formula: laughs, sobs, screams, coughs, sneezes.

Real recordings of these are rare in the corpora. A source (glottal pulses with jitter, or breath
noise) goes through resonances of a vocal tract of random length; the time pattern makes the kind.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter

RATE = 16000
VOWELS = (
    (730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (640, 1190, 2390),
    (660, 1720, 2410), (440, 1020, 2240),
)  # fmt: skip


def _curve(rng: np.random.Generator, count: int, points: int) -> np.ndarray:
    return np.interp(np.linspace(0, points - 1, count), np.arange(points), rng.normal(size=points))


def _pulses(rng: np.random.Generator, pitch: np.ndarray, tilt: float) -> np.ndarray:
    """A glottal source at `pitch` Hz a sample, with jitter, shimmer and a spectral tilt."""
    count = len(pitch)
    pitch = pitch * (1 + 0.015 * _curve(rng, count, max(count // 150, 4)))
    phase = np.cumsum(pitch / RATE) + rng.random()
    saw = 2 * (phase % 1.0) - 1
    soft = lfilter([1 - tilt], [1, -tilt], saw)
    return soft * (1 + 0.15 * _curve(rng, count, max(count // 150, 4)))


def _tract(rng: np.random.Generator, source: np.ndarray, size: float, noisy: bool) -> np.ndarray:
    """Resonances of a vowel, scaled by the tract's length (child < 1 < large man)."""
    vowel = VOWELS[rng.integers(len(VOWELS))]
    out = source
    for formant in (*vowel, 3500.0, 4500.0):
        centre = min(formant / size * rng.uniform(0.93, 1.07), 7600.0)
        width = (0.09 if noisy else 0.06) * centre + 40
        radius = np.exp(-np.pi * width / RATE)
        angle = 2 * np.pi * centre / RATE
        a = [1.0, -2 * radius * np.cos(angle), radius**2]
        out = 0.35 * out * (1 if centre < 5000 else 0.5) + lfilter([sum(a)], a, out)
    return np.asarray(out)


def _noise(rng: np.random.Generator, count: int, low: float = 0.0) -> np.ndarray:
    white = rng.normal(size=count)
    return np.asarray(lfilter([1.0, -low], [1.0], white))


def _bump(count: int, attack: float, power: float = 1.0) -> np.ndarray:
    """Rise over the share `attack` of the time, then fall."""
    t = np.linspace(0, 1, count)
    rise = np.clip(t / max(attack, 1e-3), 0, 1)
    fall = np.clip((1 - t) / max(1 - attack, 1e-3), 0, 1)
    return np.asarray((rise * fall) ** power)


def _unit(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / max(float(np.abs(x).max()), 1e-6))


def laugh(rng: np.random.Generator) -> np.ndarray:
    """Bursts of 4-7 a second, breathy starts, pitch falling over the bout."""
    size, voice = rng.uniform(0.75, 1.1), rng.uniform(140, 480)
    rate, count = rng.uniform(3.8, 7.0), int(rng.integers(3, 9))
    falling, voiced = rng.uniform(0.0, 0.35), rng.uniform(0.4, 1.0)
    parts = []
    for index in range(count):
        length = int(RATE / rate * rng.uniform(0.9, 1.15))
        open_part = int(length * rng.uniform(0.45, 0.75))
        pitch = voice * (1 - falling * index / count) * rng.uniform(0.93, 1.08)
        track = pitch * np.linspace(1.08, rng.uniform(0.75, 0.95), open_part)
        tone = _pulses(rng, track, rng.uniform(0.5, 0.9)) * _bump(open_part, 0.25, 0.6)
        breath = _noise(rng, length) * _bump(length, 0.3) * rng.uniform(0.05, 0.3)
        start = length - open_part
        breath[start:] += voiced * tone * 1.5
        parts.append(_tract(rng, breath, size, False) * rng.uniform(0.6, 1.0))
    return _unit(np.concatenate(parts))


def sob(rng: np.random.Generator) -> np.ndarray:
    """Long trembling falling wails with gasps drawn in between."""
    size, voice = rng.uniform(0.8, 1.1), rng.uniform(180, 520)
    parts = []
    for _ in range(int(rng.integers(2, 4))):
        length = int(RATE * rng.uniform(0.5, 1.2))
        tremble = 1 + rng.uniform(0.02, 0.07) * np.sin(
            2 * np.pi * rng.uniform(5, 9) * np.arange(length) / RATE
        )
        arc = np.interp(np.linspace(0, 1, length), [0, 0.3, 1], [0.9, 1.1, rng.uniform(0.6, 0.85)])
        tone = _pulses(rng, voice * arc * tremble, rng.uniform(0.7, 0.93))
        shake = 1 + 0.5 * np.sin(2 * np.pi * rng.uniform(5, 9) * np.arange(length) / RATE)
        parts.append(_tract(rng, tone * shake * _bump(length, 0.2, 0.5), size, False))
        for _ in range(int(rng.integers(1, 4))):
            gasp = int(RATE * rng.uniform(0.08, 0.3))
            parts.append(_tract(rng, 0.25 * _noise(rng, gasp, 0.6) * _bump(gasp, 0.7), size, True))
    return _unit(np.concatenate(parts))


def scream(rng: np.random.Generator) -> np.ndarray:
    """A high, rough, long vowel: roughness is a modulation at 30-150 Hz."""
    size, voice = rng.uniform(0.8, 1.1), rng.uniform(450, 1500)
    length = int(RATE * rng.uniform(0.6, 2.0))
    arc = np.interp(
        np.linspace(0, 1, length), [0, 0.15, 0.7, 1], [rng.uniform(0.6, 0.95), 1.0, 1.0, 0.8]
    )
    tone = _pulses(rng, voice * arc, rng.uniform(0.1, 0.6))
    rough = 1 + rng.uniform(0.1, 0.9) * np.sin(
        2 * np.pi * rng.uniform(30, 150) * np.arange(length) / RATE
    )
    air = rng.uniform(0.02, 0.2) * _noise(rng, length, 0.5)
    out = _tract(rng, (tone * rough + air) * _bump(length, 0.1, 0.4), size, False)
    return _unit(np.tanh(_unit(out) * rng.uniform(1, 4)))


def cough(rng: np.random.Generator) -> np.ndarray:
    """One to four coughs: a burst, a noisy middle, often a voiced end."""
    size, parts = rng.uniform(0.8, 1.15), []
    for _ in range(int(rng.integers(1, 5))):
        length = int(RATE * rng.uniform(0.2, 0.42))
        t = np.arange(length) / RATE
        burst = np.exp(-t / rng.uniform(0.015, 0.04)) + 0.5 * np.exp(-t / rng.uniform(0.05, 0.12))
        source = _noise(rng, length, rng.uniform(0.0, 0.6)) * burst
        late = _bump(length, 0.6, 1.5) * rng.uniform(0.0, 0.9)
        track = rng.uniform(110, 350) * np.linspace(1.1, 0.8, length)
        source += late * _pulses(rng, track, rng.uniform(0.6, 0.9))
        pause = np.zeros(int(RATE * rng.uniform(0.03, 0.3)))
        parts += [_tract(rng, source, size, True) * rng.uniform(0.6, 1.0), pause]
    return _unit(np.concatenate(parts))


def sneeze(rng: np.random.Generator) -> np.ndarray:
    """A breath in ("ah"), then a violent hiss ("tshoo") that fades."""
    size = rng.uniform(0.8, 1.1)
    inhale, blast = int(RATE * rng.uniform(0.15, 0.6)), int(RATE * rng.uniform(0.25, 0.6))
    track = rng.uniform(140, 380) * np.linspace(0.9, 1.4, inhale)
    ah = rng.uniform(0, 0.5) * _pulses(rng, track, 0.8) + 0.3 * _noise(rng, inhale, 0.5)
    hiss = _noise(rng, blast, rng.uniform(0.5, 0.95)) * np.exp(
        -np.arange(blast) / RATE / rng.uniform(0.06, 0.18)
    )
    low = rng.uniform(0, 0.8) * _bump(blast, 0.3, 1.5)
    hiss = hiss + low * _pulses(rng, rng.uniform(120, 400) * np.linspace(1.2, 0.7, blast), 0.8)
    gap = np.zeros(int(RATE * rng.uniform(0.0, 0.12)))
    first = _tract(rng, ah * _bump(inhale, 0.6), size, True) * rng.uniform(0.1, 0.5)
    return _unit(np.concatenate([first, gap, _unit(_tract(rng, hiss, size, True))]))


KINDS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "laughter": laugh, "crying": sob, "scream": scream, "cough": cough, "sneeze": sneeze,
}  # fmt: skip


def from_voice(rng: np.random.Generator, voice: np.ndarray, kind: str) -> np.ndarray:
    """A laugh or a sob cut out of a speaking voice: one voiced grain, repeated or drawn out."""
    length = int(RATE * rng.uniform(0.09, 0.17))
    starts = np.arange(0, max(len(voice) - length, 1), length // 2)
    power = np.array([np.square(voice[s : s + length]).sum() for s in starts])
    start = int(rng.choice(starts, p=power / power.sum())) if power.sum() > 0 else 0
    grain = _unit(voice[start : start + length])
    parts = []
    for index in range(int(rng.integers(4, 9))):
        speed = rng.uniform(0.95, 1.1) * (1 - 0.03 * index)
        at = np.arange(0, len(grain) - 1, speed if kind == "laughter" else speed * 0.6)
        piece = np.interp(at, np.arange(len(grain)), grain)
        pause = int(RATE * rng.uniform(0.04, 0.1))
        breath = 0.12 * _noise(rng, pause) * _bump(pause, 0.7)
        parts += [breath, piece * _bump(len(piece), 0.2, 0.6) * rng.uniform(0.6, 1.0)]
    return _unit(np.concatenate(parts))
