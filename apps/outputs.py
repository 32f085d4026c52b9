"""Files the apps write: whole or not at all, under suffixes we know."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from apps.console import plain
from multimodal.files.weights import atomic

LONGEST_NAME = 255
"""Bytes of a file's name on common file systems."""


def with_suffix_of(path: Path, known: Iterable[str], what: str) -> Path:
    """`path`, if its suffix is a known one.

    Raises:
        ValueError: it is not; the message lists the known ones.
    """
    if path.is_dir() or path.name in ("", "..") or str(path).endswith(("/", os.sep)):
        raise ValueError(f"{path} is a folder: name {what} in it, as in {path / 'edited.png'}")
    size = len(os.fsencode(path.name))
    if size > LONGEST_NAME:
        raise ValueError(f"a name of {size} bytes is too long, at most {LONGEST_NAME} are")
    choices = list(known)
    if path.suffix.lower() not in choices:
        raise ValueError(f"cannot write {what} as {path.name!r}: use one of {', '.join(choices)}")
    return path


def sibling(path: Path, tail: str) -> Path:
    """A file beside another, of its name with another end; the name is cut where both together
    would be longer than a name may be."""
    stem = path.stem
    while len(os.fsencode(stem + tail)) > LONGEST_NAME:
        stem = stem[:-1]
    return path.with_name(stem + tail)


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


@dataclass(frozen=True)
class Keeping:
    """What an edited picture keeps of its photo.

    Args:
        source: the photo's file, or a saved face.
        bits: a colour, 8 or 16.
        date: whether it keeps when the photo was taken.

    Raises:
        ValueError: another number of bits.
    """

    source: Path
    bits: int = 8
    date: bool = False

    def __post_init__(self) -> None:
        if self.bits not in (8, 16):
            raise ValueError(f"a colour has 8 or 16 bits here, not {self.bits}")

    @property
    def suffixes(self) -> Iterable[str]:
        """Of the formats that can hold it."""
        from multimodal.images import SUFFIXES
        from multimodal.pictures.deep import SUFFIXES as DEEP

        return SUFFIXES if self.bits == 8 else DEEP

    def save(self, picture: Image.Image, path: Path, about: str, whole: bool = True) -> Path:
        """Write an edited picture, marked.

        Args:
            picture: the edited one.
            path: its suffix is one of `suffixes`.
            about: what was done.
            whole: it is the whole photo, so that its deep levels are those of the file.
        """
        from multimodal.images import ImageError, date_taken, load_image, save_image
        from multimodal.pictures.deep import deepened, save_deep

        taken = date_taken(self.source) if self.date else None
        if self.bits == 8:
            return save_image(picture, path, about, taken=taken)
        try:
            photo = load_image(self.source) if whole else picture
        except ImageError:  # a saved face: there is no photo's file
            photo = picture
        same = photo.size == picture.size and photo is not picture
        levels = deepened(picture, photo if same else picture, self.source if same else None)
        return save_deep(levels, path, about, taken)
