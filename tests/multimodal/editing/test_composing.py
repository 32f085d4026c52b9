"""Two tiny faces put together: what comes from whom, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from apps.cli import run
from multimodal import FaceEditor
from multimodal.editing.composing import MODES, Place, compose, uncrop
from multimodal.types import Face
from tests.tiny_editor import tiny_editor


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> FaceEditor:
    return tiny_editor(tmp_path_factory.mktemp("editor"))


@pytest.fixture(scope="module")
def faces(editor: FaceEditor) -> tuple[Face, Face]:
    return editor.sample(1), editor.sample(2)


def test_style_mixing_takes_the_fine_rows(editor: FaceEditor, faces: tuple[Face, Face]) -> None:
    made = compose(editor, *faces, "mix")
    rows = (made.latent.w - faces[0].latent.w).abs().sum(dim=(0, 2))
    assert torch.allclose(made.latent.w[:, -1], faces[1].latent.w[:, -1], atol=1e-5)
    assert float(rows[0]) == 0
    assert made.after.size == made.before.size


def test_strength_nought_is_the_face(editor: FaceEditor, faces: tuple[Face, Face]) -> None:
    made = compose(editor, *faces, "cross", Place("eyes"), strength=0)
    assert made.after.tobytes() == made.before.tobytes()


@pytest.mark.parametrize("mode", ["cross", "hair-shape", "hair-colour"])
def test_only_the_place_changes(mode: str, editor: FaceEditor, faces: tuple[Face, Face]) -> None:
    side = editor.generator.resolution
    mask = torch.zeros(1, 1, side, side)
    mask[..., : side // 4, : side // 4] = 1
    made = compose(editor, *faces, mode, Place(mask=mask))
    assert made.after.tobytes() != made.before.tobytes()
    far = (side // 2 + 4, side // 2 + 4, side, side)
    pictures = [
        torch.tensor(list(p.crop(far).tobytes()), dtype=torch.float32)
        for p in (made.before, made.after)
    ]
    assert float((pictures[0] - pictures[1]).abs().mean()) < 2


def test_a_piece_is_made_one(editor: FaceEditor, faces: tuple[Face, Face]) -> None:
    first, second = (compose(editor, *faces, "diffuse", Place("mouth"), steps=3) for _ in range(2))
    assert torch.equal(first.latent.w, second.latent.w)
    assert not torch.equal(first.latent.w, faces[0].latent.w)


def test_what_is_refused(editor: FaceEditor, faces: tuple[Face, Face]) -> None:
    with pytest.raises(ValueError, match="one of mix"):
        compose(editor, *faces, "swap")
    with pytest.raises(ValueError, match="needs a region or a mask"):
        compose(editor, *faces, "cross")
    with pytest.raises(ValueError, match="margin"):
        uncrop(editor, Image.new("RGB", (16, 16)), 0)
    assert set(MODES) == {"mix", "cross", "hair-shape", "hair-colour", "diffuse"}


def test_a_tight_picture_gets_surroundings(editor: FaceEditor) -> None:
    tight = Image.effect_noise((32, 32), 50).convert("RGB")
    found = uncrop(editor, tight, 0.5, steps=2)
    assert found.photo.size == (editor.generator.resolution,) * 2


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.effect_noise((32, 32), 60).convert("RGB").save(tmp_path / "a.png")
    a, out = (str(tmp_path / f"{n}.png") for n in "ao")
    assert run(["compose", a, "--mode", "swap", "--out", out]) == 2
    assert run(["compose", a, "--mode", "mix", "--out", out]) == 2
    assert "two photos" in capsys.readouterr().err
    words = ["compose", a, "--mode", "uncrop", "--out", out, "--steps", "2", "--model", "tiny"]
    assert run(words) == 0
    assert Path(out).is_file()
