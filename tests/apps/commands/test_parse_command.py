"""`semblance parse`: masks as files, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from apps.cli import run
from multimodal.parsing import CLASSES, ParserConfig, ParserNetwork, save_parser

PHOTO = sorted((Path(__file__).resolve().parents[3] / "apps" / "samples" / "faces").glob("*.jpg"))[
    0
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained parser that says hair everywhere."""
    folder = tmp_path_factory.mktemp("model")
    network = ParserNetwork(ParserConfig(64, (8, 8))).eval()
    with torch.no_grad():
        last = [layer for layer in network.read if isinstance(layer, torch.nn.Conv2d)][-1]
        last.weight.zero_()
        assert last.bias is not None
        # Each class has four channels, one for each of the pixels that are told apart.
        last.bias.copy_(9.0 * (torch.arange(len(last.bias)) // 4 == CLASSES.index("hair")))
    save_parser(network, folder / "parser.safetensors")
    return folder


def test_masks_have_the_size_of_the_photo(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mask.png"
    words = ["parse", str(PHOTO), "--out", str(out), "--model", str(model), "--overlay", "--json"]
    assert run(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["shares"]["hair"] > 0.3
    with Image.open(PHOTO) as photo, Image.open(out) as mask:
        assert mask.size == photo.size
        assert mask.mode == "P"
        values = np.asarray(mask)
    assert set(np.unique(values)) <= {0, CLASSES.index("hair")}
    assert Path(told["overlay"]).is_file()
    assert run([*words[:-2], "--region", "hair"]) == 0
    with Image.open(out) as grey:
        assert grey.mode == "L"
        assert np.asarray(grey).max() > 240


def test_a_matte_cuts_the_photo_out(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "alpha.png"
    words = ["parse", str(PHOTO), "--out", str(out), "--model", str(model), "--matte", "--json"]
    assert run(words) == 0
    told = json.loads(capsys.readouterr().out)
    with Image.open(out) as alpha, Image.open(told["cutout"]) as cut:
        assert (alpha.mode, cut.mode) == ("L", "RGBA")
        assert np.array_equal(np.asarray(cut)[..., 3], np.asarray(alpha))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--out", "mask.jpg"], ".png"),
        (["--out", "mask.png", "--region", "wings"], "'wings' is not one of"),
        (["--out", "mask.png", "--model", "nowhere-at-all"], "nowhere-at-all"),
    ],
)
def test_bad_wishes_are_told(
    words: list[str], why: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multimodal.parsing.files.HOME", Path("nowhere"))
    assert run(["parse", str(PHOTO), *words]) == 2
    assert why in capsys.readouterr().err
