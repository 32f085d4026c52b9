"""The survey's table, on a tiny model and the smallest steps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from apps.evaluation.samples import Pack, Sample
from apps.evaluation.setting import Plan, Setting
from multimodal.files.bundled import HOME
from multimodal.recognition.judge import FILE_NAME, Judge, JudgeConfig, load_judge
from recipes.evaluate import evaluate_survey as survey
from recipes.evaluate import survey_cases
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
    few = [
        case
        for case in survey_cases.inversions(0.02)
        if case.name in ("adam in w", "programs", "hmc")
    ]
    monkeypatch.setattr(survey_cases, "inversions", lambda share: few)
    monkeypatch.setattr(survey_cases, "COUNT", 2)
    said: list[str] = []
    rows = survey.Rows.open(tmp_path / "rows.jsonl")
    made = [*survey.inversion_rows(setting, rows, 0.02, said.append)]
    assert "why" in next(row for row in made if row["method"] == "programs")
    assert all(0 <= row["acceptance"] <= 1 for row in made if row["method"] == "hmc")
    monkeypatch.setattr(survey_cases, "guidances", lambda setting: ["direction"])
    monkeypatch.setattr(survey, "SPACE_PROMPTS", ("an old person", "a smiling person"))
    directed = [*survey.direction_rows(setting, rows, said.append)]
    for row in (row for row in directed if "why" not in row):
        assert -1 <= row["identity"] <= 1.001
        assert row["flipped"] >= 0
    (tmp_path / "rows.jsonl").open("a").write('\n{"cut off')
    again = survey.Rows.open(tmp_path / "rows.jsonl")
    assert again.known == rows.known
    assert [*survey.inversion_rows(setting, again, 0.02, said.append)] == made
    page = tmp_path / "page.md"
    page.write_text(f"before\n{survey.BEGIN}\nold\n{survey.END}\nafter\n")
    text = survey.tables(rows.known.values(), 0.02)
    survey.put_into(page, text)
    survey.put_into(page, text)
    found = page.read_text()
    assert found.startswith("before")
    assert found.endswith("after\n")
    assert "old\n" not in found
    assert "| adam in w | 1 |" in found
    assert "| programs | | " in found
    with pytest.raises(ValueError, match="has no <!-- survey"):
        survey.put_into(tmp_path / "rows.jsonl", text)
    assert json.loads((tmp_path / "rows.jsonl").read_text().splitlines()[1])["method"]
