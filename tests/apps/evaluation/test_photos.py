"""The suite of photographs: on two of them, with a tiny model."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from apps.evaluation.measures.photographs import AIMS, Seen, seen
from apps.evaluation.samples import Pack
from apps.evaluation.setting import Plan, Setting
from apps.evaluation.suites import photos
from multimodal.faces import align_or_crop
from tests.tiny_editor import tiny_editor

PHOTOS = Path(__file__).parents[2] / "multimodal" / "fidelity" / "photos"


@pytest.mark.slow
def test_photographs_are_edited_and_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    crop, _, _ = align_or_crop(Image.open(PHOTOS / "046.jpg").convert("RGB"), 256)
    crop.save(folder / "a.png")
    Image.new("RGB", (64, 64)).save(folder / "nobody.png")
    monkeypatch.setattr(photos, "AIMS", AIMS[:2])
    setting = Setting(
        tiny_editor(tmp_path), None, Pack(()), (), tmp_path, Plan(faces=2, inversion="encoder"),  # type: ignore[arg-type]
        photos=folder,
    )  # fmt: skip
    suite = photos.run(setting)
    by_result = {row["gives"]: row for row in suite.tables[0].rows}
    assert set(by_result) == {"photo", "drawing", "pasted", "flow"}
    assert by_result["photo"]["n"] == 2
    assert (tmp_path / "photos.png").is_file()


def test_a_folder_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--photos"):
        photos.photographs(None)
    with pytest.raises(ValueError, match="no photographs"):
        photos.photographs(tmp_path)
    (tmp_path / "index.csv").write_text("file,split\na.jpg,train\nb.jpg,heldout\n")
    assert photos.photographs(tmp_path) == [tmp_path / "b.jpg"]


def test_a_face_is_like_itself() -> None:
    crop, _, _ = align_or_crop(Image.open(PHOTOS / "051.jpg").convert("RGB"), 256)
    found = seen(crop)
    assert isinstance(found, Seen)
    assert found.sharpness > 0
    reached = {aim.name: aim.reached(found, found) for aim in AIMS}
    assert not any(reached.values())
    assert seen(Image.new("RGB", (64, 64))) is None
