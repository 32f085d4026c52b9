"""Models that are stored as what differs from another one: put together, kept, mended, refused."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from multimodal import FaceEditor
from multimodal.editing.assemble import own_folder
from multimodal.files.bundled import MANIFEST, find_bundle, renew_manifest, write_manifest
from multimodal.files.variants import DIFFERENCE, VARIANT, completed, write_variant
from multimodal.files.weights import WeightsError
from multimodal.generators import load_generator, save_generator
from multimodal.generators.registry import tiny_generator
from multimodal.inversion import load_encoder
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder, BundleEncoderConfig
from multimodal.inversion.encoders.encoder_files import save_bundle_encoder


def _model(folder: Path, moved: float) -> Path:
    """A model of two tiny networks; fine-tuning has added a matrix of one direction to each."""
    torch.manual_seed(0)
    generator = tiny_generator()
    shape = BundleEncoderConfig(generator.num_layers, 32, generator.style_dim, width=16, hidden=16)
    encoder = BundleEncoder(shape)
    with torch.no_grad():
        kernel = generator.synthesis.conv_layers()[1].weight
        kernel += moved * torch.outer(*torch.randn(2, 32)).view(32, 32, 1, 1)
        encoder.w0.weight += moved
        encoder.w0.bias += moved
    save_generator(generator, folder / "generator.safetensors")
    save_bundle_encoder(encoder, folder)
    (folder / "about.json").write_text("{}")
    (folder / "attributes.txt").write_text("of the base")
    write_manifest(folder, {"encoder.": "Apache-2.0"})
    return folder


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models: `base`, its variant `twin`, and `tuned`, which the variant stands for."""
    monkeypatch.setenv("SEMBLANCE_CACHE", str(tmp_path / "cache"))
    base, tuned = _model(tmp_path / "base", 0.0), _model(tmp_path / "tuned", 0.05)
    write_variant(base, tuned, tmp_path / "twin")
    return tmp_path


def test_the_variant_draws_and_sees_as_the_tuned_model(shipped: Path) -> None:
    assert not list((shipped / "twin").glob("generator.*"))
    drawn = {n: load_generator(shipped / n, "cpu") for n in ("base", "tuned", "twin")}
    w = drawn["base"].sample(4, 0).w
    made = {name: g.synthesize(w, noise="none") for name, g in drawn.items()}
    far = (made["tuned"] - made["base"]).norm()
    assert float((made["twin"] - made["tuned"]).norm() / far) < 0.05
    seen = {n: load_encoder(shipped / n, "cpu")(made["base"]) for n in ("base", "tuned", "twin")}
    far = (seen["tuned"] - seen["base"]).norm()
    assert float((seen["twin"] - seen["tuned"]).norm() / far) < 0.05


def test_it_is_put_together_once_and_mended_when_damaged(shipped: Path) -> None:
    whole = completed(shipped / "twin")
    assert completed(shipped / "twin") == whole
    assert completed(shipped / "base") == shipped / "base"
    bundle = find_bundle(whole)
    bundle.verify()
    assert bundle.files["encoder.safetensors"].licence == "Apache-2.0"
    assert (whole / "attributes.txt").read_text() == "of the base"
    assert not (whole / "about.json").exists()
    made = (whole / "generator.safetensors").read_bytes()
    (whole / "generator.safetensors").write_bytes(made[:-1])
    assert (completed(shipped / "twin") / "generator.safetensors").read_bytes() == made
    assert [p.name for p in whole.parent.iterdir()] == [whole.name]
    (shipped / "twin" / "MODEL_CARD.md").write_text("Another card.")
    renew_manifest(shipped / "twin")
    assert completed(shipped / "twin") == whole


def test_its_own_files_replace_the_base_s(shipped: Path) -> None:
    (shipped / "twin" / "attributes.txt").write_text("of the twin")
    write_variant(shipped / "base", shipped / "tuned", shipped / "twin")
    assert (completed(shipped / "twin") / "attributes.txt").read_text() == "of the twin"


def test_an_editor_works_on_a_variant(shipped: Path) -> None:
    editor = FaceEditor.from_pretrained(shipped / "twin", device="cpu", identity=None)
    assert editor.encoder is not None
    face = editor.sample(seed=1)
    again = editor.invert(editor.reconstruct(face), "encoder", aligned=True)
    assert again.latent.w.shape == face.latent.w.shape


def test_another_base_is_refused(shipped: Path) -> None:
    shutil.rmtree(shipped / "base")
    with pytest.raises(FileNotFoundError, match="no model at"):
        completed(shipped / "twin")
    _model(shipped / "base", 0.01)
    with pytest.raises(WeightsError, match="made from another generator"):
        completed(shipped / "twin")


def test_damage_is_named(shipped: Path) -> None:
    twin = shipped / "twin"
    (twin / DIFFERENCE).write_bytes((twin / DIFFERENCE).read_bytes()[:-1])
    with pytest.raises(WeightsError, match=DIFFERENCE):
        completed(twin)
    save_file({"clip/weight": torch.ones(2)}, twin / DIFFERENCE)
    write_manifest(twin, {})
    with pytest.raises(WeightsError, match="changes 'clip'"):
        completed(twin)
    save_file({"generator/no.such.whole": torch.ones(2)}, twin / DIFFERENCE)
    write_manifest(twin, {})
    with pytest.raises(WeightsError, match=r"'no\.such'"):
        completed(twin)
    assert not list((shipped / "cache" / "variants").iterdir())


@pytest.mark.parametrize("base", ["../base", "", ".", "..", 7, None])
def test_a_base_is_a_plain_name(shipped: Path, base: object) -> None:
    _described(shipped / "twin", base=base)
    with pytest.raises(WeightsError, match="does not describe a variant"):
        completed(shipped / "twin")


@pytest.mark.parametrize("made_from", [[], None, "all"])
def test_what_it_was_made_from_is_a_table(shipped: Path, made_from: object) -> None:
    _described(shipped / "twin", made_from=made_from)
    with pytest.raises(WeightsError, match="does not describe a variant"):
        completed(shipped / "twin")


def _described(twin: Path, **values: object) -> None:
    known = json.loads((twin / VARIANT).read_text())
    (twin / VARIANT).write_text(json.dumps(known | values))
    write_manifest(twin, {})


def test_only_what_the_manifests_name_is_taken(shipped: Path) -> None:
    (shipped / "twin" / "delta.safetensors").write_bytes(b"slipped in")
    (shipped / "base" / "more").symlink_to("/")
    assert not (completed(shipped / "twin") / "delta.safetensors").exists()
    entries = json.loads((shipped / "twin" / MANIFEST).read_text())
    del entries["files"][DIFFERENCE]
    (shipped / "twin" / MANIFEST).write_text(json.dumps(entries))
    with pytest.raises(WeightsError, match="does not name"):
        completed(shipped / "twin")
    (shipped / "twin" / MANIFEST).unlink()
    with pytest.raises(WeightsError, match="has no manifest"):
        completed(shipped / "twin")


def test_processes_that_start_at_once_get_the_same_folder(shipped: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: completed(shipped / "twin"), range(4)))
    assert len(found) == 1
    find_bundle(found.pop()).verify()
    assert len(list((shipped / "cache" / "variants").iterdir())) == 1


def test_statistics_of_another_state_are_not_taken(shipped: Path) -> None:
    before = own_folder(shipped / "twin")
    (shipped / "twin" / DIFFERENCE).touch()
    assert own_folder(shipped / "twin") != before


def test_other_shapes_are_no_variant(shipped: Path) -> None:
    other = tiny_generator()
    described = json.loads((shipped / "tuned" / "generator.json").read_text())
    described["config"]["z_dim"] = other.config.z_dim + 1
    (shipped / "tuned" / "generator.json").write_text(json.dumps(described))
    (shipped / "tuned" / MANIFEST).unlink()
    with pytest.raises(ValueError, match="another shape"):
        write_variant(shipped / "base", shipped / "tuned", shipped / "twin")
    assert load_file(shipped / "twin" / DIFFERENCE)
