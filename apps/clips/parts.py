"""Films written part by part, and joined without being compressed again.

A part is H.264 without pictures that refer to later ones, so that its packets can stand after those
of the part before as they are. What is there is never drawn again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from heapq import merge
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from apps.clips.reading import Film, numbered
from apps.clips.video import MARK
from multimodal.files.weights import atomic

LENGTH = 48
"""Frames of a part."""
CODING = {"crf": "16", "preset": "superfast", "bf": "0"}
UNSAID, BT709 = 2, 1
"""Numbers of ITU-T H.273 for the matrix of colours."""


def spans(frames: int, length: int = LENGTH) -> list[tuple[int, int]]:
    """First frames and those after the last, of about equal parts.

    Raises:
        ValueError: a length below 1.
    """
    if length < 1:
        raise ValueError(f"parts of {length} frames: at least 1 is needed")
    count = max(1, round(frames / length))
    edges = np.linspace(0, frames, count + 1).round().astype(int).tolist()
    return [(a, b) for a, b in pairwise(edges) if b > a]


def part_at(folder: Path, span: tuple[int, int]) -> Path:
    """Where a part lies."""
    return folder / f"{span[0]:06}-{span[1]:06}.mp4"


def is_whole(path: Path) -> bool:
    """Is a part there, and readable?"""
    import av

    if not path.is_file():
        return False
    try:
        with av.open(str(path)) as container:
            return any(packet.size for packet in container.demux(video=0))
    except av.FFmpegError:
        return False


def write_part(film: Film, path: Path, frames: Iterable[tuple[int, np.ndarray]]) -> None:
    """Write frames `[H, W, 3]` uint8 and their numbers as a part of a film."""
    import av

    colours = _colours_of(film)
    with atomic(path) as part, av.open(str(part), "w", format="mp4") as target:
        stream: Any = None
        for number, pixels in frames:
            stream = stream or _stream(target, film, pixels, colours)
            for packet in stream.encode(_frame(film, number, pixels, stream)):
                target.mux(packet)
        if stream is None:
            raise ValueError(f"{film.path.name} breaks off: some of its pictures are missing")
        for packet in stream.encode(None):
            target.mux(packet)


def _colours_of(film: Film) -> tuple[int, int, int]:
    """Matrix, primaries and curve of a film's colours, as numbers of ITU-T H.273."""
    frame = next(numbered(film))[1].frame
    return int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc)


def _stream(target: Any, film: Film, pixels: np.ndarray, colours: tuple[int, int, int]) -> Any:
    stream = target.add_stream("libx264", rate=film.rate, options=CODING)
    stream.width, stream.height = (side + side % 2 for side in pixels.shape[1::-1])
    stream.pix_fmt, stream.time_base = "yuv420p", film.time_base
    context = stream.codec_context
    context.time_base = film.time_base
    context.colorspace, context.color_primaries, context.color_trc = colours
    context.color_range = 1 if colours[0] != UNSAID else 0
    return stream


def _frame(film: Film, number: int, pixels: np.ndarray, stream: Any) -> Any:
    import av
    from av.video.reformatter import ColorRange, Colorspace

    extra = (stream.height - pixels.shape[0], stream.width - pixels.shape[1])
    if any(extra):  # H.264 wants even sides: the last row and column are drawn twice
        pixels = np.pad(pixels, ((0, extra[0]), (0, extra[1]), (0, 0)), mode="edge")
    matrix = int(stream.codec_context.colorspace)
    rgb = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    found = rgb.reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709 if matrix == BT709 else Colorspace.ITU601,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )
    found.pts, found.time_base = film.times[number], film.time_base
    return found


def join(film: Film, parts: Sequence[Path], out: Path) -> None:
    """One film of parts, with the sound of another as it is; packets lie in the order of time."""
    import av

    with ExitStack() as stack:
        part = stack.enter_context(atomic(out))
        target = stack.enter_context(av.open(str(part), "w", format="mp4"))
        target.metadata["comment"] = MARK
        with av.open(str(parts[0])) as first:
            video = target.add_stream_from_template(first.streams.video[0])
        flows = [_pictures(parts, video, film)]
        if film.sound:
            source = stack.enter_context(av.open(str(film.path)))
            heard = source.streams.audio[0]
            flows.append(_sound(source, heard, target.add_stream_from_template(heard)))
        for packet in merge(*flows, key=lambda packet: float(packet.dts * packet.time_base)):
            target.mux(packet)


def _pictures(parts: Sequence[Path], video: Any, film: Film) -> Iterator[Any]:
    import av

    packet: Any
    for path in parts:
        with av.open(str(path)) as container:
            for packet in container.demux(video=0):
                if packet.pts is None:
                    continue
                time = round(packet.pts * packet.time_base / film.time_base)
                packet.pts = packet.dts = time
                packet.time_base, packet.stream = film.time_base, video
                yield packet


def _sound(source: Any, heard: Any, copied: Any) -> Iterator[Any]:
    for packet in source.demux(heard):
        if packet.dts is not None:
            packet.stream = copied
            yield packet
