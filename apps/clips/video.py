"""Moving pictures: H.264 with the sound beside it, GIF or WebP without.

Picture k is shown at k / fps seconds and sound sample s plays at s / rate seconds, so both start
together; the container's edit list hides the AAC encoder's priming samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from PIL import GifImagePlugin, Image

from apps.outputs import with_suffix_of
from multimodal.files.weights import atomic

MARK = "AI-edited with Semblance"
CLIP_FORMATS = (".mp4", ".gif", ".webp")
MIN_FPS, MAX_FPS = 0.1, 120.0
MAX_GIF_FPS = 50.0
"""Browsers slow down what is shown for less than two hundredths of a second."""
_KEEP, _SEEN = 255, 2
"""The index of a GIF's colour that leaves a pixel as it is, and the levels that nobody sees."""
_HD_LINES = 720
_BT709, _SMPTE170M, _LIMITED = 1, 6, 1
"""Numbers of ITU-T H.273."""
_AUDIO_BLOCK = 1024
_AAC_RATE = 48_000

Sound = tuple[int, np.ndarray]
"""(samples a second, mono samples in [-1, 1], `[N]`)."""


def write_clip(
    frames: Iterable[Image.Image], path: Path, fps: float = 25.0, sound: Sound | None = None
) -> Path:
    """Write frames of one size as a clip; the suffix chooses the format.

    Args:
        frames: RGB pictures of one size, taken one at a time.
        path: `.mp4` (H.264 and AAC), `.gif` or `.webp` (no sound).
        fps: pictures a second, in [0.1, 120]; 50 at most in a GIF.
        sound: what to mux in, cut or padded with silence to the pictures' duration.

    Raises:
        ValueError: an unknown suffix, a frame rate out of range, no frames, sizes that differ.
    """
    with_suffix_of(path, CLIP_FORMATS, "a clip")
    if not (math.isfinite(fps) and MIN_FPS <= fps <= MAX_FPS):
        raise ValueError(f"frame rate {fps} is not in [{MIN_FPS}, {MAX_FPS:g}]")
    if path.suffix.lower() == ".gif" and fps > MAX_GIF_FPS:
        raise ValueError(f"a GIF shows at most {MAX_GIF_FPS:g} pictures a second, {fps:g} asked")
    checked = _one_size(frames)
    with atomic(path) as part:
        if path.suffix.lower() == ".mp4":
            _write_mp4(checked, part, fps, sound)
        elif path.suffix.lower() == ".webp":
            _write_webp(checked, part, fps)
        else:
            _write_gif(checked, part, fps)
    return path


def _one_size(frames: Iterable[Image.Image]) -> Iterator[Image.Image]:
    size: tuple[int, int] | None = None
    for frame in frames:
        size = size or frame.size
        if frame.size != size:
            raise ValueError(f"frames differ in size: {size} and {frame.size}")
        yield frame if frame.mode == "RGB" else frame.convert("RGB")
    if size is None:
        raise ValueError("a clip needs at least one frame")


def _write_gif(frames: Iterator[Image.Image], path: Path, fps: float) -> None:
    """Frame by frame, for Pillow's `save` keeps all of them until the end; what does not change is
    left standing, since each frame's own colours would make it flicker."""
    shown = np.zeros((0, 0, 3), np.uint8)
    with path.open("wb") as file:
        for index, frame in enumerate(frames):
            pixels = np.asarray(frame)
            if index == 0:
                drawn = frame.convert("P", palette=Image.Palette.ADAPTIVE, colors=_KEEP)
                header = GifImagePlugin.getheader(drawn, info={"loop": 0, "comment": MARK.encode()})
                file.writelines(header[0])
                shown, corner = pixels.copy(), (0, 0)
            else:
                drawn, corner = _difference(pixels, shown)
            options = {"duration": delay(index, fps), "disposal": 1, "transparency": _KEEP}
            options |= {"loop": 0, "include_color_table": True}
            file.writelines(GifImagePlugin.getdata(drawn, corner, **options))
        file.write(b";")


def _difference(pixels: np.ndarray, shown: np.ndarray) -> tuple[Image.Image, tuple[int, int]]:
    """What of a frame differs from the one that is shown, transparent elsewhere, and its corner;
    takes down what is shown from now on."""
    away = np.abs(pixels.astype(np.int16) - shown).max(axis=-1) > _SEEN
    rows, columns = np.flatnonzero(away.any(axis=1)), np.flatnonzero(away.any(axis=0))
    if not len(rows):
        return Image.new("P", (1, 1), _KEEP), (0, 0)
    part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    changed = away[part]
    image = Image.fromarray(pixels[part])
    drawn = image.convert("P", palette=Image.Palette.ADAPTIVE, colors=_KEEP)
    kept = Image.fromarray(np.where(changed, np.asarray(drawn), _KEEP).astype(np.uint8), "P")
    palette = (drawn.getpalette() or [])[: 3 * _KEEP]
    kept.putpalette(palette + [0] * (768 - len(palette)))
    shown[away] = pixels[away]
    return kept, (int(columns[0]), int(rows[0]))


def delay(index: int, fps: float) -> int:
    """Milliseconds that a frame of a GIF is shown: whole hundredths of a second, as the format has
    them, which add up to the clip's length."""
    until, since = (round(100 * (index + k) / fps) for k in (1, 0))
    return 10 * (until - since)


def _write_webp(frames: Iterator[Image.Image], path: Path, fps: float) -> None:
    import av

    first = next(frames)
    rate = _rate(fps)
    with av.open(str(path), "w", format="webp", options={"loop": "0"}) as container:
        stream = container.add_stream("libwebp_anim", rate=rate, options={"quality": "80"})
        stream.width, stream.height = first.size
        stream.pix_fmt = "yuv420p"
        for index, frame in enumerate(chain([first], frames)):
            _mux(container, stream, _video_frame(frame, stream, index, rate))
        _mux(container, stream, None)


def _write_mp4(frames: Iterator[Image.Image], path: Path, fps: float, sound: Sound | None) -> None:
    import av

    first = next(frames)
    rate = _rate(fps)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        container.metadata["comment"] = MARK
        video = container.add_stream("libx264", rate=rate, options={"crf": "18"})
        video.width, video.height = (side + side % 2 for side in first.size)
        video.pix_fmt = "yuv420p"
        _say_colours(video)
        track = _SoundTrack(container, sound) if sound is not None else None
        for index, frame in enumerate(chain([first], frames)):
            _mux(container, video, _video_frame(frame, video, index, rate))
            if track is not None:
                track.write_until((index + 1) / float(rate))
        _mux(container, video, None)
        if track is not None:
            track.close()


def _say_colours(stream: Any) -> None:
    """Tag a stream with what its frames are made by: players take what says nothing for BT.709 from
    720 lines and for BT.601 below, if they are kind."""
    context = stream.codec_context
    context.colorspace = _BT709 if stream.height >= _HD_LINES else _SMPTE170M
    context.color_primaries = context.color_trc = _BT709  # sRGB's primaries, and its curve nearly
    context.color_range = _LIMITED


def _rate(fps: float) -> Fraction:
    return Fraction(fps).limit_denominator(1001)


def _video_frame(frame: Image.Image, stream: Any, index: int, rate: Fraction) -> Any:
    import av
    from av.video.reformatter import ColorRange, Colorspace

    if frame.size != (stream.width, stream.height):
        frame = _padded(frame, (stream.width, stream.height))
    out = av.VideoFrame.from_image(frame)
    matrix = stream.codec_context.colorspace
    if matrix in (_BT709, _SMPTE170M):
        wanted = Colorspace.ITU709 if matrix == _BT709 else Colorspace.ITU601
        out = out.reformat(
            format="yuv420p",
            dst_colorspace=wanted,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
        )
        out.colorspace, out.color_range = matrix, _LIMITED
    out.pts, out.time_base = index, 1 / rate
    return out


def _padded(frame: Image.Image, size: tuple[int, int]) -> Image.Image:
    """H.264 in yuv420p wants even sides: the last row and column are drawn twice."""
    pixels = np.asarray(frame)
    extra = (size[1] - frame.height, size[0] - frame.width)
    return Image.fromarray(np.pad(pixels, ((0, extra[0]), (0, extra[1]), (0, 0)), mode="edge"))


class _SoundTrack:
    """An AAC stream written as far as the pictures have come, silent after the sound's end."""

    def __init__(self, container: Any, sound: Sound) -> None:
        self.container = container
        self.stream = container.add_stream("aac", rate=_AAC_RATE)
        self.stream.bit_rate, self.stream.layout = 128_000, "mono"
        self.samples = _resampled(sound)
        self.written = 0

    def write_until(self, seconds: float) -> None:
        end = round(seconds * _AAC_RATE)
        for start in range(self.written, end, _AUDIO_BLOCK):
            self._write(start, min(start + _AUDIO_BLOCK, end))
        self.written = end

    def close(self) -> None:
        _mux(self.container, self.stream, None)

    def _write(self, start: int, stop: int) -> None:
        import av

        block = np.zeros((1, stop - start), dtype=np.float32)
        heard = self.samples[start:stop]
        block[0, : len(heard)] = heard
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = _AAC_RATE, start
        frame.time_base = Fraction(1, _AAC_RATE)
        _mux(self.container, self.stream, frame)


def _resampled(sound: Sound) -> np.ndarray:
    """The sound at the encoder's rate, `[N]` float32 in [-1, 1]."""
    from scipy.signal import resample_poly

    rate, samples = sound
    if rate != _AAC_RATE:
        ratio = Fraction(_AAC_RATE, int(rate))
        samples = resample_poly(samples, ratio.numerator, ratio.denominator)
    return np.clip(samples, -1.0, 1.0).astype(np.float32)


def _mux(container: Any, stream: Any, frame: Any) -> None:
    for packet in stream.encode(frame):
        container.mux(packet)
