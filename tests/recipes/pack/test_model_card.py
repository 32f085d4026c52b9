"""The card of a packed tiny model: facts, licences, figures, pictures, and a folder that verifies."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from apps.evaluation.report import FORMAT
from audio.encoder import SoundConfig, SoundEncoder, save_encoder
from multimodal.files.bundled import CARD, PICTURES, find_bundle
from multimodal.files.variants import write_variant
from multimodal.files.weights import WeightsError
from multimodal.generators import save_generator
from multimodal.generators.registry import tiny_generator
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder, BundleEncoderConfig
from multimodal.inversion.encoders.encoder_files import save_bundle_encoder
from multimodal.recognition.judge import Judge, JudgeConfig, save_judge
from recipes.pack import model_card
from recipes.pack.about import About, Stage
from recipes.pack.pack import pack

ABOUT = About(
    "two cores",
    (Stage("train_generator", 12_000, 30), Stage("train_clip", 40, 0.5, "one core")),
    ("Hats are not drawn.",),
    ("A paragraph about the tiny one.",),
    ({"images": 6000, "lpips": 0.31}, {"images": 12_000, "lpips": 0.25}),
)
SOUND = SoundConfig(8, (8, 8, 8), (1, 1, 1), hidden=16, heads=2, dim=24)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_generator(tiny_generator(), tmp_path / "generator.safetensors")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        judge = Judge(JudgeConfig({"sex": ("female", "male")}, 32))
        ears = SoundEncoder(SOUND)
    judge.figures = {"pictures": 40.0, "sex": 0.9375, "soft_sex": 0.8125, "years": 4.5}
    save_judge(judge, tmp_path / "judge.safetensors")
    save_encoder(ears, tmp_path / "ears", {"trained_on": {"CC-BY-NC-SA-4.0": 9, "CC0-1.0": 31}})
    names = ("generator", "judge")
    sources = {name: tmp_path / f"{name}.safetensors" for name in names}
    pack(sources | {"sound": tmp_path / "ears"}, tmp_path / "model", ABOUT)
    return tmp_path / "model"


def written(folder: Path, name: str, values: dict[str, Any], picture: str = "") -> Path:
    """A file of figures, and a picture beside it."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(values))
    if picture:
        (folder / picture).parent.mkdir(exist_ok=True)
        Image.effect_noise((1600, 400), 60).save(folder / picture)
    return folder / name


def measured(folder: Path) -> list[Path]:
    """Figures of every kind."""
    evaluate = {
        "model": "small",
        "seed": 3,
        "sizes": {"samples": 50},
        "samples": {"pictures": [["64 faces", "pictures/samples.jpg"]], "minutes": 1.0, "of": "x"},
        "encoder": {"faces": 5.0, "lpips": 0.2468, "identity": 0.91, "seconds": 0.1234,
                    "psnr": 21.5, "bars": {"lpips": 0.1, "identity": 0.85, "seconds": 0.5}},
        "steps": {"minutes": 0.0, "of": "x"},
        "distances": {"samples": 50, "heldout": 40, "frechet": 12.5, "kernel": 0.5,
                      "frechet_women_men": 20.0, "frechet_share": 0.625, "bar_share": 1 / 3},
        "neighbours": {"training": 40.0, "nearest_sample": 0.777, "minutes": 1.0, "of": "x"},
    }  # fmt: skip
    clip = {"pictures": 40.0, "sex_train": 0.99, "sex_heldout": 0.961, "sex_heldout_plain": 0.97}
    clip |= {"age_heldout": 0.612, "r@1": 0.59}
    heard = {"top1": 0.712, "mean_recall": 0.7, "recall_and_clips": {"laughter": [0.512, 20]}}
    asked = {"clips": 20, "encoder": heard, "encoder_plain": heard, "teacher": heard}
    sound = {
        "bars": {"events": 0.8, "invariance": 0.9, "seconds": 0.05},
        "events": asked,
        "sex": {"clips": 0},
        "invariance": {"8 kHz": {"median": 0.95, "p10": 0.85}},
        "latency": {"median_s": 0.02, "threads": 1},
    }
    rows = [{"method": "delta", "success": 0.654}]
    suite = {"plan": {"faces": 2}, "pictures": [["Edits by text", "text.png"]]}
    suite["tables"] = {"methods": {"about": "Each method.", "detail": False, "rows": rows}}
    edits = {"format": FORMAT, "model": "small", "judge": {}, "machine": {"threads": 1}}
    return [
        written(folder, "results.json", edits | {"suites": {"text": suite}}, "text.png"),
        written(folder, "sound.json", sound),
        written(folder, "clip.json", clip),
        written(folder, "evaluate.json", evaluate, "pictures/samples.jpg"),
    ]


def test_the_card_says_everything_and_the_folder_verifies(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = find_bundle(model).files
    words = ["recipe", "--model", str(model), "--figures", *map(str, measured(tmp_path / "out"))]
    monkeypatch.setattr(sys, "argv", words)
    model_card.main()
    assert "MODEL_CARD.md" in capsys.readouterr().out
    text = (model / CARD).read_text()
    for said in (
        "Hats are not drawn.", "two cores", "30.5 minutes", "| train_generator | 12000 | 30 | ",
        "A paragraph about the tiny one.", "| 12000 | 0.25 |", "CC-BY-NC-SA-4.0 | 9 |",
        "draws faces of 32 pixels", "0.247", "| lpips | 0.247 | <= 0.1 | no |",
        "| identity | 0.91 | >= 0.85 | yes |", "| psnr | 21.5 | - | - |", "| frechet | 12.5 |",
        "nearest sample | 0.777", "| sex | 0.961 | >= 0.95 | yes | 0.99 | 0.97 |",
        "- CLIP, age: 0.612, the bar is >= 0.9.", "- CLIP, r@1: 0.59, the bar is >= 0.6.",
        "- Inversion (one call of the encoder), lpips: 0.247, the bar is <= 0.1.",
        "- Sounds, events: 0.712, the bar is >= 0.8.", "| events | laughter | 0.512 | 20 |",
        "## Editing: Text", "| delta | 0.654 |", "![Edits by text](pictures/edits-text.jpg)",
        "![64 faces](pictures/samples.jpg)",
    ):  # fmt: skip
        assert said in text, said
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    licences = {row.split("`")[1]: row.split(" | ")[-1].strip(" |") for row in rows}
    assert licences["generator.safetensors"] == "CC0-1.0"
    assert licences["sound/sound_encoder.safetensors"] == "CC-BY-NC-SA-4.0"
    for name in ("samples", "edits-text"):
        with Image.open(model / PICTURES / f"{name}.jpg") as picture:
            assert (picture.format, picture.size) == ("JPEG", (1200, 300))
    after = find_bundle(model)
    after.verify()
    assert {name: after.files[name] for name in before} == before
    assert set(after.files) - set(before) == {
        CARD,
        "pictures/samples.jpg",
        "pictures/edits-text.jpg",
    }


def test_without_figures_only_the_judges_stand(model: Path, tmp_path: Path) -> None:
    model_card.write_card(model, measured(tmp_path / "out"))
    model_card.write_card(model)
    text = (model / CARD).read_text()
    assert "| sex | 0.938 | 0.812 |" in text
    assert "## CLIP" not in text
    assert list((model / PICTURES).iterdir()) == []  # an earlier card's are gone
    find_bundle(model).verify()
    assert f"{PICTURES}/samples.jpg" not in find_bundle(model).files


def test_the_same_figures_give_the_same_card(model: Path, tmp_path: Path) -> None:
    paths = measured(tmp_path / "out")
    texts = set()
    for order in (paths, paths[::-1]):
        model_card.write_card(model, order)
        texts.add((model / CARD).read_text())
    assert len(texts) == 1


def test_what_cannot_be_read_is_refused(model: Path, tmp_path: Path) -> None:
    other = written(tmp_path / "other", "x.json", {"loss": 1})
    with pytest.raises(ValueError, match=r"x\.json holds figures of no known kind.*evaluate_clip"):
        model_card.write_card(model, [other])
    with pytest.raises(FileNotFoundError, match=r"nothing\.json"):
        model_card.write_card(model, [tmp_path / "nothing.json"])
    paths = measured(tmp_path / "out")
    (tmp_path / "out" / "text.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"text\.png"):
        model_card.write_card(model, paths)
    assert not (model / CARD).exists()


def test_a_changed_model_gets_no_card(model: Path) -> None:
    (model / "generator.safetensors").write_bytes(b"something else")
    with pytest.raises(WeightsError):
        model_card.write_card(model)
    assert not (model / CARD).exists()


def test_a_variant_points_to_the_card_of_its_base(model: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    shape = BundleEncoderConfig(8, 32, 32, width=16, hidden=16)
    generator, encoder = tiny_generator(), BundleEncoder(shape)
    for name, moved in (("base", 0.0), ("tuned", 0.1)):
        with torch.no_grad():
            encoder.w0.bias += moved
        save_generator(generator, tmp_path / "parts" / "generator.safetensors")
        save_bundle_encoder(encoder, tmp_path / "parts")
        sources = {"generator": tmp_path / "parts" / "generator.safetensors"}
        pack(sources | {"encoder": tmp_path / "parts"}, tmp_path / name, ABOUT)
    (tmp_path / "twin").mkdir()
    (tmp_path / "twin" / "about.json").write_text((tmp_path / "base" / "about.json").read_text())
    write_variant(tmp_path / "base", tmp_path / "tuned", tmp_path / "twin")
    model_card.write_card(tmp_path / "twin")
    text = (tmp_path / "twin" / CARD).read_text()
    assert "A variant of the model `base`" in text
    assert "[its card](../base/MODEL_CARD.md)" in text
    assert "difference.safetensors" in text
    assert "MakeHuman" not in text
