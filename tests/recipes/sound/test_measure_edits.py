"""Figures of edits by sounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipes.sound.measure_edits import noises, told


def test_means_are_of_the_sounds_that_a_face_makes() -> None:
    row = {"face": "1", "kind": "photo", "identity": 0.9, "change": 2.0}
    found = [
        {**row, "sound": "laugh", "success": True},
        {**row, "sound": "laugh", "success": False, "identity": 0.7},
        {**row, "sound": "rain", "success": None, "change": 0.0, "identity": 1.0},
    ]
    lines = list(told(found))
    assert lines[0] == "photo, all: 2 edits, success 0.50, identity 0.80, change 2.00"
    assert lines[-1].startswith("photo, rain: 1 edits, success nan")


def test_rain_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    columns = [f"{name}_{i}" for i in range(1, 6) for name in ("yamnet", "score")]
    known = ["file", "source", "licence", "dataset_label", "meta", "yamnet_max3", *columns]
    (tmp_path / "sounds" / "labels.csv").write_text(",".join(known) + "\n", encoding="utf-8")
    with pytest.raises(FileNotFoundError, match="no held-out rain"):
        noises(tmp_path)
