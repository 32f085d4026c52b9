"""Deep pixels to 8 bits: what 10, 12, 14 or 16 bits in 16 mean is told from their values."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

FULL = (255, 1023, 4095, 16383, 65535)
"""Whitest values of 8, 10, 12, 14 and 16 bits."""
_PIPES = ((b"II*\0", "tiff_pipe"), (b"MM\0*", "tiff_pipe"), (b"\x89PNG", "png_pipe"))


def whitest(top: float) -> float:
    """The whitest value of the depth that just holds `top`; scanners and cameras put 10 or 12 bits
    into 16 without a word about it."""
    return float(next((full for full in FULL if top <= full), top))


def grey_to_8_bits(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float greyscale by the range their values suggest."""
    levels = np.nan_to_num(np.asarray(image).astype(np.float32))
    top = float(levels.max(initial=0.0))
    if image.mode == "F":
        full = 1.0 if top <= 1.0 else 255.0 if top <= 255.0 else top
    else:
        full = whitest(top)
    grey = Image.fromarray((levels / full * 255).round().clip(0, 255).astype(np.uint8))
    grey.info = dict(image.info)
    return grey


def is_shallow(image: Image.Image) -> bool:
    """Whether a decoded TIFF has lost its light: 16 bits a colour of which fewer were used, so that
    the upper bytes, which are all that Pillow reads, are (nearly) empty."""
    bits = getattr(image, "tag_v2", {}).get(258)
    if image.mode not in ("RGB", "RGBA") or not bits or max(bits) != 16:
        return False
    extrema: Any = image.getextrema()
    return max(high for _, high in extrema[:3]) <= 63


def deep_colours(data: bytes) -> Image.Image | None:
    """A TIFF of 16 bits a colour in 8 that keep its light; None if it cannot be read so."""
    levels = deep_levels(data)
    if levels is None:
        return None
    full = whitest(float(levels.max(initial=0)))
    return Image.fromarray((levels * np.float32(255 / full)).round().astype(np.uint8))


def deep_levels(data: bytes) -> np.ndarray | None:
    """The levels `[H, W, 3]` uint16 of a TIFF or PNG of 16 bits a colour, read by FFmpeg, which
    keeps all of them; None of other files, or if it cannot."""
    import io

    import av

    kind = next((name for start, name in _PIPES if data.startswith(start)), None)
    if kind is None:
        return None
    try:
        with av.open(io.BytesIO(data), mode="r", format=kind) as container:
            frame = next(container.decode(video=0))
            if not any(mark in frame.format.name for mark in ("48", "64", "16")):
                return None
            levels: np.ndarray = frame.to_ndarray(format="rgb48le")
    except (av.FFmpegError, StopIteration, ValueError, OSError):
        return None
    return levels
