"""Films that people give: their frames upright and in time, their sound copied as it is."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

MAX_BYTES = 4 << 30
MAX_PIXELS = 4096 * 2304
MAX_SECONDS = 600.0
STILL = ("image2", "_pipe")
"""How the names of formats end that hold one picture."""


@dataclass(frozen=True)
class Film:
    """What is known of a film.

    Args:
        path: its file.
        size: width and height as it is shown, turned as its rotation says.
        frames: how many pictures there are.
        times: when each is shown, in units of `time_base`.
        time_base: seconds a unit.
        sound: whether it has any.
    """

    path: Path
    size: tuple[int, int]
    times: tuple[int, ...]
    time_base: Fraction
    sound: bool

    @property
    def frames(self) -> int:
        """How many pictures there are."""
        return len(self.times)

    @property
    def seconds(self) -> float:
        """When the last picture is shown."""
        return float((self.times[-1] - self.times[0]) * self.time_base)

    @property
    def rate(self) -> Fraction:
        """Pictures a second on average, at least one."""
        if self.frames < 2:
            return Fraction(25)
        span = (self.times[-1] - self.times[0]) * self.time_base
        return max(Fraction(1), (Fraction(self.frames - 1) / span).limit_denominator(1001))


def read_film(path: Path) -> Film:
    """Look at a film: its packets are read, its pictures are not decoded but for the first.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no film but a picture or a sound, too long, too large, or nothing to see in it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path.name} is larger than {MAX_BYTES >> 30} GiB")
    with _opened(path) as container:
        stream = _pictures(container, path)
        base = stream.time_base
        times = sorted(
            {p.pts for p in container.demux(stream) if p.pts is not None and not p.is_discard}
        )
        sound = bool(container.streams.audio)
    if not times or base is None:
        raise ValueError(f"{path.name} has no pictures")
    if (times[-1] - times[0]) * base > MAX_SECONDS:
        raise ValueError(f"{path.name} is longer than {MAX_SECONDS:g} seconds")
    first = next(frames_of(path), None)
    if first is None:
        raise ValueError(f"{path.name} has no picture that can be read")
    if first.width * first.height > MAX_PIXELS:
        raise ValueError(f"{path.name} is {first.width} x {first.height}: larger than 4K")
    return Film(path, first.size, tuple(times), Fraction(base), sound)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of a film; turned into pixels only where somebody looks.

    Args:
        frame: as it was decoded.
    """

    frame: Any

    def pixels(self, longest: int | None = None) -> np.ndarray:
        """`[H, W, 3]` uint8, upright; the longer side at most `longest` pixels, or its own."""
        width, height = self.frame.width, self.frame.height
        shrink = 1.0 if longest is None else max(1.0, max(width, height) / longest)
        size = (round(width / shrink), round(height / shrink))
        found: np.ndarray = self.frame.reformat(*size, format="rgb24").to_ndarray()
        turn = int(getattr(self.frame, "rotation", 0) or 0) % 360
        if turn % 90:
            return np.asarray(Image.fromarray(found).rotate(turn, expand=True))
        return np.ascontiguousarray(np.rot90(found, turn // 90)) if turn else found


def frames_of(path: Path) -> Iterator[Image.Image]:
    """Its pictures upright, one at a time, in the order in which they are shown.

    Raises:
        ValueError: the file breaks off or cannot be decoded.
    """
    for picture in _decoded(path):
        yield Image.fromarray(picture.pixels())


def numbered(film: Film, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Picture]]:
    """Pictures from one number up to another, with their numbers; one that cannot be decoded is
    left out.

    Raises:
        ValueError: the file breaks off or cannot be decoded.
    """
    stop = film.frames if stop is None else stop
    for picture in _decoded(film.path, film.times[start] if start else None):
        number = bisect_left(film.times, picture.frame.pts or 0)
        if number >= stop:
            return
        if number >= start:
            yield number, picture


def _decoded(path: Path, since: int | None = None) -> Iterator[Picture]:
    """Pictures from the last before a time that can be decoded on its own; None: from the first."""
    with _opened(path) as container:
        stream = _pictures(container, path)
        # Its own threads tell of errors by way of Python's lock, which whoever closes the film
        # holds while it waits for them: a damaged or abandoned film would never end.
        stream.thread_type = "NONE"
        if since is not None:
            container.seek(since, stream=stream)
        for frame in container.decode(stream):
            yield Picture(frame)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import av
    import av.logging

    av.logging.set_level(av.logging.PANIC)
    try:
        with av.open(str(path)) as container:
            yield container
    except av.FFmpegError as error:
        reason = str(error.strerror or error).splitlines()[0]
        raise ValueError(f"{path.name} cannot be read as a film: {reason}") from None


def _pictures(container: Any, path: Path) -> Any:
    if container.format.name.endswith(STILL):
        raise ValueError(
            f"{path.name} is a picture, not a film: use `semblance edit` or `semblance animate`"
        )
    if not container.streams.video:
        raise ValueError(f"{path.name} has no pictures: it is a sound")
    return container.streams.video[0]
