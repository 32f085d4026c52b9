"""Strength 0 is the photo, bit for bit, at every door."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import apps.edits
from apps.cli import run
from apps.edits import EditSpec
from apps.studio.service import Studio
from multimodal import FaceEditor
from multimodal.faces import FaceAligner

WOMAN = Path(__file__).parents[2] / "multimodal" / "faces" / "portraits" / "01_smiling_woman.jpg"


@pytest.fixture
def finder(monkeypatch: pytest.MonkeyPatch, editor: FaceEditor) -> FaceEditor:
    """The tiny editor, with a detector: every command loads it."""
    found = replace(editor, aligner=FaceAligner())
    monkeypatch.setattr(apps.edits, "load_editor", lambda *_, **__: found)
    monkeypatch.setattr("apps.batch.photo_edit.load_editor", lambda *_, **__: found)
    return found


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.open(WOMAN).convert("RGB").resize((300, 300)).save(folder / "woman.png")
    return folder / "woman.png"


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_the_command(finder: FaceEditor, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    assert run(["edit", str(photo), "--text", "old", "--strength", "0", "--out", str(out)]) == 0
    assert np.array_equal(pixels(out), pixels(photo))


def test_the_batch(finder: FaceEditor, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--text", "old", "--strength", "0", "--out", str(out)]
    assert run(["batch", str(photo.parent), *words]) == 0
    assert np.array_equal(pixels(out / "pictures" / "woman.png"), pixels(photo))


def test_python_and_the_studio(finder: FaceEditor, photo: Path) -> None:
    studio = Studio(finder)
    face = finder.invert(photo, "encoder")
    result = finder.edit(face, text="old", strength=0.0)
    assert result.photo is not None
    assert np.array_equal(np.asarray(result.photo), pixels(photo))
    session = studio.add(studio.open(face), EditSpec(text="old", strength=0.0), "old")
    assert session.after.photo is not None
    assert np.array_equal(np.asarray(session.after.photo), pixels(photo))
    moved = studio.add(session, EditSpec(text="old", strength=8.0), "old")
    assert moved.after.photo is not None
    assert not np.array_equal(np.asarray(moved.after.photo), pixels(photo))
