"""Kernel distances of samples from photographs, and their sheets."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from multimodal import FaceEditor
from multimodal.generators.photo_codes import PhotoCodes
from recipes.evaluate import evaluate_samples


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rows = [["file", "source", "person", "split"]]
    for index in range(8):
        Image.effect_noise((40, 40), 30 + index).convert("RGB").save(tmp_path / f"{index}.png")
        rows.append([f"{index}.png", "ours", "", "train" if index % 2 else "heldout"])
    with (tmp_path / "index.csv").open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines).writerows(rows)
    return tmp_path


def test_both_looks_are_measured(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = FaceEditor.from_pretrained("tiny", device="cpu")
    shape = (20, editor.generator.num_layers, editor.generator.style_dim)
    codes = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    known = replace(editor, photographs=PhotoCodes.fit(codes, 4))
    monkeypatch.setattr(FaceEditor, "from_pretrained", lambda *_, **__: known)
    app = evaluate_samples.typer.Typer()
    app.command()(evaluate_samples.main)
    words = ["--photos", str(photos), "--out", str(tmp_path / "out"), "--count", "64"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    found = json.loads(result.output)
    assert set(found) == {"photographs", "photo", "render"}
    for look in ("photo", "render"):
        side = editor.generator.resolution
        with Image.open(tmp_path / "out" / f"samples-{look}.png") as sheet:
            assert sheet.size == (8 * (side + 2) + 2,) * 2
