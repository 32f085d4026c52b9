"""`semblance directions`: each method's directions are measured, kept and found again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from apps.cli import run
from guidance.controls.control import Attributes
from guidance.methods.directions import ChannelStatistics
from multimodal import FaceEditor
from tests.apps.model_folder import another_clip, small_model


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("small"))


@pytest.fixture
def model(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEMBLANCE_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copytree(pristine, tmp_path / "model"))


def ok(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    assert run(["directions", *map(str, words), "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def known(model: Path) -> dict[str, torch.Tensor]:
    editor = FaceEditor.from_pretrained(model, device="cpu")
    return {name: offset.w for name, offset in editor.directions.items() if offset.w is not None}


def test_unnamed_directions_become_sliders(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ok(capsys, "list", "--model", model) == {"directions": []}
    assert ok(capsys, "sefa", "--model", model, "--count", 3, "--layers", "0,1")["directions"] == 3
    words = ("ganspace", "--model", model, "--count", 2, "--samples", 100)
    assert ok(capsys, *words)["file"] == str(model / "ganspace.safetensors")
    names = ["sefa 1", "sefa 2", "sefa 3", "ganspace 1", "ganspace 2"]
    assert ok(capsys, "list", "--model", model) == {"directions": names}
    moved = known(model)["ganspace 1"]
    assert moved.shape == (1, 8, 16)
    assert torch.equal(moved[:, 0], moved[:, 7])
    first = (model / "ganspace.safetensors").read_bytes()
    ok(capsys, *words)
    assert (model / "ganspace.safetensors").read_bytes() == first


def test_named_directions_join_those_before(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("--model", model, "--samples", 100)
    assert ok(capsys, "attributes", "smile", "hair_red", *few)["directions"] == [
        "smile",
        "hair_red",
    ]
    described = ("--more", "a face with freckles", "--less", "a face without freckles")
    ok(capsys, "attributes", "freckles", *described, *few)
    ok(capsys, "conditional", "smile", "hair_red", "freckles", "--model", model)
    found = known(model)
    cleared = found["smile without hair_red and freckles"]
    assert set(found) == {"smile", "hair_red", "freckles", "smile without hair_red and freckles"}
    assert float(found["hair_red"][:, :4].abs().max()) == 0
    for name in ("hair_red", "freckles"):
        assert abs(float((cleared * found[name]).sum())) < 1e-4
    assert float((cleared * found["smile"]).sum()) > 0


def test_statistics_are_what_edits_read(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("statistics", "--model", model, "--images", 1, "--samples", 100, "--device", "cpu")
    told = ok(capsys, *words)
    found = ChannelStatistics.load(model / "directions.safetensors")
    assert len(found.effects) == told["channels"] > 0
    editor = FaceEditor.from_pretrained(model, device="cpu")
    face = editor.sample(0)
    assert editor.edit(face, text="old", method="direction").scores["strength"] == 1.0


def test_another_clip_and_another_folder_stay_apart(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = another_clip(tmp_path / "clip")
    few = ("attributes", "age", "--model", model, "--samples", 100)
    told = ok(capsys, *few, "--clip", other)
    assert Path(told["file"]).is_relative_to(tmp_path / "cache")
    assert ok(capsys, "list", "--model", model) == {"directions": []}
    assert ok(capsys, "list", "--model", model, "--clip", other) == {"directions": ["age"]}
    told = ok(capsys, *few, "--out", tmp_path / "apart")
    assert list(Attributes.load(tmp_path / "apart").directions) == ["age"]
    assert ok(capsys, "list", "--model", model) == {"directions": []}


def test_a_shipped_model_stays_as_it_was_checked(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from multimodal.files.bundled import MANIFEST, write_manifest

    write_manifest(model, {})
    before = sorted(path.name for path in model.iterdir())
    assert MANIFEST in before
    told = ok(capsys, "sefa", "--model", model, "--count", 1)
    assert Path(told["file"]).is_relative_to(tmp_path / "cache")
    assert ok(capsys, "list", "--model", model) == {"directions": ["sefa 1"]}
    assert sorted(path.name for path in model.iterdir()) == before
    assert run(["directions", "statistics", "--model", str(model)]) == 2
    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("attributes elbow", "elbow"),
        ("attributes one two --more a --less b", "one name"),
        ("attributes one --more a", "--less"),
        ("attributes a,b --more a --less b", "--keep"),
        ("attributes identity --more a --less b", "--keep"),
        ("attributes smile --samples 3", "samples"),
        ("conditional smile elbow", "smile"),
        ("sefa --layers 1,x", "1,x"),
        ("sefa --layers 99", "99"),
        ("sefa --count 0", "count"),
        ("list --model NOWHERE", "NOWHERE"),
    ],
)
def test_bad_input_is_one_line(
    model: Path, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    name, *rest = words.split()
    assert run(["directions", name, "--model", str(model), *rest]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err.strip().splitlines()[-1]


def test_a_projection_that_leaves_nothing_is_refused(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = torch.randn(8, 16)
    Attributes({"a": row, "b": row * -2}).save(model / "attributes.safetensors")
    assert run(["directions", "conditional", "a", "b", "--model", str(model)]) == 2
    assert "nothing of 'a'" in capsys.readouterr().err
