from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from multimodal.files.weights import WeightsError
from multimodal.recognition.arcface import ArcFace, arcface_crop, load_arcface
from multimodal.recognition.identity import load_identity
from tests.parity_data import expected, inputs, state_dict

NET = "arcface_irse50"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as published: a bare state dict."""
    path = tmp_path_factory.mktemp("arcface") / "model_ir_se50.pth"
    torch.save(state_dict(NET), path)
    return path


@pytest.fixture(scope="module")
def network(checkpoint: Path) -> ArcFace:
    return load_arcface(checkpoint)


def assert_recorded(found: torch.Tensor, name: str) -> None:
    wanted = expected(NET)[name]
    assert found.shape == wanted.shape
    assert np.abs(found.numpy() - wanted).max() <= 2e-5 * max(1.0, np.abs(wanted).max())


def test_vectors_equal_the_recorded_ones(network: ArcFace):
    assert_recorded(network(inputs(NET)["face"]), "out")


@pytest.mark.parametrize("size", [64, 256, 512])
def test_preprocessing_equals_the_recorded_one(network: ArcFace, size: int):
    assert_recorded(network.embed(inputs(NET)[f"image{size}"]), f"idloss_feats_{size}")


def test_the_identity_loss_of_two_pictures(network: ArcFace):
    first, second = network.embed(inputs(NET)["image256"])
    assert_recorded((1 - first @ second).reshape(1), "idloss_of_image256_0_vs_1")


def test_the_crop_is_the_recorded_one():
    crop = arcface_crop(inputs(NET)["image256"])[:1]
    assert crop.shape == (1, 3, 112, 112)
    assert_recorded(crop[:, :, ::4, ::4], "idloss_crop_input_256")


def test_the_identity_door_takes_the_public_file(checkpoint: Path, network: ArcFace):
    images = inputs(NET)["image64"].requires_grad_(True)
    vectors = load_identity(checkpoint)(images)
    vectors[0, 0].backward()
    assert torch.allclose(vectors.detach(), network.embed(images.detach()))
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_other_files_are_refused(tmp_path: Path, checkpoint: Path):
    path = tmp_path / "x.pth"
    path.write_bytes(b"<html>quota exceeded</html>")
    with pytest.raises(WeightsError, match="web page"):
        load_arcface(path)
    path.write_bytes(b"not weights")
    with pytest.raises(WeightsError, match="not a file of weights"):
        load_arcface(path)
    torch.save({"x": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="ArcFace"):
        load_arcface(path)
    state = torch.load(checkpoint, weights_only=True)
    del state["body.0.res_layer.1.weight"]
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"body\.0\.res_layer\.1\.weight"):
        load_arcface(path)
