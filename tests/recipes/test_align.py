"""Photos aligned for the trainers: which are written, which are left out, what stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from apps.samples import faces
from recipes.align import align, main
from recipes.data import Faces


def test_faces_are_aligned_and_photos_without_one_are_named(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    (photos / "more").mkdir(parents=True)
    with Image.open(faces()[0]) as opened:
        opened.convert("RGB").save(photos / "more" / "a.jpg")
    Image.new("RGB", (64, 64)).save(photos / "empty.png")
    (photos / "broken.png").write_bytes(b"no picture")
    written, left_out = align(photos, out, 64)
    assert written == [out / "more" / "a.jpg.png"]
    assert {path.name for path in left_out} == {"empty.png", "broken.png"}
    assert "face" in left_out[photos / "empty.png"]
    assert Faces(out, 64).batch([0]).shape == (1, 3, 64, 64)
    before = written[0].stat().st_mtime_ns
    assert align(photos, out, 64)[0] == written
    assert written[0].stat().st_mtime_ns == before


def test_its_command_says_what_it_left_out(tmp_path: Path) -> None:
    import typer

    app = typer.Typer()
    app.command()(main)
    Image.new("RGB", (64, 64)).save(tmp_path / "empty.png")
    words = ["--photos", str(tmp_path), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "0 faces" in result.output
    assert "empty.png" in result.output


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no pictures"):
        align(tmp_path, tmp_path / "out", 64)
