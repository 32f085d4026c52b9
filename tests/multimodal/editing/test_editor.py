"""`FaceEditor` on the tiny model, through its public door."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from multimodal import FaceEditor
from multimodal.editing.assemble import NoClip, model_folder
from multimodal.faces import FaceTransform
from multimodal.generators import save_generator
from multimodal.generators.registry import tiny_generator
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder, BundleEncoderConfig
from multimodal.inversion.encoders.encoder_files import save_bundle_encoder
from multimodal.recognition.identity import IdentityNet, save_identity
from multimodal.types import Aligned, Face, Latent, Offset, Progress, Toolkit


def blurred(a: Tensor, b: Tensor) -> Tensor:
    pool = torch.nn.functional.avg_pool2d
    return (pool(a, 4) - pool(b, 4)).square().mean(dim=(1, 2, 3))


@pytest.fixture
def editor() -> FaceEditor:
    return FaceEditor(Toolkit(tiny_generator(), NoClip(), lpips=blurred), name="tiny")


@pytest.fixture
def photo() -> Image.Image:
    image = Image.new("RGB", (80, 60), (40, 90, 160))
    ImageDraw.Draw(image).ellipse((20, 10, 60, 50), fill=(220, 170, 140))
    return image


class MiddleSquare:
    """An aligner that always finds the face in the middle."""

    def align(self, photo: Image.Image, size: int, face_index: int | None = None) -> Aligned:
        if face_index not in (None, 0):
            raise ValueError(f"face {face_index} was asked for, 1 was found")
        box = (20, 10, 60, 50)
        corners = ((19.5, 9.5), (19.5, 49.5), (59.5, 49.5), (59.5, 9.5))
        place = FaceTransform(corners, size)
        return Aligned(photo.crop(box).resize((size, size)), place, torch.zeros(68, 2))

    def paste(
        self, photo: Image.Image, crop: Image.Image, transform: Any, original: Image.Image
    ) -> Image.Image:
        left, top, right, bottom = 20, 10, 60, 50
        whole = photo.copy()
        whole.paste(crop.resize((right - left, bottom - top)), (left, top))
        return whole


def test_a_picture_is_inverted_and_reconstructed(
    editor: FaceEditor, photo: Image.Image, tmp_path: Path
) -> None:
    photo.save(tmp_path / "photo.png")
    told: list[Progress] = []
    face = editor.invert(tmp_path / "photo.png", on_step=told.append, steps=5)
    assert face.aligned.size == (32, 32)
    assert face.latent.w.shape == (1, 8, 32)
    assert len(told) == 5
    assert {"lpips", "psnr", "seconds", "method", "model"} <= face.report.keys()
    assert editor.reconstruct(face).size == (32, 32)
    assert face.photo is None
    assert editor.photo(face, face.aligned) is None


def test_a_face_in_a_photo_goes_back_into_it(editor: FaceEditor, photo: Image.Image) -> None:
    editor.aligner = MiddleSquare()
    face = editor.invert(photo, "adam", steps=1)
    assert face.photo is not None
    assert face.landmarks is not None
    whole = editor.photo(face, Image.new("RGB", (32, 32), (255, 0, 0)))
    assert whole is not None
    assert whole.size == (80, 60)
    assert whole.getpixel((40, 30)) == (255, 0, 0)
    assert whole.getpixel((2, 2)) == photo.getpixel((2, 2))
    with pytest.raises(ValueError, match="face 3"):
        editor.invert(photo, "adam", face_index=3, steps=1)
    assert face.crop is not None
    assert face.crop.size == (40, 40), "as many pixels as it has in the photo"
    moved = editor.finish(face, editor.draw(face, editor.sample(3).latent))
    assert moved.photo is not None
    assert moved.photo.tobytes() != photo.tobytes()
    assert moved.photo.getpixel((2, 2)) == photo.getpixel((2, 2))
    still = editor.finish(face, editor.draw(face))
    assert (still.face.tobytes(), still.photo and still.photo.tobytes()) == (
        face.crop.tobytes(),
        photo.tobytes(),
    )
    with pytest.raises(ValueError, match="photo, drawing"):
        editor.finish(face, editor.draw(face), "sketch")
    assert editor.invert(photo, "adam", aligned=True, steps=1).photo is None


def test_samples_follow_from_their_seed(editor: FaceEditor) -> None:
    first, again, other = editor.sample(1), editor.sample(1), editor.sample(2)
    torch.testing.assert_close(first.latent.w, again.latent.w)
    assert not torch.equal(first.latent.w, other.latent.w)
    assert editor.reconstruct(first).tobytes() == first.aligned.tobytes()


def test_tuned_faces_have_their_own_generator(editor: FaceEditor, photo: Image.Image) -> None:
    plain = editor.sample(3)
    assert editor.generator_for(plain) is editor.generator
    face = editor.invert(photo, "pti", steps=3, threshold=0, pivot="adam", pivot_steps=2)
    assert face.tuned
    own = editor.generator_for(face)
    assert own is not editor.generator
    assert editor.generator_for(face.with_latent(plain.latent)) is own
    assert (
        editor.reconstruct(face).tobytes()
        != editor.reconstruct(editor.sample(3).with_latent(face.latent)).tobytes()
    )
    for _ in range(4):
        editor.generator_for(editor.invert(photo, "pti", steps=3, threshold=0, pivot="adam", pivot_steps=2))  # fmt: skip
    assert len(editor._tuned) <= 2


def test_photos_are_changed_as_everybodys_generator_changes(
    editor: FaceEditor, photo: Image.Image
) -> None:
    face = editor.invert(photo, "pti", steps=3, threshold=0, pivot="adam", pivot_steps=2)
    plain = replace(face, tuned=None)
    offset = Offset(w=torch.full_like(face.latent.w, 0.3))
    changed, usual = (editor.apply(one, offset).tobytes() for one in (face, plain))
    assert changed == usual
    drawn = [editor.apply(one, offset, fidelity="drawing").tobytes() for one in (face, plain)]
    assert drawn[0] != drawn[1]


def test_codes_in_style_space_and_noise_are_drawn(editor: FaceEditor) -> None:
    face = editor.sample(4)
    styles = tuple(editor.generator.styles(face.latent.w))
    torch.testing.assert_close(editor.draw(face, Latent(face.latent.w, styles)), editor.draw(face))
    maps = tuple(torch.zeros(1, 1, s, s) for s in (4, 8, 8, 16, 16, 32, 32))
    quiet = editor.draw(face, Latent(face.latent.w, noise=maps))
    torch.testing.assert_close(quiet, editor.generator.synthesize(face.latent.w, "none"))


def test_the_tiny_model_edits_by_words() -> None:
    editor = FaceEditor.from_pretrained("tiny", device="cpu")
    face = editor.sample(0)
    result = editor.edit(face, text="a smile", method="optimize", steps=2)
    assert result.before.tobytes() == editor.reconstruct(face).tobytes()
    assert editor.embed("a smile").norm().item() == pytest.approx(1.0, abs=1e-5)
    same = editor.apply(face, result.offset, 0.0)
    assert same.tobytes() == result.before.tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder with a generator and an encoder."""
    save_generator(tiny_generator(), tmp_path / "model" / "generator.safetensors")
    config = BundleEncoderConfig(num_layers=8, resolution=32, style_dim=32, width=16, hidden=16)
    save_bundle_encoder(BundleEncoder(config), tmp_path / "model")
    return tmp_path / "model"


def test_a_model_folder_is_assembled(folder: Path, photo: Image.Image) -> None:
    editor = FaceEditor.from_pretrained(folder, device="cpu")
    assert model_folder(folder) == folder
    assert editor.encoder is not None
    assert editor.toolkit.folder == folder
    assert editor.invert(photo, "encoder", aligned=True).report["method"] == "encoder"


def test_the_assembled_editor_finds_faces_and_puts_them_back(folder: Path) -> None:
    path = next((Path(__file__).parents[3] / "apps" / "samples" / "faces").glob("*.jpg"), None)
    assert path is not None
    editor = FaceEditor.from_pretrained(folder, device="cpu")
    face = editor.invert(path, "encoder")
    assert face.landmarks is not None
    assert face.landmarks.shape == (68, 2)
    if face.photo is not None:
        unedited = editor.photo(face, editor.reconstruct(face))
        assert unedited is not None
        assert unedited.tobytes() == face.photo.tobytes()
    found = Face.load(face.save(folder / "face.safetensors"))
    assert found.transform == face.transform


def test_a_photo_without_a_face_is_refused(folder: Path, photo: Image.Image) -> None:
    editor = FaceEditor.from_pretrained(folder, device="cpu")
    with pytest.raises(ValueError, match="no face found"):
        editor.invert(photo, "encoder")


def test_a_folders_identity_network_joins_the_report(folder: Path, photo: Image.Image) -> None:
    save_identity(IdentityNet(), folder / "identity.safetensors")
    editor = FaceEditor.from_pretrained(folder, device="cpu")
    report = editor.invert(photo, "encoder", aligned=True).report
    assert -1.001 <= report["identity"] <= 1.001


def test_a_generator_file_is_assembled_without_the_rest(folder: Path) -> None:
    editor = FaceEditor.from_pretrained(folder / "generator.safetensors", device="cpu")
    assert editor.encoder is None
    assert editor.directions == {}
    with_encoder = FaceEditor.from_pretrained(
        folder / "generator.safetensors", "cpu", encoder=folder / "encoder.safetensors"
    )
    assert with_encoder.encoder is not None


def test_named_directions_are_offsets(folder: Path) -> None:
    from guidance.controls.control import Attributes

    Attributes({"age": torch.ones(8, 32)}).save(folder / "attributes.safetensors")
    editor = FaceEditor.from_pretrained(folder, device="cpu")
    assert isinstance(editor.directions["age"], Offset)


def test_a_model_without_clip_says_so(editor: FaceEditor) -> None:
    with pytest.raises(ValueError, match="no CLIP"):
        editor.edit(editor.sample(0), text="a smile", method="optimize")
    with pytest.raises(ValueError, match="no CLIP"):
        NoClip().encode_image(torch.zeros(1, 3, 8, 8))


def test_unknown_models_are_refused() -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        FaceEditor.from_pretrained("nowhere", device="cpu")


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, multimodal; assert 'torch' not in sys.modules; multimodal.FaceEditor"
    root = Path(__file__).resolve().parents[3]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
    with pytest.raises(AttributeError, match="Nothing"):
        __import__("multimodal").Nothing  # noqa: B018


def test_codes_of_another_model_are_refused(editor: FaceEditor, tmp_path: Path) -> None:
    face = editor.sample(1)
    generator = editor.generator
    styles = tuple(generator.styles(face.latent.w))
    for latent, message in (
        (Latent(torch.zeros(1, generator.num_layers + 2, generator.style_dim)), "holds a code"),
        (Latent(torch.zeros(1, generator.num_layers, generator.style_dim * 2)), "holds a code"),
        (Latent(face.latent.w, styles[:-1]), "holds style vectors of another model"),
    ):
        stored = face.with_latent(latent).save(tmp_path / "face.safetensors")
        other = Face.load(stored)
        with pytest.raises(ValueError, match=f"the face {message}"):
            editor.reconstruct(other)
        with pytest.raises(ValueError, match=f"the face {message}"):
            editor.edit(other, text="old")


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1, 10**4000])
def test_a_seed_has_64_bits(editor: FaceEditor, seed: int) -> None:
    with pytest.raises(ValueError, match="is not a whole number of 64 bits"):
        editor.sample(seed)
    with pytest.raises(ValueError, match="is not a whole number of 64 bits"):
        editor.edit(editor.sample(1), text="old", seed=seed)
