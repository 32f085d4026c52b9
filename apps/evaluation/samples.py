"""The faces and sounds that a model is measured by: the evaluation pack beside the bundle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from multimodal.files.bundled import HOME
from multimodal.images import load_image

PACK = HOME / "evaluation"
RENDERS, PORTRAITS = "renders", "portraits"
SOUND_SUFFIXES = (".ogg", ".wav", ".flac", ".mp3", ".m4a")


@dataclass(frozen=True)
class Sample:
    """One aligned face.

    Args:
        name: of its file.
        kind: "render" or "portrait".
        image: the picture.
    """

    name: str
    kind: str
    image: Image.Image


@dataclass(frozen=True)
class Pack:
    """What is measured on.

    Args:
        renders: held-out renders.
        portraits: photo-like portraits, another domain.
        factors: of the renders, as `recipes.render.factors.Factors.to_dict`.
        captions: of the renders, held-out wordings among them.
    """

    renders: tuple[Sample, ...]
    portraits: tuple[Sample, ...] = ()
    factors: tuple[dict[str, Any], ...] = ()
    captions: tuple[list[str], ...] = ()


def load_pack(folder: Path = PACK) -> Pack:
    """Read the pack that `recipes.evaluate.evaluation_pack` wrote.

    Raises:
        FileNotFoundError: no renders there.
    """
    renders = _faces(folder / RENDERS, "render")
    if not renders:
        raise FileNotFoundError(
            f"no evaluation renders in {folder / RENDERS}: "
            "make them with recipes.evaluate.evaluation_pack"
        )
    return Pack(
        renders,
        _faces(folder / PORTRAITS, "portrait"),
        tuple(_lines(folder / "factors.jsonl")),
        tuple(_lines(folder / "captions.jsonl")),
    )


def sound_files(folder: Path | None) -> tuple[Path, ...]:
    """The bundled sample sounds, and those of a folder.

    Raises:
        FileNotFoundError: no such folder.
    """
    from apps.samples import sounds

    if folder is None:
        return tuple(sounds())
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder of sounds: {folder}")
    more = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SOUND_SUFFIXES)
    return (*sounds(), *more)


def spread(items: Sequence[Any], count: int) -> list[Any]:
    """`count` items (or all) spread evenly over a sequence."""
    if count >= len(items):
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]


def _faces(folder: Path, kind: str) -> tuple[Sample, ...]:
    if not folder.is_dir():
        return ()
    files = sorted(p for p in folder.iterdir() if p.suffix in (".webp", ".jpg", ".png"))
    return tuple(Sample(path.stem, kind, load_image(path)) for path in files)


def _lines(path: Path) -> list[Any]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
