from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from multimodal.faces import align_or_crop
from multimodal.recognition.identity import (
    IdentityConfig,
    IdentityNet,
    load_identity,
    save_identity,
)
from recipes.data import Faces
from recipes.judge.train_identity import agreement, describe_all, targets_of, terms_of, train, vary
from recipes.loop import RunConfig, start

SAMPLES = Path(__file__).resolve().parents[3] / "apps" / "samples" / "faces"
TINY = IdentityConfig(widths=(8, 8, 16, 16), depths=(1, 1, 1), dim=128)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one shard of three aligned samples."""
    folder = tmp_path_factory.mktemp("faces") / "shard_00000"
    folder.mkdir()
    images, points = [], []
    for path in sorted(SAMPLES.glob("*.jpg"))[:3]:
        crop, _, marks = align_or_crop(Image.open(path), 128, mode="detect")
        images.append(np.asarray(crop))
        points.append(marks)
    np.save(folder / "images.npy", np.stack(images))
    np.save(folder / "landmarks.npy", np.stack(points))
    return folder.parent


def test_descriptors_are_made_once(shards: Path, tmp_path: Path):
    found = describe_all(Faces(shards), tmp_path, 10)
    assert found.shape == (3, 128)
    (path,) = (tmp_path / shards.name).glob("*.npy")
    np.save(path, found + 1)
    np.testing.assert_allclose(describe_all(Faces(shards), tmp_path, 2), (found + 1)[:2])


def test_varied_faces_stay_pictures():
    torch.manual_seed(0)
    images = torch.rand(4, 3, 64, 64) * 2 - 1
    varied = vary(images)
    assert varied.shape == images.shape
    assert varied.abs().max() <= 1
    assert not torch.equal(varied, images)


def test_a_perfect_student_has_no_loss():
    class Echo(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    wanted = torch.nn.functional.normalize(torch.randn(4, 128), dim=1)
    for term in terms_of(Echo(), wanted, wanted).values():  # type: ignore[arg-type]
        assert abs(float(term)) < 1e-6


def test_training_moves_towards_the_teacher_and_is_saved(shards: Path, tmp_path: Path):
    faces = Faces(shards)
    descriptors = describe_all(faces, tmp_path / "cache", 3)
    run = start(RunConfig(tmp_path, steps=25), accelerator="cpu")
    net, images = IdentityNet(TINY), faces.batch(np.arange(3))
    net.centre.copy_(torch.from_numpy(descriptors.mean(axis=0)))
    wanted = targets_of(descriptors, net.centre)
    before = terms_of(net, images, wanted)["angle"]
    trained = train(run, faces, wanted, net, batch=3, lr=3e-3)
    assert terms_of(net, images, wanted)["angle"] < before
    assert set(agreement(trained, faces, wanted)) == {"correlation", "cosine"}
    path = save_identity(trained, tmp_path / "identity.safetensors", torch.float16)
    with torch.no_grad():
        found = load_identity(path, "cpu")(images)
        assert float((found * trained(images)).sum(dim=1).min()) > 0.999
