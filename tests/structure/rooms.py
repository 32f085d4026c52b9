"""How many things stand side by side in a folder."""

from __future__ import annotations

from pathlib import Path

from tests.structure.tree import PACKAGES, ROOT

MOST = 12
"""Modules, and rooms, that one folder may hold."""


def crowded() -> list[str]:
    """Folders with too many modules or too many rooms, with what they hold.

    Modules and rooms are counted apart: a reader first chooses a room, then a file. Package
    markers and folders without code (samples, bundles) are neither.
    """
    found = []
    for top in (*PACKAGES, "tests"):
        folders = {path.parent for path in (ROOT / top).rglob("*.py")}
        for folder in sorted(folders | {parent for f in folders for parent in _above(f, top)}):
            files = [p for p in folder.glob("*.py") if not p.stem.startswith("__")]
            rooms = [p for p in folder.iterdir() if p.is_dir() and any(p.rglob("*.py"))]
            if max(len(files), len(rooms)) > MOST:
                name = folder.relative_to(ROOT).as_posix()
                found.append(f"{name}: {len(files)} modules, {len(rooms)} rooms")
    return found


def _above(folder: Path, top: str) -> list[Path]:
    return [parent for parent in folder.parents if (ROOT / top) in (parent, *parent.parents)]
