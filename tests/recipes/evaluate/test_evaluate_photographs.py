"""Held-out photographs drawn back by a tiny model, and what is measured of them."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from apps.samples import faces
from multimodal.images import load_image
from recipes.evaluate import evaluate_photographs
from recipes.generator.photographs.shape import MeshDistance
from recipes.generator.photographs.train import sized


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three portraits, two of them held out."""
    root = tmp_path_factory.mktemp("photos")
    rows = [["file", "source", "person", "split"]]
    for index, sample in enumerate(faces()[:3]):
        shutil.copy(sample, root / f"{index}.jpg")
        rows.append([f"{index}.jpg", "ours", "", "heldout" if index else "train"])
    with (root / "index.csv").open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines).writerows(rows)
    return root


def test_figures_of_the_default_model(photos: Path) -> None:
    app = typer.Typer()
    app.command()(evaluate_photographs.main)
    words = ["--photos", str(photos), "--model", "multimodal/bundle/default"]
    said = CliRunner().invoke(app, words, catch_exceptions=False)
    found = json.loads(said.output)["photographs"]
    assert found["pictures"] == 2
    assert found.keys() == {"pictures", *evaluate_photographs.FIGURES, "seconds"}
    assert 0 < found["lpips"] < 0.8
    assert -1 <= found["identity"] <= 1


def test_a_mesh_lies_where_the_face_is() -> None:
    """No distance from itself, some from the face moved, and gradients that lead back."""
    from multimodal.faces import FaceAligner
    from multimodal.images import to_tensor

    crop = FaceAligner().align(load_image(faces()[0]), 256).image
    real = to_tensor(crop)
    moved = real.roll(10, dims=3).requires_grad_(True)
    measure = MeshDistance(torch.device("cpu"))
    # The loss is smooth near none, so none is not quite zero.
    assert float(measure(real, real)) < 0.002
    away = measure(moved, real)
    assert 0.05 < float(away) < 0.4
    away.backward()
    assert float(moved.grad.abs().sum()) > 0  # type: ignore[union-attr]
    assert sized(real, 128).shape[-1] == 128
