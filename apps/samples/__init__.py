"""Sample faces and sounds for the demo and the studio; licences in LICENSES.md beside them."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def faces() -> list[Path]:
    """Portraits, in the order they are shown."""
    return sorted((FOLDER / "faces").glob("*.jpg"))


def sounds() -> list[Path]:
    """Short sounds, in the order they are shown."""
    return sorted((FOLDER / "sounds").glob("*.ogg"))


def title(path: Path) -> str:
    """What a sample shows, from its file name: `01_smiling_woman.jpg` is "smiling woman"."""
    return path.stem.split("_", 1)[1].replace("_", " ")
