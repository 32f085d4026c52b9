"""Training on photographs and renders together: what learns, what stays, what travels."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from multimodal.generators import save_generator
from multimodal.generators.photo_codes import PhotoCodes
from multimodal.generators.smaller import drawn_at
from multimodal.inversion.encoders.bundle_encoder import BundleEncoderConfig
from multimodal.inversion.encoders.encoder_files import save_bundle_encoder
from recipes.checkpoint import EDITS_FILE, save_edits
from recipes.generator import train_generator
from recipes.generator.photographs import parcel, photo_codes, train
from recipes.generator.photographs.look import Look
from recipes.generator.photographs.portraits import held_back, read_index
from recipes.loop import RunConfig, start

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of untrained networks."""
    root = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    shape = BundleEncoderConfig(12, 32, width=16, hidden=16, feedback=True, passes=2)
    parts = train_generator.build(32, (8, 8, 8, 8), 1e-3, 1, shape)
    start(RunConfig(root / "run", 1)).save(parts.named())
    save_generator(parts.generator, root / "generator.safetensors")
    save_bundle_encoder(parts.encoder, root / "encoder.safetensors")
    save_edits(root / "run", root / EDITS_FILE)
    return root


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine portraits of two sources, one of them held out."""
    root = tmp_path_factory.mktemp("photos")
    rows = [["file", "source", "person", "split"]]
    for index in range(9):
        source = "ours" if index % 2 else "theirs"
        (root / source).mkdir(exist_ok=True)
        picture = Image.effect_noise((48, 48), 40 + index).convert("RGB")
        picture.save(root / source / f"{index}.png")
        rows.append([f"{source}/{index}.png", source, "", "train" if index else "heldout"])
    with (root / "index.csv").open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines).writerows(rows)
    return root


def _run(main: object, **options: object) -> str:
    app = typer.Typer()
    app.command()(main)  # type: ignore[arg-type]
    words = [w for k, v in options.items() for w in (f"--{k.replace('_', '-')}", str(v))]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_it_learns_resumes_and_leaves_parts_that_go_on(
    model: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = {"photos": photos, "model": model, "batch": 2, "adversarial": 0.1}
    _run(train.main, out=out, steps=3, **options)
    _run(train.main, out=out, steps=6, **options)
    state = torch.load(out / "checkpoint.pt", weights_only=True)
    assert (state["step"], state["images"]) == (6, 12)
    states, about = parcel.load_parts(out / "parts")
    assert about == {"step": 6, "images": 12}
    before = train.Parts.of(model, torch.device("cpu")).generator.state_dict()
    for name, tensor in states["generator"].items():
        stays = "affine" in name or name.startswith("mapping.")
        if stays or name.endswith("conv1.weight"):
            same = torch.allclose(tensor, before[name], atol=1e-3, rtol=1e-3)
            assert same or not stays, name
    assert states["look"]["direction"].abs().sum() > 0
    _run(train.main, out=tmp_path / "next", steps=1, go_on=out / "parts", **options)
    again, _ = parcel.load_parts(tmp_path / "next" / "parts")
    torch.testing.assert_close(again["look"]["direction"], states["look"]["direction"])


def test_a_parcel_holds_all_that_a_training_needs(
    model: Path, photos: Path, tmp_path: Path
) -> None:
    box = tmp_path / "box"
    said = _run(parcel.main, photos=photos, model=model, out=box, leave_out="theirs")
    assert "MiB" in said
    assert (box / "recipes" / "generator" / "photographs" / "train.py").is_file()
    assert not list(box.rglob("*.dat"))
    assert {p.source for p in read_index(box / "photos", "train")} == {"ours"}
    assert all(file.stat().st_size < 2**24 for file in box.rglob("*") if file.is_file())
    _run(train.main, parcel=box, out=tmp_path / "out", batch=2, steps=1)
    assert (tmp_path / "out" / "parts" / "parts.json").is_file()
    with pytest.raises(FileExistsError, match="give a new folder"):
        parcel.pack(photos, model, box)


def test_where_photographs_are_drawn_is_fitted_to_their_codes(
    model: Path, photos: Path, tmp_path: Path
) -> None:
    said = _run(photo_codes.main, photos=photos, model=model, out=tmp_path, axes=4)
    assert "4 axes of 8 codes" in said
    generator = train.Parts.of(model, torch.device("cpu")).generator
    found = PhotoCodes.load(tmp_path)
    assert found.axes.shape == (4, generator.num_layers, generator.style_dim)
    assert found.sample(2, 0).w.shape == (2, generator.num_layers, generator.style_dim)


def test_large_states_are_cut_into_parts(tmp_path: Path) -> None:
    states = {
        "a": {str(i): torch.full((2**21,), float(i)) for i in range(5)},
        "b": {"n": torch.ones(1)},
    }
    parcel.save_parts(states, tmp_path, "many")
    sizes = [file.stat().st_size for file in tmp_path.glob("*.safetensors")]
    assert len(sizes) == 2
    assert max(sizes) < 2**24
    found, about = parcel.load_parts(tmp_path)
    assert about == "many"
    assert {k: float(v[0]) for k, v in found["a"].items()} == {str(i): float(i) for i in range(5)}
    with pytest.raises(FileNotFoundError, match="no parts"):
        parcel.load_parts(tmp_path / "nothing")


def test_nobody_is_learnt_from_and_chosen_by(photos: Path) -> None:
    portraits = read_index(photos, "train")
    assert len(portraits) == 8
    learnt, judged = held_back(portraits, 0.25)
    assert (len(learnt), len(judged)) == (6, 2)
    assert not {p.person for p in learnt} & {p.person for p in judged}
    assert held_back(portraits, 0.25)[1] == judged
    with pytest.raises(ValueError, match="no portraits of split 'train'"):
        read_index(photos, "train", ("ours", "theirs"))
    with pytest.raises(FileNotFoundError, match=r"index\.csv"):
        read_index(photos / "ours", "train")


def test_the_look_is_a_coordinate_beside_the_factors() -> None:
    source = torch.Generator().manual_seed(0)
    renders, factors = torch.randn(50, 16, generator=source), torch.randn(16, 3, generator=source)
    photographs = renders + 2 * torch.randn(16, generator=source)
    look = Look(16)
    look.fit(renders, photographs, factors)
    assert abs(float(look.read(renders).mean())) < 1e-5
    assert float(look.read(photographs).mean()) == pytest.approx(1, abs=1e-4)
    turned = look.turned(renders, 1.0)
    torch.testing.assert_close(look.read(turned), torch.ones(50))
    torch.testing.assert_close(turned @ factors, renders @ factors, atol=1e-3, rtol=1e-3)


def test_half_the_side_is_what_the_first_blocks_paint(model: Path) -> None:
    generator = train.Parts.of(model, torch.device("cpu")).generator
    generator.dtype = torch.float32
    w_plus = generator.sample(2, 0).w
    assert drawn_at(generator, w_plus, 16).shape == (2, 3, 16, 16)
    whole = generator.synthesize(w_plus, noise="none")
    torch.testing.assert_close(drawn_at(generator, w_plus, 32), whole)
