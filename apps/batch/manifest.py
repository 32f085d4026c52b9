"""What a batch works on: a folder of photos, or a table of them."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from apps.batch.tables import SUFFIXES, read_table
from apps.outputs import LONGEST_NAME
from multimodal.files.weights import sha256_of

PHOTO_SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif",
    ".avif", ".heic", ".heif", ".mpo",
)  # fmt: skip
KEPT_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
MANIFEST_SUFFIXES = SUFFIXES
MAX_STRENGTH = 20.0
OVERRIDES = ("text", "neutral", "sound", "strength")
"""Columns of a manifest that set the edit of one photo."""


@dataclass(frozen=True)
class Item:
    """One photo of a batch.

    Args:
        name: unique in the batch; the output's path below `--out`, with a suffix we write.
        path: the file to read.
        overrides: settings of this photo's edit that differ from the batch's.
        digest: stands for the overrides, sounds by their content; "" without any. A photo whose
            digest has changed is edited again.
    """

    name: str
    path: Path
    overrides: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""


def read_items(source: Path, out: Path | None = None) -> list[Item]:
    """The photos of a folder (at any depth, hidden files left out) or of a manifest.

    A manifest has a column `path` (relative to the manifest, or absolute) and may have `text`,
    `neutral`, `sound` and `strength`. The same photo may stand in several rows. Nothing below
    `out` is taken for a photo to edit.

    Raises:
        FileNotFoundError: no such folder or file.
        ValueError: no photos, an unknown kind of manifest, a manifest without `path`, a row
            that cannot be meant so.
    """
    if source.is_dir():
        items = [item for item in _folder_items(source) if not _below(item.path, out)]
    elif not source.exists():
        raise FileNotFoundError(f"no such folder or manifest: {source}")
    elif source.suffix.lower() in MANIFEST_SUFFIXES:
        items = list(_manifest_items(source))
    else:
        known = ", ".join(MANIFEST_SUFFIXES)
        raise ValueError(f"{source.name!r} is not a folder of photos or a table ({known})")
    if not items and out is not None and _below(source, out):
        raise ValueError(f"{source} lies inside --out {out}, whose pictures are not edited again")
    if not items:
        raise ValueError(f"no photos in {source} (looked for {', '.join(PHOTO_SUFFIXES)})")
    return items


def says_what_to_change(source: Path) -> bool:
    """Whether a manifest has a column of texts or sounds."""
    if source.suffix.lower() not in MANIFEST_SUFFIXES or not source.is_file():
        return False
    return not {"text", "sound"}.isdisjoint(read_table(source).columns)


def _folder_items(folder: Path) -> Iterator[Item]:
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
    found = {
        inside: path
        for inside, path in paths.items()
        if not any(part.startswith(".") for part in PurePosixPath(inside).parts)
        and path.suffix.lower() in PHOTO_SUFFIXES
        and path.is_file()
    }
    # Photos that keep their name come before those that become PNG: `x.bmp` yields to `x.bmp.png`.
    taken = {inside for inside in found if _output_name(PurePosixPath(inside)) == inside}
    for inside, path in found.items():
        name = inside if inside in taken else None
        yield Item(name or _unique(_output_name(PurePosixPath(inside)), taken), path)


def _below(path: Path, folder: Path | None) -> bool:
    return folder is not None and path.resolve().is_relative_to(folder.resolve())


def _manifest_items(source: Path) -> Iterator[Item]:
    table = read_table(source)
    if "path" not in table.columns:
        found = ", ".join(table.columns)
        raise ValueError(f"{source.name} has no column 'path' (it has: {found})")
    names: set[str] = set()
    content_of = functools.cache(_content)
    for number, record in table.rows:
        where = f"{source.name}, row {number}"
        if "path" not in record:
            raise ValueError(f"{where} names no path")
        given = Path(str(record["path"]))
        name = _unique(_output_name(_inside(given)), names)
        overrides = {k: v for k, v in record.items() if k in OVERRIDES}
        overrides |= {k: str(overrides[k]) for k in ("text", "neutral") if k in overrides}
        if "strength" in overrides:
            overrides["strength"] = _number(overrides["strength"], where)
        if "sound" in overrides:
            overrides["sound"] = str(source.parent / str(overrides["sound"]))
        yield Item(name, source.parent / given, overrides, _digest(overrides, content_of))


def _number(value: Any, where: str) -> float:
    """A strength; 1,2 is how half of the world writes 1.2."""
    try:
        number = float(str(value).replace(",", ".") if isinstance(value, str) else value)
    except (TypeError, ValueError):
        number = math.nan
    if not abs(number) <= MAX_STRENGTH:
        shown = str(value)[:40]
        raise ValueError(f"{where}: strength {shown!r} is no number in +-{MAX_STRENGTH:g}")
    return number


def _digest(overrides: Mapping[str, Any], content_of: Callable[[Path], str]) -> str:
    if not overrides:
        return ""
    values = {name: str(value) for name, value in overrides.items()}
    if isinstance(overrides.get("strength"), int | float):
        values["strength"] = str(float(overrides["strength"]))  # a gap elsewhere turns 1 into 1.0
    if "sound" in values:
        values["sound"] = content_of(Path(values["sound"]))
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def _content(path: Path) -> str:
    return sha256_of(path) if path.is_file() else ""


def _inside(path: Path) -> PurePosixPath:
    """A path that stays below the output folder, whatever the manifest says."""
    if path.is_absolute() or ".." in path.parts or path.drive:
        digest = hashlib.sha256(str(path.parent).encode()).hexdigest()[:8]
        return PurePosixPath(f"{digest}-{path.name}")
    return PurePosixPath(path.as_posix())


def _output_name(inside: PurePosixPath) -> str:
    """Outputs keep their photo's name; kinds we do not write become PNG."""
    kept = inside.suffix.lower() in KEPT_SUFFIXES
    tail = inside.suffix if kept else f"{inside.suffix}.png"
    stem = inside.stem
    if len(os.fsencode(stem + tail)) > LONGEST_NAME:
        digest = hashlib.sha256(stem.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        while len(os.fsencode(stem + tail)) > LONGEST_NAME - 16:
            stem = stem[:-1]
        stem = f"{stem}-{digest}"
    return str(inside.with_name(stem + tail))


def _unique(name: str, taken: set[str]) -> str:
    path, candidate, count = PurePosixPath(name), name, 1
    while candidate in taken:
        count += 1
        candidate = str(path.with_name(f"{path.stem}-{count}{path.suffix}"))
    taken.add(candidate)
    return candidate
