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


def test_a_folder_gets_the_other_parts_too(tmp_path: Path) -> None:
    model, out = small_model(tmp_path), tmp_path / "new"
    words = ["adapt", "photo", "sketch", "--model", str(model), "--steps", "1"]
    assert run([*words, "--out", str(out)]) == 0
    names = {path.relative_to(model).as_posix() for path in model.rglob("*") if path.is_file()}
    assert names == {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    editor = FaceEditor.from_pretrained(out, device="cpu")
    assert editor.embed(text="old").shape == (1, 16)
    old, new = (load_generator(f / "generator.safetensors", "cpu") for f in (model, out))
    assert any(
        not torch.equal(a, b) for a, b in zip(old.parameters(), new.parameters(), strict=True)
    )
    assert run([*words, "--out", str(out)]) == 2, "a folder with something in it is left alone"


def test_what_cannot_be_adapted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = small_model(tmp_path)
    assert (
        run(["adapt", "photo", "", "--model", str(model), "--out", f"{tmp_path}/a.safetensors"])
        == 2
    )
    assert run(["adapt", "photo", "sketch", "--model", str(model), "--out", "a.png"]) == 2
    assert "safetensors" in capsys.readouterr().err
    assert not (tmp_path / "a.safetensors").exists()
