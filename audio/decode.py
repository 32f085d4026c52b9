"""From a file, its bytes or a microphone's pair to mono samples, block by block.

Files are untrusted: a few megabytes can hold hours of 64 channels. Each block is mixed to mono as
it comes and reading stops at a bounded time, so memory stays that of the mono sound.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from audio.mending import mended
from multimodal.files.paths import existing_file, shown

MAX_BYTES = 200 * 2**20
MAX_CHANNELS = 64
RATES = (2000, 384_000)
FORMATS = ("wav", "flac", "ogg", "mp3", "m4a", "aac", "opus")
SIGNATURES = (
    (4, b"ftyp", "mov"),
    (0, b"\x1aE\xdf\xa3", "matroska"),
    (0, b"OggS", "ogg"),
    (0, b"RIFF", "wav"),
    (0, b"fLaC", "flac"),
    (0, b"ID3", "mp3"),
    (0, b"\xff\xf1", "aac"),
    (0, b"\xff\xf9", "aac"),
    *((0, bytes((0xFF, second)), "mp3") for second in (0xFA, 0xFB, 0xF2, 0xF3, 0xE2, 0xE3)),
)
"""Where a file says what it is, and FFmpeg's name of it. FFmpeg left to guess would also take lists
that name other files and addresses, and open those."""
MAX_VALUE = 1e9
BLOCK = 16_384

Blocks = Callable[[], Iterator[np.ndarray]]
"""Reads the sound from its beginning: blocks `[B, C]`, full scale 1."""

Opened = Callable[[], BinaryIO]


def decode(source: Any, seconds: float) -> tuple[np.ndarray, int]:
    """Mono float32 samples `[T]` of at most `seconds`, and their rate.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a sound, or out of the bounds above.
    """
    if isinstance(source, tuple):
        return _from_pair(source, seconds)
    if isinstance(source, bytes):
        if len(source) > MAX_BYTES:
            raise ValueError(f"the sound has {len(source)} bytes, at most {MAX_BYTES} are read")
        return _from_file(lambda: mended(io.BytesIO(source)), "the sound", seconds)
    if not isinstance(source, str | Path):
        kind = type(source).__name__
        raise ValueError(f"a sound is a path, bytes or (rate, samples), not {kind}")
    path = existing_file(source, "sound")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"{shown(path.name)} has {size} bytes, at most {MAX_BYTES} are read")
    return _from_file(lambda: mended(path.open("rb")), shown(path.name), seconds)


def _from_pair(pair: tuple[Any, ...], seconds: float) -> tuple[np.ndarray, int]:
    if len(pair) != 2 or not isinstance(pair[0], int | np.integer):
        raise ValueError("a microphone's sound is (rate, samples)")
    rate, samples = int(pair[0]), np.asarray(pair[1])
    if samples.dtype.kind not in "iuf" or samples.ndim not in (1, 2):
        raise ValueError(
            f"samples must be numbers [T] or [T, C], got {samples.dtype} {samples.shape}"
        )
    if samples.size == 0:
        raise ValueError("the sound has no samples")
    columns = samples if samples.ndim == 2 else samples[:, None]
    _check(columns.shape[1], rate)
    kept = columns[: int(seconds * rate)]

    def blocks() -> Iterator[np.ndarray]:
        return (_scaled(kept[at : at + BLOCK]) for at in range(0, len(kept), BLOCK))

    return _mono(blocks), rate


def _scaled(samples: np.ndarray) -> np.ndarray:
    """Integers of any width to full scale 1; unsigned ones rest at the middle of their range."""
    if samples.dtype.kind == "f":
        return samples
    half = 2.0 ** (8 * samples.itemsize - 1)
    moved = samples.astype(np.float64) - (half if samples.dtype.kind == "u" else 0.0)
    return moved / half


def _from_file(opened: Opened, name: str, seconds: float) -> tuple[np.ndarray, int]:
    """libsndfile first; what it does not know (M4A, AAC) goes through FFmpeg's libraries, and so
    does MP3, whose decoder in libsndfile writes its complaints to stderr."""
    import soundfile

    if _is_mp3(opened):
        return _by_av(opened, name, seconds)
    try:
        with opened() as stream, soundfile.SoundFile(stream) as file:
            _check(file.channels, file.samplerate)
            rate = int(file.samplerate)
        return _mono(partial(_sndfile_blocks, opened, int(seconds * rate))), rate
    except soundfile.LibsndfileError:
        return _by_av(opened, name, seconds)


def _is_mp3(opened: Opened) -> bool:
    with opened() as stream:
        start = stream.read(3)
    return any(kind == "mp3" and start.startswith(mark) for _, mark, kind in SIGNATURES)


def _sndfile_blocks(opened: Opened, frames: int) -> Iterator[np.ndarray]:
    import soundfile

    with opened() as stream, soundfile.SoundFile(stream) as file:
        for left in range(frames, 0, -BLOCK):
            block = file.read(min(BLOCK, left), dtype="float32", always_2d=True)
            if not len(block):
                return
            yield block


def _by_av(opened: Opened, name: str, seconds: float) -> tuple[np.ndarray, int]:
    import av

    known = ", ".join(FORMATS)
    try:
        with _container(opened) as container:
            if not container.streams.audio:
                raise ValueError(f"{name} holds no sound; formats: {known}")
            track = container.streams.audio[0]
            rate = int(track.rate or 0)
            _check(track.channels, rate)
        return _mono(partial(_av_blocks, opened, int(seconds * rate))), rate
    except (av.FFmpegError, OSError, EOFError) as error:
        raise ValueError(f"{name} is not a sound this can read; formats: {known}") from error


@contextmanager
def _container(opened: Opened) -> Iterator[Any]:
    """A file as the format that it begins as, which may open nothing else.

    Raises:
        OSError: it begins as none of `SIGNATURES`, or names another file.
    """
    import av

    with opened() as stream:
        start = stream.read(16)
        stream.seek(0)
        found = (kind for at, mark, kind in SIGNATURES if start[at:].startswith(mark))
        kind = next(found, None)
        if kind is None:
            raise OSError("no known signature")
        with av.open(stream, mode="r", format=kind, io_open=_refuse) as container:
            yield container


def _refuse(url: str, flags: int, options: dict[str, Any]) -> Any:
    raise OSError("a sound may not name other files")


def _av_blocks(opened: Opened, frames: int) -> Iterator[np.ndarray]:
    import av

    with _container(opened) as container:
        to_float = av.AudioResampler(format="fltp")
        for frame in container.decode(container.streams.audio[0]):
            for part in to_float.resample(frame):
                yield part.to_ndarray().T[: max(frames, 0)]
                frames -= part.samples
            if frames <= 0:
                return


def _check(channels: int, rate: int) -> None:
    if not 1 <= channels <= MAX_CHANNELS:
        raise ValueError(f"the sound has {channels} channels, 1 to {MAX_CHANNELS} are read")
    if not RATES[0] <= rate <= RATES[1]:
        raise ValueError(f"the sound's rate is {rate} Hz, {RATES[0]} to {RATES[1]} are read")


def _mono(blocks: Blocks) -> np.ndarray:
    """Finite float32 `[T]`: the mean, or the loudest channel where the mean cancels.

    Which of the two is known only at the end, so the second reads the sound again.
    """
    parts: list[np.ndarray] = []
    power, kept = np.zeros(1), 0.0
    for block in map(_checked, blocks()):
        mean = block.mean(axis=1)
        power = power + np.square(block).sum(axis=0)
        kept += float(np.square(mean).sum())
        parts.append(mean.astype(np.float32))
    if not sum(map(len, parts)):
        raise ValueError("the sound has no samples")
    if kept < 0.01 * power.max():
        loudest = int(power.argmax())
        parts = [block[:, loudest].astype(np.float32) for block in blocks()]
    return np.concatenate(parts)


def _checked(block: np.ndarray) -> np.ndarray:
    if not np.isfinite(block).all():
        raise ValueError("the sound holds values that are not finite")
    values = np.asarray(block, dtype=np.float64)
    if np.abs(values).max(initial=0.0) > MAX_VALUE:
        raise ValueError(f"the sound holds values out of range (over {MAX_VALUE:g})")
    return values
