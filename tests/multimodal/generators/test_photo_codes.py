"""Where a model draws photographs: fitted, sampled, stored, and asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from multimodal import FaceEditor
from multimodal.files.weights import WeightsError
from multimodal.generators.photo_codes import FILE_NAME, PhotoCodes, load_photo_codes


@pytest.fixture(scope="module")
def editor() -> FaceEditor:
    return FaceEditor.from_pretrained("tiny", device="cpu")


@pytest.fixture(scope="module")
def codes(editor: FaceEditor) -> PhotoCodes:
    shape = (40, editor.generator.num_layers, editor.generator.style_dim)
    return PhotoCodes.fit(torch.randn(shape, generator=torch.Generator().manual_seed(0)) + 2, 8)


def test_samples_spread_as_the_codes_do() -> None:
    source = torch.Generator().manual_seed(1)
    axis = torch.randn(1, 3, 4, generator=source)
    codes = 5 + torch.randn(500, 1, 1, generator=source) * axis
    drawn = PhotoCodes.fit(codes, 1).sample(4000, 7, 1.0).w
    torch.testing.assert_close(drawn.mean(dim=0), codes.mean(dim=0), atol=0.1, rtol=0)
    torch.testing.assert_close(drawn.std(dim=0), axis[0].abs(), atol=0.15, rtol=0.1)
    still = PhotoCodes.fit(codes, 1).sample(2, 7, 0.0).w
    torch.testing.assert_close(still, codes.mean(dim=0).expand(2, 3, 4))


def test_a_seed_names_a_face(codes: PhotoCodes) -> None:
    torch.testing.assert_close(codes.sample(2, 3).w, codes.sample(5, 3).w[:2])  # but for last bits
    assert not torch.equal(codes.sample(1, 3).w, codes.sample(1, 4).w)
    with pytest.raises(ValueError, match="64 bits"):
        codes.sample(1, 2**70)


def test_files(codes: PhotoCodes, editor: FaceEditor, tmp_path: Path) -> None:
    assert load_photo_codes(tmp_path, editor.generator) is None
    with pytest.raises(FileNotFoundError, match=FILE_NAME):
        PhotoCodes.load(tmp_path)
    codes.save(tmp_path)
    found = load_photo_codes(tmp_path, editor.generator)
    assert found is not None
    torch.testing.assert_close(found.axes, codes.axes, atol=2e-3, rtol=2e-3)
    PhotoCodes(codes.mean[:1], codes.axes[:, :1]).save(tmp_path)
    with pytest.raises(WeightsError, match="another generator"):
        load_photo_codes(tmp_path, editor.generator)


@pytest.mark.parametrize(
    "tensors",
    [
        {"mean": torch.zeros(2, 3)},
        {"mean": torch.zeros(2, 3), "axes": torch.zeros(4, 3, 2)},
        {"mean": torch.full((2, 3), float("nan")), "axes": torch.zeros(4, 2, 3)},
    ],
)
def test_foreign_files(tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    save_file(tensors, tmp_path / FILE_NAME)
    with pytest.raises(WeightsError, match=r"no mean and axes|\[L, D\]|not finite"):
        PhotoCodes.load(tmp_path)


def test_one_code_has_no_spread() -> None:
    with pytest.raises(ValueError, match="two or more"):
        PhotoCodes.fit(torch.zeros(1, 2, 3), 1)


def test_a_look_is_asked_for(editor: FaceEditor, codes: PhotoCodes) -> None:
    drawn = editor.generator.sample(2, 5, 0.7).w
    assert torch.equal(editor.sampled(2, 5).w, drawn)
    with pytest.raises(ValueError, match="one look only"):
        editor.sample(5, look="photo")
    both = replace(editor, photographs=codes)
    assert torch.equal(both.sampled(2, 5, look="render").w, drawn)
    assert torch.equal(both.sampled(2, 5).w, codes.sample(2, 5).w)
    assert torch.equal(both.sample(5, look="photo").latent.w, codes.sample(1, 5).w)
    with pytest.raises(ValueError, match="'oil' is not one of photo, render"):
        both.sample(5, look="oil")
