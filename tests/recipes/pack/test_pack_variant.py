"""Packing what a fine-tuned model changed, and using it as any shipped model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from multimodal import FaceEditor
from multimodal.files.bundled import find_bundle
from multimodal.files.variants import VARIANT
from multimodal.generators import save_generator
from multimodal.generators.registry import tiny_generator
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder, BundleEncoderConfig
from multimodal.inversion.encoders.encoder_files import save_bundle_encoder
from recipes.checkpoint import load_run, load_shipped
from recipes.pack import pack, pack_variant
from recipes.pack.about import About

ABOUT = '{"hardware": "two cores", "stages": [{"stage": "train_portrait", "images": 2000}]}'


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`base`, `tuned` and `about.json`."""
    monkeypatch.setenv("SEMBLANCE_CACHE", str(tmp_path / "cache"))
    shape = BundleEncoderConfig(num_layers=8, resolution=32, style_dim=32, width=16, hidden=16)
    for name, moved in (("base", 0.0), ("tuned", 0.1)):
        torch.manual_seed(0)
        generator, encoder = tiny_generator(), BundleEncoder(shape)
        with torch.no_grad():
            generator.synthesis.conv_layers()[0].weight += moved
            encoder.w0.bias += moved
        made = tmp_path / "parts" / name
        save_generator(generator, made / "generator.safetensors")
        save_bundle_encoder(encoder, made)
        sources = {"generator": made / "generator.safetensors", "encoder": made}
        pack.pack(sources, tmp_path / name, About(name))
    (tmp_path / "about.json").write_text(ABOUT)
    return tmp_path


def _command(*words: str | Path) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(pack_variant.main)
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return result.exit_code, result.output


def test_the_command_packs_and_the_editor_loads(models: Path) -> None:
    words = ("--base", models / "base", "--model", models / "tuned")
    more = ("--about", models / "about.json", "--out", models / "twin")
    code, said = _command(*words, *more)
    assert code == 0
    assert "3 files" in said
    assert (models / "twin" / VARIANT).is_file()
    find_bundle(models / "twin").verify()
    w = tiny_generator().sample(1, 0).w
    drawn = {
        name: FaceEditor.from_pretrained(models / name, device="cpu").toolkit.generator.synthesize(
            w
        )
        for name in ("base", "tuned", "twin")
    }
    far = (drawn["tuned"] - drawn["base"]).norm()
    assert float((drawn["twin"] - drawn["tuned"]).norm() / far) < 0.1
    assert _command(*words, *more)[0] == 0, "a variant is replaced"


def test_recipes_go_on_from_a_variant(models: Path) -> None:
    words = (models / "base", models / "tuned", models / "about.json", models / "twin")
    pack_variant.pack_variant(*words)
    began, went_on = load_shipped(models / "base"), load_shipped(models / "twin")
    assert {n: set(s) for n, s in went_on.items()} == {n: set(s) for n, s in began.items()}
    assert not torch.equal(began["encoder"]["w0.bias"], went_on["encoder"]["w0.bias"])
    generator, encoder = load_run(models / "twin")
    torch.testing.assert_close(generator.state_dict(), went_on["generator"])
    torch.testing.assert_close(encoder.state_dict(), went_on["encoder"])


def test_a_base_that_will_not_be_found_is_told_at_once(models: Path) -> None:
    (models / "elsewhere").mkdir()
    words = ("--base", models / "base", "--model", models / "tuned")
    more = ("--about", models / "about.json", "--out", models / "elsewhere" / "twin")
    code, said = _command(*words, *more)
    assert code == 1
    assert "no model at" in said
    assert not list((models / "elsewhere").iterdir())


def test_what_is_no_variant_stays(models: Path) -> None:
    (models / "mine").mkdir()
    (models / "mine" / "diary.txt").write_text("mine")
    with pytest.raises(ValueError, match="not a variant"):
        pack_variant.pack_variant(
            models / "base", models / "tuned", models / "about.json", models / "mine"
        )
    assert [path.name for path in (models / "mine").iterdir()] == ["diary.txt"]


def test_too_large_a_variant_is_not_put_in_place(models: Path) -> None:
    with pytest.raises(ValueError, match="together"):
        pack_variant.pack_variant(
            models / "base", models / "tuned", models / "about.json", models / "twin", limit=100
        )
    assert not (models / "twin").exists()
