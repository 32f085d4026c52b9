"""What kind of file somebody's bytes are, told from their beginning, and what Pillow makes of them.

Sizes are read from headers; nothing here decodes a pixel.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "HEIF")
MAGICS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"II*\0", b"MM\0*")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc", b"hevx")
_VIDEOS = ((0, b"\x1aE\xdf\xa3"), (0, b"FLV"), (8, b"AVI "), (0, b"\0\0\1\xba"), (0, b"0&\xb2u"))
_OTHERS = (
    (b"%PDF", "a PDF, not a picture: export the page as PNG first"),
    (b"8BPS", "a Photoshop document, not a plain picture: export it as PNG first"),
    (b"PK\x03\x04", "a ZIP archive, not a picture: unpack it first"),
    (b"OggS", "a sound, not a picture"),
    (b"ID3", "a sound, not a picture"),
    (b"fLaC", "a sound, not a picture"),
)
_lock = threading.Lock()


def what_else(data: bytes) -> str | None:
    """What these bytes are instead of a picture, and what to do about it; None for "who knows"."""
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head")):
        return "a web page, not a picture: save the picture itself"
    if head.startswith((b"<svg", b"<!doctype svg")) or (
        head.startswith(b"<?xml") and b"<svg" in head
    ):
        return "an SVG drawing: export it as PNG first"
    if data.startswith(b"RIFF") and data[8:12] == b"WAVE":
        return "a sound, not a picture"
    if any(data[at:].startswith(mark) for at, mark in _VIDEOS) or _is_movie(data):
        return "a video, not a photo: save one frame of it as a picture first"
    return next((said for mark, said in _OTHERS if data.startswith(mark)), None)


def open_header(data: bytes) -> Image.Image:
    """The picture in some bytes, of which only the header is read.

    Raises:
        PIL.UnidentifiedImageError: none of `FORMATS`.
    """
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        _know_heif()
    known = [name for name in FORMATS if name != "HEIF" or name in Image.OPEN]
    with _own_limits():
        return Image.open(io.BytesIO(data), formats=known)


def _is_movie(data: bytes) -> bool:
    """ISO media that is no still picture."""
    if data[4:8] in (b"moov", b"mdat", b"wide"):
        return True
    return data[4:8] == b"ftyp" and data[8:12] not in (*_HEIF_BRANDS, b"avif", b"avis")


def _know_heif() -> None:
    """Teach Pillow what iPhones write; without the package such files stay unknown."""
    try:
        import pillow_heif
    except ImportError:
        return
    pillow_heif.register_heif_opener(thumbnails=False)


@contextmanager
def _own_limits() -> Iterator[None]:
    """Pillow's own limit of pixels set aside: ours follow, and allow what can be read smaller."""
    with _lock:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
