"""Sounds in and out: any common format, or a microphone's (rate, samples) pair.

Whatever comes in leaves as mono float32 at 16 kHz, without silence at its ends, at one level.
Files are untrusted: their size, channels, rate and duration are bounded before anything is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
import torchaudio

from audio.decode import decode
from multimodal.files.weights import atomic

RATE = 16000
MAX_SECONDS = 60.0
MAX_RATIO = 500
CLIPPED_SHARE = 0.002
SILENCE_PEAK = 1e-5
TRIM_DB = -45.0
PEAK = 0.8

SoundSource = Path | str | bytes | tuple[int, np.ndarray]


class SilentSound(ValueError):
    """There is nothing to be heard."""


@dataclass(frozen=True)
class Sound:
    """A sound ready to be heard.

    Args:
        samples: float32 `[T]`, mono; peak 0.8 from `load_sound`, its own from `load_recording`.
        rate: samples per second.
        start: seconds cut from the beginning of the source (silence).
        warnings: what the person should know ("the recording is clipped").
    """

    samples: np.ndarray
    rate: int = RATE
    start: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.samples) / self.rate

    def tensor(self) -> torch.Tensor:
        """The samples as `[1, T]`."""
        return torch.from_numpy(self.samples)[None]


def load_sound(
    source: SoundSource | Sound, max_seconds: float = MAX_SECONDS, trim: bool = True
) -> Sound:
    """Read a sound from a file, from bytes of a file, or from a (rate, samples) pair.

    Args:
        source: path (WAV, FLAC, OGG, MP3, M4A, AAC, Opus), the bytes of such a file, or
            (rate, samples) with samples `[T]` or `[T, C]`, integer or floating.
        max_seconds: what is longer is cut, with a warning.
        trim: take silence (45 dB under the peak) off both ends.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a sound; empty, silent, not finite; too large a file; more than 64
            channels; a rate out of [2000, 384000] Hz.
    """
    if isinstance(source, Sound):
        return source
    recorded = load_recording(source, max_seconds)
    samples = resample(recorded.samples / _peak(recorded.samples), recorded.rate, RATE)
    samples, cut = trim_silence(samples) if trim else (samples, 0)
    samples = samples * np.float32(PEAK / _peak(samples))
    return Sound(samples, RATE, cut / RATE, recorded.warnings)


def load_recording(source: SoundSource, max_seconds: float = MAX_SECONDS) -> Sound:
    """The sound as it was recorded: mono, at its own rate and level, from its beginning.

    Arguments and errors are `load_sound`'s, which hears the same samples: with `trim=False` both
    have one time.
    """
    if not (math.isfinite(max_seconds) and max_seconds > 0):
        raise ValueError(f"max_seconds must be a positive number, got {max_seconds}")
    samples, rate = decode(source, max_seconds + 1)
    samples = samples - samples.mean(dtype=np.float64).astype(np.float32)  # a microphone's offset
    warnings = []
    if len(samples) > max_seconds * rate:
        samples = samples[: int(max_seconds * rate)]
        warnings.append(f"only the first {max_seconds:g} seconds are heard")
    peak = _peak(samples)
    if float(np.mean(np.abs(samples) >= 0.999 * peak)) > CLIPPED_SHARE and peak > 0.5:
        warnings.append("the recording is clipped")
    return Sound(samples, rate, 0.0, tuple(warnings))


def resample(samples: np.ndarray, rate: int, to: int) -> np.ndarray:
    """Band-limited resampling of `[T]`; odd rates are rounded by less than 0.1 %, unheard, because
    an exact filter would have tens of thousands of phases."""
    if rate == to:
        return samples.astype(np.float32)
    ratio = Fraction(to, rate).limit_denominator(MAX_RATIO)
    wave = torch.from_numpy(samples.astype(np.float32))[None]
    out = torchaudio.functional.resample(wave, ratio.denominator, ratio.numerator)
    return out[0].contiguous().numpy()


def trim_silence(samples: np.ndarray, under_db: float = TRIM_DB) -> tuple[np.ndarray, int]:
    """Take off what lies `under_db` below the loudest 20 ms at both ends, but for 50 ms.

    Returns:
        The rest and the number of samples cut from the beginning.
    """
    step = RATE // 50
    levels = loudness(samples, step)
    loud = np.flatnonzero(levels > levels.max() * 10 ** (under_db / 20))
    if not len(loud):
        return samples, 0
    start = max(0, int(loud[0]) * step - RATE // 20)
    stop = min(len(samples), (int(loud[-1]) + 1) * step + RATE // 20)
    return samples[start:stop], start


def loudness(samples: np.ndarray, step: int) -> np.ndarray:
    """Root mean square of each `step` samples: `[ceil(T / step)]`."""
    padded = np.pad(samples.astype(np.float64), (0, -len(samples) % step))
    return np.sqrt(np.square(padded.reshape(-1, step)).mean(axis=1))


def save_sound(path: Path | str, sound: Sound) -> None:
    """Write 16-bit WAV or FLAC, or OGG or MP3, by the file's ending, through a temporary name."""
    import soundfile

    path = Path(path)
    kinds = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".mp3": "MP3"}
    if path.suffix.lower() not in kinds:
        raise ValueError(f"cannot write {path.name!r}; endings: {', '.join(kinds)}")
    with atomic(path) as part:
        soundfile.write(part, sound.samples, sound.rate, format=kinds[path.suffix.lower()])


def _peak(samples: np.ndarray) -> float:
    peak = float(np.abs(samples).max(initial=0.0))
    if peak < SILENCE_PEAK:
        raise SilentSound("the sound is silent")
    return peak
