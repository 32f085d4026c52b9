"""Sounds in and out: any common format, or a microphone's (rate, samples) pair.

Whatever comes in leaves as mono float32 at 16 kHz, without silence at its ends, at one level.
Files are untrusted: their size, channels, rate and duration are bounded before anything is kept.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
import torchaudio

RATE = 16000
MAX_BYTES = 200 * 2**20
MAX_SECONDS = 60.0
MAX_CHANNELS = 64
RATES = (2000, 384_000)
FORMATS = ("wav", "flac", "ogg", "mp3", "m4a", "aac", "opus")
MAX_RATIO = 500
CLIPPED_SHARE = 0.002
SILENCE_PEAK = 1e-5
MAX_VALUE = 1e9
TRIM_DB = -45.0
PEAK = 0.8

SoundSource = Path | str | bytes | tuple[int, np.ndarray]


@dataclass(frozen=True)
class Sound:
    """A sound ready to be heard.

    Args:
        samples: float32 `[T]` in [-1, 1], mono, peak 0.8.
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
    if not (math.isfinite(max_seconds) and max_seconds > 0):
        raise ValueError(f"max_seconds must be a positive number, got {max_seconds}")
    samples, rate = _decode(source, max_seconds)
    samples = _mono(samples, rate)
    warnings = []
    if len(samples) > max_seconds * rate:
        samples = samples[: int(max_seconds * rate)]
        warnings.append(f"only the first {max_seconds:g} seconds are heard")
    peak = _peak(samples)
    if float(np.mean(np.abs(samples) >= 0.999 * peak)) > CLIPPED_SHARE and peak > 0.5:
        warnings.append("the recording is clipped")
    samples = resample(samples / peak, rate, RATE)
    samples, cut = trim_silence(samples) if trim else (samples, 0)
    samples = samples * np.float32(PEAK / _peak(samples))
    return Sound(samples, RATE, cut / RATE, tuple(warnings))


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
    temporary = path.with_name(path.name + ".part")
    soundfile.write(temporary, sound.samples, sound.rate, format=kinds[path.suffix.lower()])
    temporary.replace(path)


def _peak(samples: np.ndarray) -> float:
    peak = float(np.abs(samples).max(initial=0.0))
    if peak < SILENCE_PEAK:
        raise ValueError("the sound is silent")
    return peak


def _decode(source: Any, max_seconds: float) -> tuple[np.ndarray, int]:
    """Samples `[T, C]`, any scale, and their rate."""
    if isinstance(source, tuple):
        return _from_pair(source)
    if isinstance(source, bytes):
        if len(source) > MAX_BYTES:
            raise ValueError(f"the sound has {len(source)} bytes, at most {MAX_BYTES} are read")
        return _from_file(lambda: io.BytesIO(source), "the sound", max_seconds)
    if not isinstance(source, str | Path):
        kind = type(source).__name__
        raise ValueError(f"a sound is a path, bytes or (rate, samples), not {kind}")
    path = Path(source)
    if not path.is_file():
        raise FileNotFoundError(f"no sound at {path}")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"{path.name} has {size} bytes, at most {MAX_BYTES} are read")
    return _from_file(lambda: path.open("rb"), path.name, max_seconds)


def _from_pair(pair: tuple[Any, ...]) -> tuple[np.ndarray, int]:
    if len(pair) != 2 or not isinstance(pair[0], int | np.integer):
        raise ValueError("a microphone's sound is (rate, samples)")
    samples = np.asarray(pair[1])
    if samples.dtype.kind not in "iuf" or samples.ndim not in (1, 2):
        raise ValueError(
            f"samples must be numbers [T] or [T, C], got {samples.dtype} {samples.shape}"
        )
    if samples.dtype.kind == "u":
        samples = samples.astype(np.float64) - 2.0 ** (8 * samples.itemsize - 1)
        samples /= 2.0 ** (8 * np.asarray(pair[1]).itemsize - 1)
    elif samples.dtype.kind == "i":
        samples = samples.astype(np.float64) / 2.0 ** (8 * samples.itemsize - 1)
    return samples if samples.ndim == 2 else samples[:, None], int(pair[0])


def _from_file(
    opened: Callable[[], BinaryIO], name: str, max_seconds: float
) -> tuple[np.ndarray, int]:
    """libsndfile first; what it does not know (M4A, AAC) goes through FFmpeg's libraries."""
    import soundfile

    try:
        with opened() as stream, soundfile.SoundFile(stream) as file:
            _check(file.channels, file.samplerate)
            frames = int((max_seconds + 1) * file.samplerate)
            samples = file.read(frames, dtype="float32", always_2d=True)
            return samples, int(file.samplerate)
    except soundfile.LibsndfileError:
        return _by_av(opened, name, max_seconds)


def _by_av(opened: Callable[[], BinaryIO], name: str, max_seconds: float) -> tuple[np.ndarray, int]:
    import av

    known = ", ".join(FORMATS)
    try:
        with opened() as stream, av.open(stream, mode="r") as container:
            if not container.streams.audio:
                raise ValueError(f"{name} holds no sound; formats: {known}")
            track = container.streams.audio[0]
            rate = int(track.rate or 0)
            _check(track.channels, rate)
            blocks, total = [], 0
            to_float = av.AudioResampler(format="fltp")
            for frame in container.decode(track):
                for part in to_float.resample(frame):
                    blocks.append(part.to_ndarray().T)
                    total += part.samples
                if total > (max_seconds + 1) * rate:
                    break
    except (av.FFmpegError, OSError, EOFError) as error:
        raise ValueError(f"{name} is not a sound this can read; formats: {known}") from error
    if not blocks:
        raise ValueError(f"{name} holds no samples")
    return np.concatenate(blocks), rate


def _check(channels: int, rate: int) -> None:
    if not 1 <= channels <= MAX_CHANNELS:
        raise ValueError(f"the sound has {channels} channels, 1 to {MAX_CHANNELS} are read")
    if not RATES[0] <= rate <= RATES[1]:
        raise ValueError(f"the sound's rate is {rate} Hz, {RATES[0]} to {RATES[1]} are read")


def _mono(samples: np.ndarray, rate: int) -> np.ndarray:
    """`[T, C]` -> finite float32 `[T]`: the mean, or the loudest channel where the mean cancels."""
    if samples.shape[0] == 0 or samples.shape[1] == 0:
        raise ValueError("the sound has no samples")
    _check(samples.shape[1], rate)
    if not np.isfinite(samples).all():
        raise ValueError("the sound holds values that are not finite")
    samples = np.asarray(samples, dtype=np.float64)
    if np.abs(samples).max() > MAX_VALUE:
        raise ValueError(f"the sound holds values out of range (over {MAX_VALUE:g})")
    mono = samples.mean(axis=1)
    power = np.square(samples).mean(axis=0)
    if np.square(mono).mean() < 0.01 * power.max():
        mono = samples[:, int(power.argmax())]
    return mono.astype(np.float32)
