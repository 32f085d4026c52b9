"""A generator brought to another domain of few pictures: what moves, what stays, what resumes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from guidance.clip import save_clip
from multimodal.generators import load_generator, save_generator
from multimodal.inversion.encoders.bundle_encoder import BundleEncoderConfig
from multimodal.inversion.encoders.encoder_files import save_bundle_encoder
from recipes.checkpoint import EDITS_FILE, load_run, save_edits, save_shapes
from recipes.clip.clip_model import ClipConfig, new_clip
from recipes.generator import train_generator, train_portrait
from recipes.generator.train_portrait import activations, correspondence
from recipes.loop import RunConfig, start
from tests.tiny_text import tiny_sentence_model

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of an untrained generator, its file, a CLIP and four photos."""
    root = tmp_path_factory.mktemp("portrait")
    torch.manual_seed(0)
    shape = BundleEncoderConfig(12, 32, width=16, hidden=16, feedback=True, passes=2)
    parts = train_generator.build(32, (8, 8, 8, 8), 1e-3, 1, shape)
    run = start(RunConfig(root / "run", 1))
    run.save(parts.named())
    save_shapes(root / "run", parts.generator, parts.encoder)
    save_generator(parts.generator, root / "generator.safetensors")
    clip = new_clip(tiny_sentence_model(root / "text"), ClipConfig(image_size=32, dim=16))
    (root / "photos").mkdir()
    for index in range(4):
        Image.new("RGB", (48, 48), (60 * index, 90, 120)).save(root / f"photos/{index}.png")
    return {
        "run": root / "run",
        "generator": root / "generator.safetensors",
        "photos": root / "photos",
        "clip": save_clip(clip, root / "clip"),
    }


def _adapt(trained: dict[str, Path], out: Path, steps: int) -> None:
    import typer

    app = typer.Typer()
    app.command()(train_portrait.main)
    words = [part for name, path in trained.items() for part in (f"--{name}", str(path))]
    options = ["--out", str(out), "--batch", "3", "--steps", str(steps)]
    result = CliRunner().invoke(app, [*words, *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_convolutions_move_and_styles_stay(trained: dict[str, Path], tmp_path: Path) -> None:
    _adapt(trained, tmp_path / "out", 2)
    _adapt(trained, tmp_path / "out", 3)
    state = torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)
    assert (state["step"], state["images"]) == (3, 9)
    new, old = state["generator"], load_generator(trained["generator"], "cpu").state_dict()
    for name, tensor in new.items():
        stays = "affine" in name or name.startswith("mapping.")
        if stays or name.endswith("conv1.weight"):
            assert torch.equal(tensor, old[name]) == stays, name
    drawn = load_generator(tmp_path / "out" / "generator.safetensors", "cpu")
    assert torch.isfinite(drawn.synthesize(drawn.sample(1, 0).w)).all()
    assert load_run(tmp_path / "out")[1].config.passes == 2
    assert (tmp_path / "out" / "portraits.png").is_file()


def test_a_packed_model_is_adapted_without_its_training(
    trained: dict[str, Path], tmp_path: Path
) -> None:
    model = tmp_path / "model"
    generator, encoder = load_run(trained["run"])
    save_generator(generator, model / "generator.safetensors")
    save_bundle_encoder(encoder, model / "encoder.safetensors")
    save_edits(trained["run"], model / EDITS_FILE)
    shutil.copytree(trained["clip"], model / "clip")
    _adapt({"run": model, "photos": trained["photos"]}, tmp_path / "out", 1)
    assert load_run(tmp_path / "out")[0].resolution == 32
    with pytest.raises(FileNotFoundError, match="no generator run and no model"):
        load_run(tmp_path / "nothing")


def test_correspondence_is_of_resemblances_and_not_of_pictures() -> None:
    source = torch.Generator().manual_seed(0)
    maps = [torch.randn(4, 8, 4, 4, generator=source) for _ in range(2)]
    assert float(correspondence(maps, maps)) == pytest.approx(0, abs=1e-6)
    turned = [3 * m.flip(1) for m in maps]
    assert float(correspondence(turned, maps)) == pytest.approx(0, abs=1e-6)
    swapped = [m[[1, 0, 2, 3]] for m in maps]
    assert float(correspondence(swapped, maps)) > 1e-4


def test_activations_are_of_every_convolution_and_let_go() -> None:
    generator = load_generator("tiny", "cpu")
    kept: list[torch.Tensor] = []
    with activations(generator, kept):
        generator.synthesize(generator.sample(1, 0).w)
    assert len(kept) == len(generator.synthesis.conv_layers())
    generator.synthesize(generator.sample(1, 0).w)
    assert len(kept) == len(generator.synthesis.conv_layers())
