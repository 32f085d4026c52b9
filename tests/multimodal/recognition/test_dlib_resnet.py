from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from multimodal.faces import align_or_crop, detect_faces
from multimodal.files.weights import WeightsError
from multimodal.images import to_tensor
from multimodal.recognition.descriptor import describe
from multimodal.recognition.dlib_resnet import (
    DlibFace,
    DlibResNet,
    aligned_chip,
    face_chip,
    load_dlib_face,
    load_dlib_resnet,
)
from multimodal.recognition.identity import load_identity

SAMPLES = Path(__file__).resolve().parents[3] / "apps" / "samples" / "faces"


@pytest.fixture(scope="module")
def net() -> DlibResNet:
    return load_dlib_resnet()


def sample(name: str) -> Image.Image:
    return Image.open(SAMPLES / name).convert("RGB")


def test_descriptors_are_dlibs_own(net: DlibResNet):
    image = sample("01_smiling_woman.jpg")
    marks = detect_faces(image)[0].landmarks
    chip = to_tensor(Image.fromarray(face_chip(image, marks)))
    with torch.no_grad():
        mine = net(chip)[0].numpy()
    assert np.abs(mine - describe(np.asarray(image), marks)).max() < 1e-5


def test_aligned_faces_are_read_nearly_as_dlib_reads_them(net: DlibResNet):
    for name in ("01_smiling_woman.jpg", "04_old_man.jpg"):
        image = sample(name)
        crop, _, _ = align_or_crop(image, 256, mode="detect")
        with torch.no_grad():
            mine = net(aligned_chip(to_tensor(crop)))[0].numpy()
        theirs = describe(np.asarray(image), detect_faces(image)[0].landmarks)
        assert np.linalg.norm(mine - theirs) < 0.35  # strangers are 0.6 and more apart


def test_two_people_differ_more_than_one_person_resized(net: DlibResNet):
    face = DlibFace(net)
    names = ("01_smiling_woman.jpg", "04_old_man.jpg")
    large = torch.cat([to_tensor(align_or_crop(sample(n), 256, mode="detect")[0]) for n in names])
    small = torch.nn.functional.interpolate(large, size=(96, 96), mode="bilinear", antialias=True)
    with torch.no_grad():
        a, b = face(large), face(small)
    assert torch.allclose(a.norm(dim=1), torch.ones(2))
    assert (a * b).sum(dim=1).min() > float(a[0] @ a[1]) + 0.05


def test_strangers_are_far_apart_when_measured_from_the_mean():
    face = load_dlib_face()
    names = ("01_smiling_woman.jpg", "04_old_man.jpg")
    crops = [to_tensor(align_or_crop(sample(n), 128, mode="detect")[0]) for n in names]
    with torch.no_grad():
        a, b = face(torch.cat(crops))
    assert float(a @ b) < 0.5


def test_gradient_reaches_the_picture(net: DlibResNet):
    x = torch.zeros(1, 3, 64, 64, requires_grad=True)
    DlibFace(net)(x)[0, 0].backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert x.grad[..., 0, 0].abs().sum() == 0


def test_other_files_are_refused(tmp_path: Path):
    other = tmp_path / "other.dat"
    other.write_bytes(b"con_4\x01\x02" * 20)
    with pytest.raises(WeightsError, match="does not hold"):
        load_dlib_resnet(other)
    with pytest.raises(WeightsError):
        load_identity(other)
    with pytest.raises(FileNotFoundError):
        load_dlib_resnet(tmp_path / "none.dat")
