"""Sound files that are whole but begin wrongly: written into a pipe, or after a gap of zeros.

A program that writes WAV into a pipe cannot go back to fill in how long it became, so the header
says 0 or the largest number there is; players play it to its end all the same.
"""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

MOST_ZEROS = 1 << 20
"""Bytes of zeros before the sound that are skipped at most."""
_UNKNOWN = (0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_MOST_CHUNKS = 64


def mended(stream: BinaryIO) -> BinaryIO:
    """The same sound from a stream at its beginning, without what would stop a reader; a stream
    that needs nothing is given back as it is."""
    head = stream.read(12)
    stream.seek(0)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        return _with_lengths(stream)
    if head[:1] == b"\0" and head[4:8] != b"ftyp":
        rest = stream.read().lstrip(b"\0")
        skipped = stream.tell() - len(rest)
        stream.seek(0)
        return io.BytesIO(rest) if rest and skipped <= MOST_ZEROS else stream
    return stream


def _with_lengths(stream: BinaryIO) -> BinaryIO:
    """A WAV file whose data chunk says how long it is."""
    end = stream.seek(0, io.SEEK_END)
    at = 12
    for _ in range(_MOST_CHUNKS):
        stream.seek(at)
        name, size = _chunk(stream)
        if name == b"data":
            length = end - at - 8
            if size in _UNKNOWN and length and not (size == 0 and _is_chunk(stream, end)):
                return _rewritten(stream, at, length)
            break
        if not name or at + 8 + size > end:
            break
        at += 8 + size + size % 2
    stream.seek(0)
    return stream


def _chunk(stream: BinaryIO) -> tuple[bytes, int]:
    head = stream.read(8)
    return (head[:4], struct.unpack("<I", head[4:])[0]) if len(head) == 8 else (b"", 0)


def _is_chunk(stream: BinaryIO, end: int) -> bool:
    """Whether another chunk follows that ends where the file does: the data is empty then."""
    at = stream.tell()
    name, size = _chunk(stream)
    return name.isalpha() and at + 8 + size + size % 2 == end


def _rewritten(stream: BinaryIO, at: int, length: int) -> BinaryIO:
    stream.seek(0)
    content = bytearray(stream.read())
    struct.pack_into("<I", content, 4, len(content) - 8)
    struct.pack_into("<I", content, at + 4, length)
    return io.BytesIO(bytes(content))
