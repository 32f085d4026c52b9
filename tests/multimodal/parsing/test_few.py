"""Parts of one's own, learnt from a few drawings of a tiny generator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from apps.cli import run
from multimodal import FaceEditor
from multimodal.files.weights import WeightsError
from multimodal.parsing.few import FewOptions, FewParser, features_of, learn_labels
from multimodal.types import Face

PHOTO = Path(__file__).resolve().parents[1] / "faces" / "portraits" / "02_young_man.jpg"
QUICK = FewOptions(steps=300, batch=512, hidden=0, lr=0.01, decay=0.1)


@pytest.fixture(scope="module")
def editor() -> FaceEditor:
    return FaceEditor.from_pretrained("tiny", device="cpu")


def labels_of(editor: FaceEditor, w: torch.Tensor) -> list[np.ndarray]:
    """Where one feature is strong; nobody labelled the first columns."""
    generator: Any = editor.generator
    seen = features_of(generator, w)[:, -1]
    found = (seen > seen.median()).to(torch.uint8).numpy()
    found[:, :, :2] = 255
    return list(found)


def test_a_few_labels_are_found_in_other_drawings(editor: FaceEditor, tmp_path: Path) -> None:
    generator: Any = editor.generator
    w = generator.sample(12, 1).w
    wanted = labels_of(editor, w)
    few = learn_labels(generator, w[:9], wanted[:9], ("dark", "bright"), QUICK)
    again = FewParser.load(few.save(tmp_path / "labels.safetensors"))
    likely = again.probabilities(generator, w[9:])
    assert again.names == ("dark", "bright")
    assert torch.allclose(likely.sum(1), torch.ones(()), atol=1e-4)
    right = likely.argmax(1).numpy() == np.stack(wanted[9:])
    assert right[:, :, 2:].mean() > 0.8


def test_what_is_refused(editor: FaceEditor, tmp_path: Path) -> None:
    generator: Any = editor.generator
    w = generator.sample(1, 1).w
    with pytest.raises(ValueError, match="0 labels for 1 faces"):
        learn_labels(generator, w, [])
    with pytest.raises(ValueError, match="name 1 parts"):
        learn_labels(generator, w, [np.zeros((8, 8), np.uint8)])
    with pytest.raises(ValueError, match="1 names for 2 parts"):
        learn_labels(generator, w, [np.eye(8, dtype=np.uint8)], ["a"])
    with pytest.raises(ValueError, match="hidden"):
        FewOptions(hidden=-1)
    path = tmp_path / "other.safetensors"
    Face(editor.generator.sample(1, 0), Image.new("RGB", (16, 16))).save(path)
    with pytest.raises(WeightsError, match="no learnt labels"):
        FewParser.load(path)


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "faces"
    words = ["sample", "--out", str(folder), "--count", "2", "--codes", "--model", "tiny"]
    assert run(words) == 0
    out = tmp_path / "labels.safetensors"
    train = ["train-labels", str(folder), "--out", str(out), "--model", "tiny", "--steps", "5"]
    assert run(train) == 2
    assert "no labels" in capsys.readouterr().err
    for path in folder.glob("*.safetensors"):
        Image.fromarray(np.tri(32, dtype=np.uint8)).save(path.with_suffix(".labels.png"))
    assert run([*train, "--names", "above,below", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parts"] == ["above", "below"]
    mask = tmp_path / "mask.png"
    parse = ["parse", str(PHOTO), "--out", str(mask), "--labels", str(out), "--model", "tiny"]
    assert run(parse) == 0
    with Image.open(mask) as seen, Image.open(PHOTO) as shown:
        assert seen.size == shown.size
        assert seen.mode == "P"
    assert run([*parse, "--region", "wings"]) == 2
    assert "'wings' is not one of above, below" in capsys.readouterr().err
    assert run([*parse, "--matte"]) == 2
    next(folder.glob("*.labels.png")).write_bytes(b"no picture")
    assert run(train) == 2
    assert "labels are a PNG" in capsys.readouterr().err
