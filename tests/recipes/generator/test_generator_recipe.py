"""The generator's recipe end to end on a handful of tiny pictures: train, resume, fit, encode."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from guidance.clip import save_clip
from multimodal.generators import load_generator, save_generator
from multimodal.inversion.encoders.bundle_encoder import EFFICIENTNET, BundleEncoderConfig
from multimodal.inversion.encoders.encoder_files import ENCODER_FILE, save_bundle_encoder
from recipes.checkpoint import EDITS_FILE, load_edits, load_run, save_edits
from recipes.clip.clip_model import ClipConfig, new_clip
from recipes.data import Faces, index_batches
from recipes.encoder import train_encoder
from recipes.encoder.encoder_trunk import take_trunk
from recipes.factors.attributes import NAMES, attribute_vector
from recipes.generator import fit_mapping, train_generator
from recipes.generator.factor_code import FactorCode
from recipes.generator.pairs import FaceBatches, MixedBatches
from recipes.render.factors import Factors, sample_factors
from recipes.render.pairs import redrawn
from tests.tiny_text import tiny_sentence_model

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("renders") / "shard_00000"
    folder.mkdir()
    pictures = np.random.default_rng(0).integers(0, 255, (12, 32, 32, 3), dtype=np.uint8)
    np.save(folder / "images.npy", pictures)
    rows = [json.dumps(sample_factors(seed).to_dict()) for seed in range(12)]
    (folder / "factors.jsonl").write_text("\n".join(rows))
    return folder.parent


def _run(monkeypatch: pytest.MonkeyPatch, recipe: object, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["recipe", *map(str, arguments)])
    recipe.main()  # type: ignore[attr-defined]


def _shipped(run: Path, generator: Path, folder: Path) -> Path:
    """A model folder's parts that a generator's training can go on from."""
    folder.mkdir()
    save_generator(load_generator(generator, "cpu"), folder / "generator.safetensors")
    save_bundle_encoder(load_run(run)[1], folder / ENCODER_FILE)
    save_edits(run, folder / EDITS_FILE)
    return folder


def test_train_resume_fit_and_encode(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "generator"
    common = ["--data", shards, "--out", run, "--resolution", 32, "--channels", "16,16,16,16"]
    common += ["--batch", 4, "--mapping-layers", 2, "--adversarial-from", 8, "--again", 0.5]
    _run(monkeypatch, train_generator, *common, "--steps", 3)
    _run(monkeypatch, train_generator, *common, "--steps", 4, "--identity")
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    assert (state["step"], state["images"]) == (4, 16)
    generator, encoder = load_run(run)
    assert (generator.resolution, encoder.config.num_layers) == (32, 12)
    assert (run / "reconstructions.png").is_file()

    fitted = tmp_path / "mapping"
    steps = ["--flow-steps", 3, "--distill-steps", 3, "--pairs", 64]
    _run(monkeypatch, fit_mapping, "--data", shards, "--run", run, "--out", fitted, *steps)
    drawn = load_generator(fitted / "generator.safetensors", "cpu")
    assert torch.isfinite(drawn.synthesize(drawn.sample(2, seed=0).w)).all()
    assert drawn.w_avg.abs().sum() > 0

    shipped = _shipped(run, fitted / "generator.safetensors", tmp_path / "shipped")
    further = tmp_path / "further"
    common[3] = further
    _run(monkeypatch, train_generator, *common, "--steps", 0, "--start-from", shipped)
    went_on = torch.load(further / "checkpoint.pt", weights_only=True)
    torch.testing.assert_close(went_on["edits"]["weight"], load_edits(run))
    torch.testing.assert_close(went_on["edits"]["bias"], state["average"]["module.edits.bias"])
    torch.testing.assert_close(went_on["encoder"], encoder.state_dict())
    name = "mapping.fc0.weight"
    torch.testing.assert_close(went_on["generator"][name], drawn.state_dict()[name])


def test_pairs_teach_directions(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pairs" / "shard_00000"
    folder.mkdir(parents=True)
    pictures = np.random.default_rng(0).integers(0, 255, (12, 32, 32, 3), dtype=np.uint8)
    np.save(folder / "images.npy", pictures)
    heads = [sample_factors(seed) for seed in range(6)]
    rows = [json.dumps(f.to_dict()) for head in heads for f in (head, redrawn(head))]
    (folder / "factors.jsonl").write_text("\n".join(rows))
    batch = next(FaceBatches(folder.parent, 32, 3, 0, torch.device("cpu")))
    assert batch.edited is not None
    assert batch.images.shape == batch.edited.shape == (3, 3, 32, 32)
    assert batch.change is not None
    assert (batch.change.abs().sum(dim=1) > 0).all()
    run = tmp_path / "generator"
    common = ["--data", folder.parent, "--out", run, "--resolution", 32]
    common += ["--channels", "16,16,16,16", "--batch", 2, "--mapping-layers", 2, "--steps", 2]
    _run(monkeypatch, train_generator, *common)
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    assert state["edits"]["weight"].abs().sum() > 0


def test_settling_moves_the_drawing_and_leaves_what_codes_mean(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = ["--data", shards, "--resolution", 32, "--channels", "16,16,16,16"]
    common += ["--batch", 4, "--mapping-layers", 2]
    _run(monkeypatch, train_generator, *common, "--out", tmp_path / "run", "--steps", 2)
    save_generator(load_run(tmp_path / "run")[0], tmp_path / "generator.safetensors")
    shipped = _shipped(tmp_path / "run", tmp_path / "generator.safetensors", tmp_path / "shipped")
    settled = tmp_path / "settled"
    more = ["--out", settled, "--steps", 3, "--start-from", shipped, "--settle"]
    _run(monkeypatch, train_generator, *common, *more)
    before = load_generator(shipped, "cpu").state_dict()
    after = load_generator(settled, "cpu").state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert "synthesis.b8.conv0.weight" in moved
    assert not [name for name in moved if "affine" in name or "mapping" in name]
    torch.testing.assert_close(load_edits(settled), load_edits(tmp_path / "run"))

    other = ["--out", tmp_path / "other", "--settle"]
    with pytest.raises(ValueError, match="give its folder"):
        _run(monkeypatch, train_generator, *common, *other)
    other += ["--start-from", shipped, "--channels", "16,16,16,24"]
    with pytest.raises(ValueError, match="another shape"):
        _run(monkeypatch, train_generator, *common, *other)


def test_what_is_written_into_a_code_is_read_from_it() -> None:
    code = FactorCode(32, 5)
    w, change = torch.randn(4, 32), torch.randn(4, 5)
    torch.testing.assert_close(code.read(w + code(change)), code.read(w) + change)


def test_an_encoder_takes_a_clips_eyes(tmp_path: Path) -> None:
    shape = BundleEncoderConfig(8, 32, 32, width=16, hidden=16, trunk=EFFICIENTNET)
    parts = train_generator.build(32, (8, 8, 8, 8), 1e-3, 1, shape)
    clip = new_clip(tiny_sentence_model(tmp_path / "text"), ClipConfig(image_size=32, dim=16))
    torch.nn.init.normal_(clip.model.visual.trunk.blocks[3][0].conv_pw.weight)
    torch.nn.init.normal_(parts.encoder.trunk.out.weight)
    encoders = (parts.encoder, parts.average.module["encoder"])
    take_trunk(encoders, save_clip(clip, tmp_path / "clip"))
    for encoder in encoders:
        taken = encoder.trunk.network.blocks[3][0].conv_pw.weight
        torch.testing.assert_close(taken, clip.model.visual.trunk.blocks[3][0].conv_pw.weight)
        assert float(encoder.trunk.out.weight.abs().sum()) == 0
    plain = train_generator.build(32, (8, 8, 8, 8), 1e-3, 1, replace(shape, trunk=""))
    with pytest.raises(ValueError, match="share"):
        take_trunk([plain.encoder], tmp_path / "clip")


def test_photos_are_seen_among_renders(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for index in range(3):
        Image.new("RGB", (48, 48), (40 * index, 90, 120)).save(photos / f"{index}.png")
    renders = FaceBatches(shards, 32, 4, 0, torch.device("cpu"))
    some = [next(MixedBatches(renders, photos, 0.5, seed)) for seed in range(12)]
    assert {batch.factors is None for batch in some} == {True, False}
    shown = next(batch for batch in some if batch.factors is None)
    assert shown.images.shape == (4, 3, 32, 32)
    assert float(shown.images.abs().max()) <= 1
    with pytest.raises(ValueError, match="share"):
        MixedBatches(renders, photos, 1.0, 0)
    common = ["--data", shards, "--out", tmp_path / "run", "--resolution", 32, "--photos", photos]
    common += ["--channels", "8,8,8,8", "--batch", 4, "--mapping-layers", 1, "--photo-share", 0.6]
    _run(monkeypatch, train_generator, *common, "--steps", 3)
    assert (tmp_path / "run" / "checkpoint.pt").is_file()


def test_a_redrawn_head_differs_and_stays_natural() -> None:
    for seed in range(60):
        head = sample_factors(seed)
        other = redrawn(head)
        assert other == redrawn(head)
        assert other != head
        assert (other.identity, other.background_seed) == (head.identity, head.background_seed)
        assert other.beard_style == "none" or (other.sex > 0.5 and other.age >= 18)


def test_faces_read_shards_and_report_missing_ones(shards: Path, tmp_path: Path) -> None:
    faces = Faces(shards, 16)
    batch = faces.batch(np.array([0, 11]))
    assert batch.shape == (2, 3, 16, 16)
    assert -1 <= float(batch.min()) <= float(batch.max()) <= 1
    with pytest.raises(FileNotFoundError, match="no shards"):
        Faces(tmp_path)


def test_index_batches_cover_every_picture_once_an_epoch() -> None:
    batches = index_batches(10, 5, seed=0)
    seen = np.concatenate([next(batches), next(batches)])
    assert sorted(seen) == list(range(10))


def test_attribute_vectors_name_every_entry() -> None:
    vector = attribute_vector(Factors(expression="smile", expression_strength=0.5).to_dict())
    assert vector.shape == (len(NAMES),)
    assert vector[NAMES.index("expression_smile")] == 0.5
    assert vector[NAMES.index("expression_angry")] == 0


def test_known_codes_come_from_the_generator() -> None:
    generator = load_generator("tiny", "cpu")
    images, w_plus = train_encoder.drawn_batch(generator, 2)
    assert images.shape == (2, 3, 32, 32)
    assert torch.equal(generator.synthesize(w_plus, noise="none").clamp(-1, 1), images)
