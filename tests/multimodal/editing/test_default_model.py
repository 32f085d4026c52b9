"""The shipped model: whole, loadable by others too, and good for what it is there for."""

from __future__ import annotations

import re
from pathlib import Path

import open_clip
import pytest
import torch

from apps.hearing import heard
from apps.samples import sounds
from guidance.clip import read_config
from guidance.methods.factors import KnownFactors
from guidance.targets import NEUTRAL, embed_text
from multimodal import FaceEditor
from multimodal.editing.assemble import CLIP
from multimodal.files.bundled import HOME, find_bundle
from multimodal.images import load_image, to_tensor
from multimodal.inversion import load_encoder
from multimodal.metrics import Lpips
from multimodal.types import Face

FOLDER = HOME / "default"
RENDERS = sorted((HOME / "evaluation" / "renders").iterdir())
MAX_BYTES = 160_000_000


@pytest.fixture(scope="module")
def editor() -> FaceEditor:
    return FaceEditor.from_pretrained("default", device="cpu")


@pytest.fixture(scope="module")
def face(editor: FaceEditor) -> Face:
    return editor.invert(load_image(RENDERS[0]), method="encoder")


def test_every_file_is_the_one_the_manifest_describes() -> None:
    bundle = find_bundle("default")
    bundle.verify()
    assert sum(p.stat().st_size for p in HOME.rglob("*") if p.is_file()) <= MAX_BYTES
    assert (FOLDER / "MODEL_CARD.md").is_file()
    assert all(file.licence for file in bundle.files.values())
    assert "NC" in bundle.files["sound/voices_acted.safetensors"].licence
    assert "NC" not in bundle.files["sound/ears.safetensors"].licence


def test_it_has_every_part(editor: FaceEditor) -> None:
    assert editor.generator.resolution >= 128
    assert editor.toolkit.sound is not None
    wanted = {"age", "smile", "pose", "beard", "glasses", "hair_blond"}
    assert wanted <= set(editor.directions)


def test_open_clip_loads_the_clip_by_itself(editor: FaceEditor) -> None:
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{FOLDER / CLIP}")
    picture = load_image(RENDERS[0])
    with torch.no_grad():
        seen = model.eval().encode_image(preprocess(picture)[None], normalize=True)
    ours = editor.toolkit.clip.encode_image(to_tensor(picture))
    assert float((seen * ours).sum()) > 0.98
    assert read_config(FOLDER / CLIP)["model_cfg"]["text_cfg"]["hf_model_name"] == (
        "multimodal/bundle/default/clip"
    )


def test_it_names_no_path_of_the_machine_that_packed_it() -> None:
    for path in (p for p in HOME.rglob("*") if p.suffix in {".json", ".jsonl", ".md"}):
        assert not re.search(r"(?<![\w.])/(root|home|tmp|work)/", path.read_text("utf-8")), path


def test_renders_come_back_from_the_encoder(editor: FaceEditor) -> None:
    lpips, found = Lpips("alex"), []
    for path in RENDERS[:6]:
        picture = load_image(path)
        made = editor.reconstruct(editor.invert(picture, method="encoder"))
        pair = [to_tensor(p.resize((128, 128))) for p in (picture, made)]
        found.append(float(lpips(*pair)))
    assert sum(found) / len(found) < 0.16


def test_words_and_sounds_move_a_face_and_strength_zero_does_not(
    editor: FaceEditor, face: Face
) -> None:
    still = editor.edit(face, text="a person with a beard", strength=0.0)
    assert face.crop is not None
    assert still.after.tobytes() == face.crop.tobytes()
    drawn = editor.edit(face, text="a person with a beard", strength=0.0, fidelity="drawing")
    assert drawn.after.tobytes() == editor.reconstruct(face).tobytes()
    by_text = editor.edit(face, text="a person with red hair")
    by_sound = editor.edit(face, sound=str(sounds()[0]))
    for result in (by_text, by_sound):
        assert result.after.tobytes() != result.before.tobytes()
    again = editor.edit(face, text="a person with red hair")
    assert again.after.tobytes() == by_text.after.tobytes()


def test_words_are_read_as_what_they_ask_for(editor: FaceEditor) -> None:
    method, neutral = KnownFactors(editor.toolkit), embed_text(editor.toolkit.clip, NEUTRAL)

    def read(text: str) -> set[str]:
        target = embed_text(editor.toolkit.clip, text)
        return {name for name, much in method.heard_as(target, neutral) if much > 0}

    assert read("an old man with white hair") == {"age: old", "sex: male", "hair_color: white"}
    assert read("a person wearing glasses") == {"glasses: clear"}
    asked = dict(method.heard_as(embed_text(editor.toolkit.clip, "a smile, no glasses"), neutral))
    assert asked["expression: smile"] > 0
    assert asked["glasses: clear"] < 0


@pytest.mark.parametrize(
    ("word", "face"),
    [
        ("laugh", "expression: laugh"),
        ("scream", "expression: afraid"),
        ("cry", "expression: crying"),
        ("moan", "expression: sad"),
    ],
)
def test_human_sounds_are_led_to_their_faces(editor: FaceEditor, word: str, face: str) -> None:
    method, neutral = KnownFactors(editor.toolkit), embed_text(editor.toolkit.clip, NEUTRAL)
    (path,) = [p for p in sounds() if word in p.name]
    said = {"moan": "groan"}.get(word, word)
    assert any(said in text for text in list(heard(editor, path))[:2])
    assert method.heard_as(editor.embed(sound=str(path)), neutral)[0][0] == face


def test_samples_are_different_faces(editor: FaceEditor) -> None:
    drawn = editor.generator.synthesize(editor.generator.sample(12, 0, 0.7).w).clamp(-1, 1)
    assert float(drawn.std(dim=0).mean()) > 0.15


def test_faces_are_drawn_from_words(editor: FaceEditor, tmp_path: Path) -> None:
    from apps.cli import run

    out = tmp_path / "faces"
    words = ["generate", "a bald man with a beard", "--count", "2", "--out", str(out)]
    assert run(words) == 0
    assert len(list(out.glob("*.png"))) >= 2


def test_its_encoder_is_a_callable_by_itself(editor: FaceEditor) -> None:
    picture = to_tensor(load_image(RENDERS[0]).resize((256, 256)))
    for source in ("default", FOLDER, FOLDER / "encoder.safetensors"):
        encoder = load_encoder(source, device="cpu")
        with torch.no_grad():
            code = encoder(picture)
        assert code.shape == (1, editor.generator.num_layers, editor.generator.style_dim)
        assert torch.equal(code, editor.invert(RENDERS[0], "encoder", aligned=True).latent.w)
