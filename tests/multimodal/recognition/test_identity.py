from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from multimodal.faces import NoFaceError, detect_faces
from multimodal.files.weights import WeightsError
from multimodal.images import load_image
from multimodal.recognition.identity import (
    DlibIdentity,
    IdentityConfig,
    IdentityNet,
    face_crop,
    identity_similarity,
    load_identity,
    save_identity,
)

SAMPLES = Path(__file__).resolve().parents[3] / "apps" / "samples" / "faces"
TINY = IdentityConfig(widths=(8, 8, 16, 16), depths=(1, 1, 1), dim=12)


@pytest.fixture
def network() -> IdentityNet:
    torch.manual_seed(0)
    return IdentityNet(TINY).eval()


@pytest.mark.parametrize("size", [(16, 16), (64, 64), (256, 256), (100, 120)])
def test_vectors_are_unit_at_any_size(network: IdentityNet, size: tuple[int, int]):
    found = network(torch.rand(2, 3, *size) * 2 - 1)
    assert found.shape == (2, 12)
    assert torch.allclose(found.norm(dim=1), torch.ones(2))


def test_the_gradient_reaches_the_face_and_not_the_corners(network: IdentityNet):
    images = (torch.rand(1, 3, 64, 64) * 2 - 1).requires_grad_(True)
    network(images)[0, 0].backward()
    assert images.grad is not None
    assert images.grad[0, :, 32, 32].abs().sum() > 0
    assert images.grad[0, :, :4].abs().sum() == 0


def test_the_crop_is_the_face_of_an_aligned_picture():
    ramp = torch.arange(256.0).expand(1, 3, 256, 256)
    crop = face_crop(ramp)
    assert crop.shape == (1, 3, 112, 112)
    assert abs(float(crop[0, 0, 0, 0]) - 32) < 1
    assert abs(float(crop[0, 0, 0, -1]) - 219) < 1
    with pytest.raises(ValueError, match=r"\[B, 3, H, W\]"):
        face_crop(torch.zeros(3, 64, 64))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_saved_and_loaded(network: IdentityNet, tmp_path: Path, dtype: torch.dtype):
    network.centre.fill_(0.25)
    path = save_identity(network, tmp_path / "identity.safetensors", dtype)
    loaded = load_identity(path)
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    assert isinstance(loaded, IdentityNet)
    assert (loaded(images) - network(images)).abs().max() < (
        1e-6 if dtype == torch.float32 else 0.02
    )
    assert loaded.centre.dtype == torch.float32
    assert not any(p.requires_grad for p in loaded.parameters())


def test_other_files_are_refused(network: IdentityNet, tmp_path: Path):
    path = save_identity(network, tmp_path / "identity.safetensors")
    about = path.with_suffix(".json")
    about.write_text('{"identity": {"widths": [8, 8, 16, 32], "depths": [1, 1, 1], "dim": 12}}')
    with pytest.raises(WeightsError, match="not an identity network"):
        load_identity(path)
    about.write_text("[]")
    with pytest.raises(WeightsError, match="not an identity network"):
        load_identity(path)
    about.unlink()
    with pytest.raises(FileNotFoundError, match="json"):
        load_identity(path)


def test_one_person_is_nearer_than_another():
    # A scaled, recompressed-like copy of one photo against a photo of somebody else.
    woman = load_image(SAMPLES / "01_smiling_woman.jpg")
    man = load_image(SAMPLES / "04_old_man.jpg")
    identity = DlibIdentity()
    again = woman.resize((220, 220), Image.Resampling.BICUBIC)
    same = identity_similarity(woman, again, identity)
    other = identity_similarity(woman, man, identity)
    assert same > 0.97
    assert other < same - 0.05


def test_the_descriptor_with_and_without_given_landmarks():
    woman = load_image(SAMPLES / "01_smiling_woman.jpg")
    points = detect_faces(woman)[0].landmarks
    identity = DlibIdentity()
    found = identity(woman)
    assert found.shape == (128,)
    assert found.dtype == np.float32
    assert np.array_equal(identity.describe(woman, points), found)
    with pytest.raises(NoFaceError):
        identity(Image.new("RGB", (64, 64), "grey"))
    with pytest.raises(ValueError, match=r"\[68, 2\]"):
        identity(woman, points[:5])
