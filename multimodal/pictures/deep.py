"""Pictures of 16 bits a colour: read beside the usual ones, edited with them, written.

Edits are worked out on 8 bits. What they change is added to the deep levels, so that smooth skies
and shadows stay as smooth as they came, and pixels that no edit reaches keep every bit.
"""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from multimodal.files.marks import exif_mark, png_mark, tiff_mark
from multimodal.files.weights import atomic
from multimodal.pictures.colour import srgb_profile
from multimodal.pictures.depth import deep_levels, whitest

SUFFIXES = (".png", ".tif", ".tiff")
"""Formats that hold 16 bits a colour."""
FULL, STEP = 65535, 257
"""The whitest level, and deep levels in one of 8 bits."""
NEAR = 1.5
"""Levels of 8 bits by which a deep picture may differ from the usual one and still be the same:
what was turned, flattened or converted from another colour space differs by more somewhere."""
_PNG, _KEPT_CHUNKS = b"\x89PNG\r\n\x1a\n", (b"iCCP", b"sRGB", b"tEXt", b"iTXt", b"zTXt", b"eXIf")
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _COLOURS, _STRIP, _SAMPLES, _ROWS, _BYTES = (
    256, 257, 258, 259, 262, 273, 277, 278, 279,
)  # fmt: skip
_DEFLATE, _RGB, _PROFILE, _UNDEFINED = 8, 2, 34675, 7
_LEVEL = 6


def deepened(edited: Image.Image, photo: Image.Image, source: Path | None) -> np.ndarray:
    """An edited photo as deep levels.

    Args:
        edited: the photo after the edit, 8 bits.
        photo: the photo as it was read, of the same size.
        source: its file, for the deep levels; None, or a file that has none of the same picture,
            takes those of `photo`.

    Returns:
        `[H, W, 3]` uint16, 65535 is white.
    """
    before = np.asarray(photo.convert("RGB"), np.int32)
    after = np.asarray(edited.convert("RGB"), np.int32)
    deep = None if source is None else _same_picture(source, before)
    levels = before * STEP if deep is None else deep
    return (levels + (after - before) * STEP).clip(0, FULL).astype(np.uint16)


def save_deep(
    levels: np.ndarray,
    path: Path,
    description: str = "AI-edited image",
    taken: str | None = None,
) -> Path:
    """Write a PNG or TIFF of 16 bits a colour, marked as `multimodal.images.save_image` marks.

    Args:
        levels: `[H, W, 3]` uint16 in sRGB.
        path: ends with one of `SUFFIXES`.
        description: what was done.
        taken: when the photo was taken, or None.

    Raises:
        ValueError: another suffix, or other levels.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{path.name!r} cannot hold 16 bits: choose one of {', '.join(SUFFIXES)}")
    if levels.dtype != np.uint16 or levels.ndim != 3 or levels.shape[2] != 3:
        raise ValueError(f"expected [H, W, 3] uint16, got {levels.shape} {levels.dtype}")
    write = _png if suffix == ".png" else _tiff
    with atomic(path) as part:
        part.write_bytes(write(levels, description, taken))
    return path


def _same_picture(source: Path, photo: np.ndarray) -> np.ndarray | None:
    """The deep levels `[H, W, 3]` of a file, if they show what was read in 8 bits."""
    deep = deep_levels(source.read_bytes())
    if deep is None or deep.shape != photo.shape:
        return None
    full = whitest(float(deep.max(initial=0)))
    levels: np.ndarray = (deep * np.float64(FULL / full)).round().astype(np.int32)
    return levels if np.abs(levels / STEP - photo).max(initial=0) <= NEAR else None


def _png(levels: np.ndarray, description: str, taken: str | None) -> bytes:
    """PNG (3rd edition) with the chunks that Pillow would write beside the pixels."""
    small = io.BytesIO()
    about = {"pnginfo": png_mark(description), "exif": exif_mark(description, taken)}
    Image.new("RGB", (1, 1)).save(small, "PNG", icc_profile=srgb_profile(), **about)
    height, width, _ = levels.shape
    header = width.to_bytes(4) + height.to_bytes(4) + bytes((16, 2, 0, 0, 0))
    rows = levels.astype(">u2").view(np.uint8).reshape(height, -1)
    # Filter 2: each row as the difference from the one above, byte by byte.
    differences = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))
    filtered = np.concatenate([np.full((height, 1), 2, np.uint8), differences], axis=1)
    body = zlib.compress(filtered.tobytes(), _LEVEL)
    chunks = [_chunk(kind, data) for kind, data in _chunks(small.getvalue())]
    return b"".join([_PNG, _chunk(b"IHDR", header), *chunks, _chunk(b"IDAT", body), _end()])


def _chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """What a PNG says beside its pixels."""
    found, at = [], len(_PNG)
    while at < len(png):
        length = int.from_bytes(png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if kind in _KEPT_CHUNKS:
            found.append((kind, data))
        at += 12 + length
    return found


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def _end() -> bytes:
    return _chunk(b"IEND", b"")


def _tiff(levels: np.ndarray, description: str, taken: str | None) -> bytes:
    """TIFF 6.0 in one deflated strip, little-endian."""
    height, width, _ = levels.shape
    body = zlib.compress(np.ascontiguousarray(levels, "<u2").tobytes(), _LEVEL)
    tags = tiff_mark(description, taken)
    said = {
        _WIDTH: width, _HEIGHT: height, _BITS: (16, 16, 16), _COMPRESSION: _DEFLATE,
        _COLOURS: _RGB, _SAMPLES: 3, _ROWS: height, _BYTES: len(body), _STRIP: 0,
    }  # fmt: skip
    for number, value in said.items():
        tags[number] = value
    tags.tagtype[_STRIP] = 4
    tags.tagtype[_PROFILE] = _UNDEFINED
    tags[_PROFILE] = srgb_profile()
    # Pillow counts a strip's place from the end of the tags.
    return b"II*\0" + (8).to_bytes(4, "little") + tags.tobytes(8) + body
