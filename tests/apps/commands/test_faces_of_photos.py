"""Photos as people take them, through the command line: framing, several faces, small ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import apps.edits
from apps.cli import run
from multimodal import FaceEditor
from multimodal.faces import FaceAligner, align_or_crop

WOMAN = Path(__file__).parents[2] / "multimodal" / "faces" / "portraits" / "01_smiling_woman.jpg"


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
    assert run([*words, "--aligned", "--fidelity", "drawing"]) == 0
    assert Image.open(out).size == (32, 32)


@pytest.fixture
def group(tmp_path: Path) -> Path:
    """Two upright faces and one that lies on its side."""
    page = Image.new("RGB", (700, 300), (120, 130, 140))
    woman = Image.open(WOMAN)
    page.paste(woman.resize((250, 250)), (10, 20))
    page.paste(woman.resize((180, 180)), (280, 60))
    page.paste(woman.resize((200, 200)).rotate(90, expand=True), (480, 50))
    page.save(tmp_path / "group.png")
    return tmp_path / "group.png"


def test_faces_are_listed_and_numbered(
    capsys: pytest.CaptureFixture[str], group: Path, tmp_path: Path
) -> None:
    out = tmp_path / "numbers.png"
    assert run(["faces", str(group), "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["face"] for row in told["faces"]] == [0, 1, 2]
    middles = [(row["box"][0] + row["box"][2]) / 2 for row in told["faces"]]
    assert middles[0] < 260
    assert {round(middle / 250) for middle in middles[1:]} == {1, 2}
    assert Image.open(out).size == (700, 300)
    assert run(["faces", str(group), "--out", str(out)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_every_face_is_edited_into_one_photo(
    capsys: pytest.CaptureFixture[str], group: Path, tmp_path: Path
) -> None:
    out = tmp_path / "all.png"
    words = ["edit", str(group), "--text", "old", "--fidelity", "drawing", "--out", str(out)]
    assert run([*words, "--face", "all", "--strength", "9", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["faces"]) == 3
    changed = np.abs(np.asarray(Image.open(out), int) - np.asarray(Image.open(group), int)).sum(-1)
    assert all(changed[:, left : left + 200].max() > 0 for left in (20, 280, 480))
    assert run([*words, "--face", "2"]) == 0
    assert "3 faces found" in capsys.readouterr().err
    assert run([*words, "--face", "some"]) == 2
    assert "number from 0, or all" in capsys.readouterr().err
    assert run([*words, "--face", "7"]) == 2
    assert "choose 0 to 2" in capsys.readouterr().err
