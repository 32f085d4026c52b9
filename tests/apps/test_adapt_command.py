"""`semblance adapt`: two texts make a model of its own, the same under the same seed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from apps.cli import run
from multimodal import FaceEditor
from multimodal.generators import load_generator
from tests.apps.model_folder import small_model


def test_two_texts_make_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = small_model(tmp_path)
    before = load_generator(model / "generator.safetensors", "cpu")
    made = []
    for name in ("one.safetensors", "two.safetensors"):
        words = ["photo", "sketch", "--model", str(model), "--steps", "2"]
        assert run(["adapt", *words, "--out", str(tmp_path / name), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["target"] == "sketch"
        made.append(load_generator(tmp_path / name, "cpu").state_dict())
    assert all(torch.equal(made[0][key], made[1][key]) for key in made[0])
    assert any(not torch.equal(made[0][key], value) for key, value in before.state_dict().items())
    editor = FaceEditor.from_pretrained(tmp_path / "one.safetensors", device="cpu")
    assert editor.generator.resolution == before.resolution


def test_what_cannot_be_adapted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = small_model(tmp_path)
    assert (
        run(["adapt", "photo", "", "--model", str(model), "--out", f"{tmp_path}/a.safetensors"])
        == 2
    )
    assert run(["adapt", "photo", "sketch", "--model", str(model), "--out", "a.png"]) == 2
    assert "safetensors" in capsys.readouterr().err
    assert not (tmp_path / "a.safetensors").exists()
