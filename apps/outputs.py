"""Files the apps write: whole or not at all, under suffixes we know."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from apps.console import plain
from multimodal.files.weights import atomic


def with_suffix_of(path: Path, known: Iterable[str], what: str) -> Path:
    """`path`, if its suffix is a known one.

    Raises:
        ValueError: it is not; the message lists the known ones.
    """
    choices = list(known)
    if path.suffix.lower() not in choices:
        raise ValueError(f"cannot write {what} as {path.name!r}: use one of {', '.join(choices)}")
    return path


def save_json(path: Path, values: Mapping[str, Any]) -> Path:
    """Write `values` as readable JSON."""
    text = json.dumps(plain(values), indent=2, ensure_ascii=False) + "\n"
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


def save_plain(image: Image.Image, path: Path) -> Path:
    """Write a picture that no model has touched, so without the AI mark."""
    with atomic(path) as part:
        image.save(part)
    return path
