"""Photos as people take them, through the command line: framing, several faces, small ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import apps.edits
from apps.cli import run
from multimodal import FaceEditor
from multimodal.faces import FaceAligner, align_or_crop

WOMAN = Path(__file__).parents[3] / "apps" / "samples" / "faces" / "01_smiling_woman.jpg"


@pytest.fixture(autouse=True)
def finder(monkeypatch: pytest.MonkeyPatch, editor: FaceEditor) -> FaceEditor:
    """The tiny editor, with a detector: every command loads it."""
    found = replace(editor, aligner=FaceAligner())
    monkeypatch.setattr(apps.edits, "load_editor", lambda *_, **__: found)
    return found


def test_an_avatar_comes_back_whole_unless_it_is_called_a_crop(tmp_path: Path) -> None:
    avatar, out = tmp_path / "avatar.png", tmp_path / "out.png"
    align_or_crop(Image.open(WOMAN), 300)[0].save(avatar)
    words = ["edit", str(avatar), "--text", "old", "--inversion", "encoder", "--out", str(out)]
    assert run(words) == 0
    assert Image.open(out).size == (300, 300)
    assert run([*words, "--aligned"]) == 0
    assert Image.open(out).size == (32, 32)
