"""Names, dates and devices, as people give them on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

import apps.batch.photo_edit
import apps.edits
from apps.batch.manifest import read_items
from apps.cli import run
from apps.outputs import sibling
from guidance.targets import lone_weight
from multimodal import FaceEditor
from multimodal.devices import pick_device
from multimodal.images import date_taken


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch, editor: FaceEditor) -> None:
    for module in (apps.edits, apps.batch.photo_edit):
        monkeypatch.setattr(module, "load_editor", lambda *_, **__: editor)


def edit(photo: Path | str, out: Path | str, *more: str) -> int:
    return run(["edit", str(photo), "--text", "old", "--out", str(out), *more])


def test_another_programs_json_is_left_alone(photo: Path, tmp_path: Path) -> None:
    other, out = tmp_path / "label.json", tmp_path / "label.png"
    other.write_text('{"label": "mine"}')
    assert edit(photo, out) == 0
    assert json.loads(other.read_text()) == {"label": "mine"}
    told = json.loads((tmp_path / "label-report.json").read_text())
    assert told["out"] == str(out)
    assert edit(photo, out) == 0, "an older report is ours to replace"
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_long_names_work_or_are_refused_before_anything_is_done(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path
) -> None:
    long = tmp_path / ("x" * 251 + ".png")
    assert edit(photo, long, "--sheet") == 0
    assert long.is_file()
    assert len([p for p in tmp_path.iterdir() if p.suffix == ".json"]) == 1
    assert edit(photo, tmp_path / ("é" * 130 + ".png")) == 2
    assert "too long" in capsys.readouterr().err
    assert sibling(Path("é" * 127), "-report.json").name.endswith("é-report.json")


def test_photos_of_a_batch_with_long_names(tmp_path: Path) -> None:
    for name in ("a" * 251 + ".bmp", "a" * 250 + "b.bmp", "short.bmp"):
        Image.new("RGB", (32, 32)).save(tmp_path / name)
    names = [item.name for item in read_items(tmp_path)]
    assert len(set(names)) == 3
    assert all(len(name) <= 255 for name in names)
    assert "short.bmp.png" in names


@pytest.mark.parametrize("out", [".", "..", "folder"])
def test_a_folder_is_no_picture(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, out: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    assert edit(photo, out) == 2
    assert "is a folder: name a picture in it" in capsys.readouterr().err


def test_a_number_is_a_graphics_card() -> None:
    with pytest.raises(ValueError, match="cuda:97"):
        pick_device("97")


def test_the_date_is_kept_where_asked_and_nothing_else(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:31 18:00:00"
    exif.get_ifd(0x8825)[1] = "N"
    photo = tmp_path / "photos" / "dated.jpg"
    photo.parent.mkdir()
    Image.new("RGB", (96, 96), "#7ba").save(photo, exif=exif)
    for name in ("a.jpg", "a.png", "a.webp", "a.tif"):
        assert edit(photo, tmp_path / name) == 0
        assert date_taken(tmp_path / name) is None
        assert edit(photo, tmp_path / name, "--keep-date") == 0
        assert date_taken(tmp_path / name) == "2024:05:31 18:00:00"
        kept = Image.open(tmp_path / name).getexif()
        assert 0x010F not in kept
        assert not kept.get_ifd(0x8825)
    out = tmp_path / "batch"
    words = ["batch", str(photo.parent), "--text", "old", "--out", str(out), "--keep-date"]
    assert run(words) == 0
    assert date_taken(out / "pictures" / "dated.jpg") == "2024:05:31 18:00:00"


@pytest.mark.parametrize("date", ["yesterday", "2024:05:31 18:00:00 <script>", ""])
def test_a_date_that_is_none_is_dropped(tmp_path: Path, date: str) -> None:
    exif = Image.Exif()
    exif[0x0132] = date
    Image.new("RGB", (32, 32)).save(tmp_path / "a.jpg", exif=exif)
    assert date_taken(tmp_path / "a.jpg") is None


@pytest.mark.parametrize("command", ["edit", "invert", "faces"])
def test_a_data_url_is_refused_in_one_short_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    url = "data:image/png;base64," + "iVBORw0KGgo" * 3000
    words = [command, url, "--out", str(tmp_path / "x.png")]
    assert run([*words, "--text", "old"] if command == "edit" else words) == 2
    said = capsys.readouterr().err
    assert "data URL" in said
    assert len(said) < 300
    assert "iVBOR" not in said


@pytest.mark.parametrize(
    ("prompt", "weight"), [("smile:2", 2.0), ("smile", 1.0), ("no hat:3", 3.0), ("a:2, b:3", 1.0)]
)
def test_a_lone_weight_is_a_strength(prompt: str, weight: float) -> None:
    assert lone_weight(prompt) == weight


def test_sixteen_bits_where_asked(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path
) -> None:
    import numpy as np

    from multimodal.images import load_image
    from multimodal.pictures.deep import save_deep
    from multimodal.pictures.depth import deep_levels

    picture = np.asarray(load_image(photo)).astype(np.uint16) * 257
    picture[:, :, 0] ^= 5  # light that 8 bits cannot hold
    deep = save_deep(picture, tmp_path / "deep.tif")
    for name in ("a.png", "a.tif"):
        out = tmp_path / name
        assert edit(deep, out, "--bits", "16", "--strength", "0") == 0
        assert np.array_equal(deep_levels(out.read_bytes()), picture)
        assert edit(deep, out, "--bits", "16") == 0
        assert np.asarray(load_image(out)).shape == picture.shape
    assert edit(deep, tmp_path / "a.jpg", "--bits", "16") == 2
    assert "use one of .png, .tif" in capsys.readouterr().err
    assert edit(deep, tmp_path / "b.png", "--bits", "12") == 2
    assert "8 or 16 bits" in capsys.readouterr().err
    assert not (tmp_path / "b.png").exists()
