"""Looks of photographs from a handful of them, and the reading of a tiny model's drawings."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from multimodal.faces import align_or_crop
from multimodal.fidelity.mesh.network import FaceMesh
from recipes.fidelity import face_mesh, train_fidelity
from tests.tiny_editor import tiny_editor

PHOTOS = Path(__file__).parents[2] / "multimodal" / "fidelity" / "photos"
GROUPS = {"023": "child", "046": "old", "051": "woman", "059": "man", "086": ""}


@pytest.fixture
def portraits(tmp_path: Path) -> Path:
    """Five aligned photographs, four with a group, and one as a pair that smiles."""
    rows = []
    for stem, group in GROUPS.items():
        path = PHOTOS / f"{stem}.jpg"
        crop, _, _ = align_or_crop(Image.open(path).convert("RGB"), 256)
        for expression in ("neutral", "smiling") if not group else ("",):
            name = f"{path.stem}{expression}.png"
            crop.save(tmp_path / name)
            person = path.stem if expression else ""
            about = {"split": "train", "person": person, "expression": expression}
            rows.append({"file": name, **about, "group": group})
    for table in ("index.csv", "groups.csv"):
        with open(tmp_path / table, "w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return tmp_path


@pytest.mark.slow
def test_looks_are_made_and_read(
    portraits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.edits.load_editor", lambda *_: tiny_editor(tmp_path))
    few = {text: train_fidelity.PROMPTS[text] for text in ("an old person", "a man", "glasses")}
    monkeypatch.setattr(train_fidelity, "PROMPTS", few)
    monkeypatch.setattr("recipes.fidelity.averages.TURNED", 2.0)
    monkeypatch.setattr(train_fidelity, "LINED", ("046.png",))
    out = tmp_path / "run"
    given = ["--portraits", str(portraits), "--groups", str(portraits / "groups.csv")]
    train_fidelity.main([*given, "--out", str(out), "--faces", "1"])
    with safe_open(out / "looks.safetensors", "np") as file:
        assert file.metadata()["names"] == "old,child,man,smile,sad"
        made = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert made["shapes"].shape == (5, 468, 2)
    assert made["textures"].shape == (5, 128, 128, 3)
    assert made["reading"].shape == (468 * 2 + 24 * 24 * 3, 5)
    assert made["lines"].min() < made["lines"].max(), "the old face has wrinkles"
    assert made["lines"].max() <= 0.151, "that do not shine"
    assert all(np.isfinite(values).all() for values in made.values())
    assert not made["shapes"][3].any(), "the pair is one picture twice"
    assert np.abs(made["shapes"][0]).max() > 0
    before = (out / "looks.safetensors").read_bytes()
    train_fidelity.main([*given, "--out", str(out), "--faces", "1"])
    assert (out / "looks.safetensors").read_bytes() == before, "it goes on from what is there"


def test_weights_of_the_mesh_are_named_as_in_the_network() -> None:
    with pytest.raises(ValueError, match="face_landmark"):
        face_mesh.state_of({"conv2d_1/Kernel": np.zeros((16, 3, 3, 3), np.float32)})
    points, score = FaceMesh().eval()(torch.zeros(1, 3, 192, 192))
    assert points.shape == (1, 468, 3)
    assert score.shape == (1,)
