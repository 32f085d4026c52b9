"""What is installed has every file that it reads, not its modules alone."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SHIPPED = SETTINGS["tool"]["setuptools"]["package-data"]
READ_BY_PEOPLE = {".py", ".pyc", ".md"}


@pytest.mark.parametrize("package", ["apps", "audio", "guidance", "multimodal", "recipes"])
def test_every_data_file_is_shipped(package: str) -> None:
    folder = ROOT / package
    shipped = {path for pattern in SHIPPED[package] for path in folder.glob(pattern)}
    kept = (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    files = {p for p in kept if p.suffix not in READ_BY_PEOPLE}
    assert sorted(str(p.relative_to(ROOT)) for p in files - shipped) == []
