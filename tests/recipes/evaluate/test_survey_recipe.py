"""The survey's table, on a tiny model and the smallest steps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from apps.evaluation.samples import Pack, Sample
from apps.evaluation.setting import Plan, Setting
from guidance.controls.steering import WalkConfig
from multimodal.files.bundled import HOME
from multimodal.recognition.judge import FILE_NAME, Judge, JudgeConfig, load_judge
from recipes.evaluate import evaluate_survey as survey
from recipes.evaluate import survey_cases, survey_walks
from tests.tiny_editor import tiny_editor


def _setting(folder: Path) -> Setting:
    (folder / "model").mkdir()
    editor = tiny_editor(folder / "model")
    known = load_judge(HOME / "default" / FILE_NAME).config.classes
    judge = Judge(JudgeConfig(known, 32, 32, (4, 4, 4, 4), (4, 4, 4, 4), 8)).eval()
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    pack = Pack((Sample("one", "render", Image.fromarray(pixels)),))
    return Setting(editor, judge, pack, (), folder, Plan(1, 1))


def test_rows_are_made_once_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = _setting(tmp_path)
    cases = survey_cases.inversions(0.02)
    few = [case for case in cases if case.name in ("adam in w", "programs")]
    few.append(
        survey_cases.Inversion("hmc", "hmc", {"samples": 3, "warmup": 3, "descend": 1}, True)
    )
    monkeypatch.setattr(survey_cases, "inversions", lambda share: few)
    monkeypatch.setattr(survey_cases, "COUNT", 2)
    monkeypatch.setattr(survey_cases, "CHANNEL_REGIONS", ("mouth",))
    rows = survey.Rows.open(tmp_path / "rows.jsonl")
    made = [row for slow in (False, True) for row in _inversions(setting, rows, slow)]
    assert "why" in next(row for row in made if row["method"] == "programs")
    assert all(0 <= row["acceptance"] <= 1 for row in made if row["method"] == "hmc")
    monkeypatch.setattr(survey_cases, "guidances", lambda setting: ["direction"])
    monkeypatch.setattr(survey, "SPACE_PROMPTS", ("an old person", "a smiling person"))
    monkeypatch.setattr(survey_walks, "SHORT", WalkConfig(steps=2, batch=1))
    monkeypatch.setattr(survey_walks, "WALKS", ("brightness",))
    monkeypatch.setattr(survey_walks, "better", _no_features)
    directed = [*survey.direction_rows(setting, rows, slow=False)]
    assert {"walk: brightness", "quality"} <= {row["method"] for row in directed}
    for row in (row for row in directed if "why" not in row):
        assert -1 <= row["identity"] <= 1.001
        assert row["flipped"] >= 0
    (tmp_path / "rows.jsonl").open("a").write('\n{"cut off')
    again = survey.Rows.open(tmp_path / "rows.jsonl", minutes=1e-9)
    assert again.known == rows.known
    assert [row for slow in (False, True) for row in _inversions(setting, again, slow)] == made
    with pytest.raises(survey.TimeUpError):
        again.have({"part": "inversion", "method": "another"}, dict)
    _put(tmp_path, survey.tables(rows.known.values(), ""))
    former = survey.tables(rows.known.values(), "newer")
    assert "| adam in w † | 1 |" in former
    assert "with the weights before" in former


def _inversions(setting: Setting, rows: survey.Rows, slow: bool) -> list[dict[str, object]]:
    return [*survey.inversion_rows(setting, rows, 0.02, slow)]


def _no_features(setting: Setting) -> survey_walks.Aim:
    raise ValueError("no features here")


def _put(folder: Path, text: str) -> None:
    page = folder / "page.md"
    page.write_text(f"before\n{survey.BEGIN}\nold\n{survey.END}\nafter\n")
    survey.put_into(page, text)
    survey.put_into(page, text)
    found = page.read_text()
    assert found.startswith("before")
    assert found.endswith("after\n")
    assert "old\n" not in found
    assert "| adam in w | 1 |" in found
    assert "| programs | | " in found
    with pytest.raises(ValueError, match="has no <!-- survey"):
        survey.put_into(folder / "rows.jsonl", text)
    assert json.loads((folder / "rows.jsonl").read_text().splitlines()[1])["method"]


def test_what_is_newer_counts() -> None:
    rows = [
        {"part": "inversion", "method": "quick", "face": "a", "weights": "old", "lpips": 0.5},
        {"part": "inversion", "method": "quick", "face": "a", "weights": "new", "lpips": 0.25},
    ]
    text = survey.tables(rows, "new")
    assert "| quick | 1 | 0.25 |" in text
    assert "†" not in text
