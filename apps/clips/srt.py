"""Prompts over time, written as SubRip subtitles."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 1 << 20
MAX_CUES = 500
_TIME = re.compile(
    r"(\d{1,3}):([0-5]\d):([0-5]\d)[,.](\d{1,3})\s*-->\s*"
    r"(\d{1,3}):([0-5]\d):([0-5]\d)[,.](\d{1,3})"
)


@dataclass(frozen=True)
class Cue:
    """A prompt that holds from `start` to `end`, in seconds."""

    start: float
    end: float
    text: str


def read_cues(path: Path) -> list[Cue]:
    """The cues of an `.srt` file, in order of time.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not SubRip, a cue that ends before it starts, none or more than 500 cues.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such text track: {path}")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path.name} is longer than 1 MB, too long for prompts")
    text = path.read_text(encoding="utf-8-sig", errors="replace").replace("\r\n", "\n")
    blocks = [block for block in re.split(r"\n\s*\n", text) if block.strip()]
    if not 1 <= len(blocks) <= MAX_CUES:
        raise ValueError(f"{path.name} has {len(blocks)} cues; 1 to {MAX_CUES} are read")
    return sorted((_cue(block, path.name) for block in blocks), key=lambda cue: cue.start)


def _cue(block: str, name: str) -> Cue:
    lines = [line.strip() for line in block.strip().splitlines()]
    if lines[0].isdecimal():
        lines = lines[1:]
    times = _TIME.fullmatch(lines[0]) if lines else None
    words = " ".join(lines[1:]).strip()
    if times is None or not words:
        raise ValueError(f"{name}: {' '.join(lines)[:60]!r} is not a time line and a prompt")
    start, end = _seconds(*times.groups()[:4]), _seconds(*times.groups()[4:])
    if end <= start:
        raise ValueError(f"{name}: the cue {words[:40]!r} ends before it starts")
    return Cue(start, end, words)


def _seconds(hours: str, minutes: str, seconds: str, fraction: str) -> float:
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")
