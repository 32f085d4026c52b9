"""The shipped variant for portraits: put together from the default model, and nearer to photos."""

from __future__ import annotations

import pytest
import torch

from multimodal import FaceEditor
from multimodal.files.bundled import HOME, find_bundle
from multimodal.files.variants import VARIANT, base_of, completed
from multimodal.generators import load_generator
from multimodal.images import load_image, to_tensor
from multimodal.inversion import load_encoder
from multimodal.metrics import Lpips
from multimodal.types import Face

PORTRAITS = sorted((HOME / "evaluation" / "portraits").iterdir())


@pytest.fixture(scope="module")
def editors() -> dict[str, FaceEditor]:
    return {n: FaceEditor.from_pretrained(n, device="cpu") for n in ("default", "portrait")}


@pytest.fixture(scope="module")
def faces(editors: dict[str, FaceEditor]) -> dict[str, list[Face]]:
    pictures = [load_image(path) for path in PORTRAITS[::2]]
    return {n: [e.invert(p, method="encoder") for p in pictures] for n, e in editors.items()}


def test_every_shipped_variant_fits_its_base() -> None:
    variants = [path.parent for path in HOME.glob(f"*/{VARIANT}")]
    assert HOME / "portrait" in variants
    for folder in variants:
        find_bundle(folder).verify()
        assert (folder / "MODEL_CARD.md").is_file()
        assert all(file.licence for file in find_bundle(folder).files.values())
        assert base_of(folder).root.parent == HOME
        find_bundle(completed(folder)).verify()


def test_it_has_what_the_default_model_has(editors: dict[str, FaceEditor]) -> None:
    default, portrait = editors["default"], editors["portrait"]
    assert set(portrait.directions) == set(default.directions)
    assert portrait.toolkit.sound is not None
    assert portrait.encoder is not None
    said = [editors[name].embed(text="an old man") for name in editors]
    torch.testing.assert_close(*said)


def test_parts_load_by_its_name(editors: dict[str, FaceEditor]) -> None:
    generator = load_generator("portrait", "cpu")
    w = generator.sample(1, 0).w
    drawn = [g.synthesize(w, noise="none") for g in (generator, editors["portrait"].generator)]
    torch.testing.assert_close(*drawn)
    seen = load_encoder("portrait", "cpu")
    picture = to_tensor(load_image(PORTRAITS[0]).resize((256, 256)))
    assert seen(picture).shape == (1, generator.num_layers, generator.style_dim)


@torch.no_grad()
def test_portraits_come_back_nearer(
    editors: dict[str, FaceEditor], faces: dict[str, list[Face]]
) -> None:
    lpips, found = Lpips("alex"), {}
    for name, editor in editors.items():
        alike, far = [], []
        for face in faces[name]:
            drawn, wanted = editor.draw(face).clamp(-1, 1), to_tensor(face.aligned)
            far.append(float(lpips(drawn, wanted)))
            look = editor.toolkit.identity
            assert look is not None
            alike.append(float((look(drawn) * look(wanted)).sum()))
        found[name] = sum(far) / len(far), sum(alike) / len(alike)
    assert found["portrait"][0] < found["default"][0]
    assert found["portrait"][1] > found["default"][1] + 0.03


def test_edits_still_work(editors: dict[str, FaceEditor], faces: dict[str, list[Face]]) -> None:
    editor = editors["portrait"]
    clip, moved = editor.toolkit.clip, []
    wish = clip.encode_text(["a person wearing glasses"])
    for face in faces["portrait"][:3]:
        result = editor.edit(face, text="a person wearing glasses")
        before, after = (
            clip.encode_image(to_tensor(picture)) for picture in (result.before, result.after)
        )
        moved.append(float(((after - before) * wish).sum()))
    assert min(moved) > 0.02
