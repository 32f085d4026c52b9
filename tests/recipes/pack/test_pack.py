"""Packing tiny parts into a model folder, and using the folder as any shipped model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from audio.encoder import SoundConfig, SoundEncoder, save_encoder
from guidance.clip import OpenClip, load_clip, save_clip
from guidance.common import conv_indices, style_sizes
from guidance.controls.control import Attributes
from guidance.methods.delta import DeltaConfig, DeltaNetwork, load_delta, save_delta
from guidance.methods.factor_moves import FactorMoves
from guidance.methods.flow import ConditionalFlow, FlowConfig, save_flow
from guidance.methods.text_encoder import TextEncoder, TextEncoderConfig, save_text_encoder
from multimodal import FaceEditor
from multimodal.files.bundled import find_bundle, verify_folder
from multimodal.files.weights import WeightsError
from multimodal.generators import save_generator
from multimodal.generators.registry import tiny_generator
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder, BundleEncoderConfig
from multimodal.inversion.encoders.encoder_files import save_bundle_encoder
from multimodal.recognition.identity import IdentityNet, save_identity
from multimodal.recognition.judge import Judge, JudgeConfig, save_judge
from recipes.clip.clip_model import ClipConfig, new_clip
from recipes.pack import pack as recipe
from recipes.pack.about import About, Stage
from tests.tiny_text import tiny_sentence_model

ABOUT = About("a test", (Stage("train_generator", 12, 0.1),))
SMALL_SOUND = SoundConfig(8, (8, 8, 8), (1, 1, 1), hidden=16, heads=2, dim=24)
HEARD = {"CC0-1.0": 3, "CC-BY-3.0": 1, "GPL-2.0-only (package level, by hand)": 2}
HEARD |= {"CC-BY-NC-SA-4.0": 9, "ODbL-1.0 + DbCL-1.0": 1}


@dataclass(frozen=True)
class Made:
    """Parts on disk, and what they were before they were saved."""

    sources: dict[str, Path]
    clip: OpenClip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("parts")
    generator = tiny_generator()
    save_generator(generator, folder / "generator.safetensors")
    shape = BundleEncoderConfig(num_layers=8, resolution=32, style_dim=32, width=16, hidden=16)
    save_bundle_encoder(BundleEncoder(shape), folder)
    text = tiny_sentence_model(folder / "text")
    small = ClipConfig("test_byobnet", image_size=32, dim=16, context_length=32)
    clip = new_clip(text, small)
    save_clip(clip, folder / "clip")
    torch.manual_seed(0)
    save_encoder(SoundEncoder(SMALL_SOUND), folder / "sound", {"trained_on": HEARD})
    save_text_encoder(TextEncoder(TextEncoderConfig(16, 8, 32)), folder / "te.safetensors", {})
    sizes = style_sizes(generator)
    delta = DeltaNetwork(DeltaConfig(16, tuple(sizes[i] for i in conv_indices(len(sizes)))))
    save_delta(delta, folder / "delta.safetensors", {})
    save_identity(IdentityNet(), folder / "identity.safetensors")
    save_judge(Judge(JudgeConfig({"sex": ("female", "male")}, 32)), folder / "judge.safetensors")
    Attributes({"age": torch.randn(8, 32)}).save(folder / "attributes.safetensors")
    marks = torch.ones(1, 2)
    word = torch.eye(16)[:1]
    moves = FactorMoves(
        torch.eye(32)[:, :2], marks[0], word, *[marks] * 3, torch.ones(1, 8), ("old",)
    )
    moves.save(folder / "factors.safetensors")
    save_flow(ConditionalFlow(FlowConfig(32, 2, 8, 2)), folder / "flow.safetensors")
    names = ("generator", "delta", "factors", "flow", "identity", "judge")
    sources = {name: folder / f"{name}.safetensors" for name in names}
    sources |= {"encoder": folder, "directions": folder, "text-encoder": folder / "te.safetensors"}
    return Made(sources | {"clip": folder / "clip", "sound": folder / "sound"}, clip)


@pytest.fixture(scope="module")
def model(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shipped") / "small"
    done = recipe.pack(made.sources, out, ABOUT)
    assert {part.part for part in done.parts} == set(made.sources)
    assert all(part.difference <= recipe.TOLERANCE for part in done.parts)
    return out


def test_every_part_is_there_in_half_precision_and_described(made: Made, model: Path) -> None:
    bundle = find_bundle(model)
    bundle.verify()
    assert not list(model.parent.glob(".small*"))
    kernels = load_file(model / "generator.safetensors")
    assert kernels["synthesis.b8.conv0.weight"].dtype == torch.float16
    assert kernels["mapping.w_avg"].dtype == torch.float32
    assert json.loads((model / "about.json").read_text())["stages"][0]["images"] == 12
    assert bundle.files["generator.json"].licence == "CC0-1.0"
    assert bundle.files["clip/open_clip_model.safetensors"].licence == "CC0-1.0 AND MIT"


def test_the_sound_encoder_carries_what_it_heard(model: Path) -> None:
    licence = find_bundle(model).files["sound/sound_encoder.safetensors"].licence
    assert licence == "CC-BY-NC-SA-4.0 AND DbCL-1.0 AND GPL-2.0-only AND ODbL-1.0"


def test_invert_and_edit_by_text_and_sound(model: Path) -> None:
    editor = FaceEditor.from_pretrained(model, device="cpu")
    assert editor.encoder is not None
    assert list(editor.directions) == ["age"]
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    face = editor.invert(Image.fromarray(pixels), "encoder", aligned=True)
    before = editor.reconstruct(face)
    noise = np.random.default_rng(1).normal(0, 0.1, 16000).astype(np.float32)
    for wish in ({"text": "an old man"}, {"sound": (16000, noise)}):
        for method in ("text-encoder", "delta"):
            result = editor.edit(face, method=method, fidelity="drawing", **wish)
            assert result.before.tobytes() == before.tobytes()
            assert result.after.size == (32, 32)


def test_clip_waits_for_its_first_use(model: Path, made: Made) -> None:
    editor = FaceEditor.from_pretrained(model, device="cpu")
    clip = editor.toolkit.clip
    assert not clip.loaded  # type: ignore[attr-defined]
    said = clip.encode_text(["a smiling woman"])
    assert clip.loaded  # type: ignore[attr-defined]
    torch.testing.assert_close(said, made.clip.encode_text(["a smiling woman"]), atol=0.01, rtol=0)


def test_a_changed_file_is_named(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "model"
    recipe.pack({k: made.sources[k] for k in ("generator", "delta")}, out, ABOUT)
    verify_folder(out)
    weights = bytearray((out / "delta.safetensors").read_bytes())
    weights[-1] ^= 1
    (out / "delta.safetensors").write_bytes(weights)
    with pytest.raises(WeightsError, match=r"delta\.safetensors is not the file its manifest"):
        FaceEditor.from_pretrained(out, device="cpu")
    (out / "delta.safetensors").write_bytes(weights[:100])
    with pytest.raises(WeightsError, match="has 100 bytes, its manifest says"):
        FaceEditor.from_pretrained(out, device="cpu")
    (out / "delta.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"delta\.safetensors is missing"):
        FaceEditor.from_pretrained(out, device="cpu")


def test_word_vectors_in_eight_bits(made: Made, tmp_path: Path) -> None:
    sources = {k: made.sources[k] for k in ("generator", "clip")}
    done = recipe.pack(sources, tmp_path / "model", ABOUT, small_words=True)
    assert done.parts[1].kept in ("float8 words", "float16")
    said = load_clip(tmp_path / "model" / "clip").encode_text(["an old man"])
    assert float((said * made.clip.encode_text(["an old man"])).sum()) > 0.999


def test_matrices_that_bear_it_are_kept_in_eight_bits(made: Made, model: Path) -> None:
    for name in ("delta", "text_encoder"):
        kept = load_file(model / f"{name}.safetensors")
        assert any(tensor.dtype == torch.int8 for tensor in kept.values()), name
    was, now = load_delta(made.sources["delta"]), load_delta(model / "delta.safetensors")
    assert was.config == now.config
    assert all(tensor.dtype == torch.float32 for tensor in now.parameters())


def test_what_rounding_would_spoil_stays(made: Made, tmp_path: Path) -> None:
    delta = DeltaNetwork(DeltaConfig(16, (8, 8, 8)))
    with torch.no_grad():
        for head in delta.heads:
            head[-1].bias.fill_(-2048.0)  # type: ignore[index, union-attr, operator]
            head[4].weight.zero_()  # type: ignore[index, union-attr, operator]
            head[6].bias.fill_(1.0)  # type: ignore[index, union-attr, operator]
            head[6].bias[0] = 0.0  # type: ignore[index, union-attr, operator]
            head[-1].weight.fill_(2049.1 / 383)  # type: ignore[index, union-attr, operator]
            head[-1].weight[:, 0] = 50.0  # type: ignore[index, union-attr, operator]
    save_delta(delta, tmp_path / "delta.safetensors", {})
    sources = {"generator": made.sources["generator"], "delta": tmp_path / "delta.safetensors"}
    done = recipe.pack(sources, tmp_path / "model", ABOUT)
    assert done.parts[1].kept == "as given"
    kept = load_file(tmp_path / "model" / "delta.safetensors")
    assert torch.equal(kept["heads.0.7.weight"], delta.state_dict()["heads.0.7.weight"])


def test_too_large_a_bundle_leaves_the_old_one(made: Made, tmp_path: Path) -> None:
    sources = {"generator": made.sources["generator"]}
    recipe.pack(sources, tmp_path / "model", ABOUT)
    before = (tmp_path / "model" / "manifest.json").read_bytes()
    with pytest.raises(ValueError, match=r"more than 0\.1 MB.*generator: 0\.1 MB"):
        recipe.pack(sources, tmp_path / "model", ABOUT, limit=100_000)
    assert (tmp_path / "model" / "manifest.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_other_shipped_folders_count(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "HOME", tmp_path)
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "faces.bin").write_bytes(bytes(900_000))
    with pytest.raises(ValueError, match=r"0\.9 MB in other shipped folders"):
        recipe.pack({"generator": made.sources["generator"]}, tmp_path / "a", ABOUT, limit=950_000)


def test_wrong_sources_are_told(made: Made, tmp_path: Path) -> None:
    generator = made.sources["generator"]
    with pytest.raises(ValueError, match="needs a generator"):
        recipe.pack({}, tmp_path / "a", ABOUT)
    with pytest.raises(ValueError, match="not among generator, encoder"):
        recipe.pack({"nose": generator}, tmp_path / "a", ABOUT)
    with pytest.raises(FileNotFoundError, match="the clip is not at"):
        recipe.pack({"generator": generator, "clip": tmp_path / "no"}, tmp_path / "a", ABOUT)
    with pytest.raises(ValueError, match="does not hold a delta network"):
        recipe.pack(
            {"generator": generator, "delta": made.sources["text-encoder"]}, tmp_path / "a", ABOUT
        )
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("mine")
    with pytest.raises(ValueError, match="not a model folder"):
        recipe.pack({"generator": generator}, tmp_path / "mine", ABOUT)
    assert (tmp_path / "mine" / "diary.txt").is_file()


def test_the_command_packs(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    about = tmp_path / "about.json"
    about.write_text('{"hardware": "two cores", "stages": [{"stage": "train_generator"}]}')
    words = ["pack", "--generator", str(made.sources["generator"]), "--about", str(about)]
    monkeypatch.setattr("sys.argv", [*words, "--out", str(tmp_path / "model")])
    recipe.main()
    assert "generator: 0." in capsys.readouterr().out
    about.write_text('{"hardware": "two cores", "color": 1}')
    with pytest.raises(SystemExit, match=r"about\.json.*color.*known fields"):
        recipe.main()
