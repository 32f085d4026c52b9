"""Directions at right angles in the picture, and the direction that leads away from artefacts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from apps.cli import run
from guidance.controls.attributes import sefa
from guidance.controls.components import Components
from guidance.controls.jacobian import (
    JacobianConfig,
    angles,
    hessian_penalty,
    orthogonal_jacobian,
)
from guidance.controls.quality import Usual, own_good, quality_direction, quality_scores
from multimodal.generators import load_generator
from multimodal.generators.stylegan2 import StyleGAN2


class Linear:
    """A generator whose picture is linear in its code: its Jacobian is known."""

    resolution, num_layers, style_dim, device = 16, 1, 6, torch.device("cpu")

    def __init__(self, square: float = 0.0) -> None:
        source = torch.Generator().manual_seed(5)
        scales = torch.tensor([8.0, 4.0, 2.0, 1.0, 0.5, 0.25])
        self.matrix = torch.randn(3 * 16 * 16, 6, generator=source) * scales
        self.square = square

    def sample(self, n: int, seed: int, truncation: float = 0.7):
        from multimodal.types import Latent

        return Latent(torch.randn(n, 1, 6, generator=torch.Generator().manual_seed(seed)))

    def synthesize(self, w, noise="const"):
        drawn = (w[:, 0] @ self.matrix.T).view(-1, 3, 16, 16)
        return drawn + self.square * drawn.square()


def test_the_closed_form_is_that_of_the_jacobian() -> None:
    model = Linear()
    _, sizes, vectors = torch.linalg.svd(model.matrix, full_matrices=False)
    values, found = orthogonal_jacobian(model, JacobianConfig(3, 8, 200))
    assert float((found * vectors[:3]).sum(dim=1).abs().min()) > 0.98
    exact = sizes[:3].square() / len(model.matrix)
    assert float((values / exact - 1).abs().max()) < 0.1
    assert float(angles(model, vectors[:3], JacobianConfig(faces=2))) < 1e-3
    skew = F.normalize(torch.tensor([[1.0, 1, 0, 0, 0, 0], [1.0, 0, 1, 0, 0, 0]]), dim=1)
    assert float(angles(model, skew, JacobianConfig(faces=2))) > 0.5


def test_the_hessian_penalty_is_that_of_what_bends() -> None:
    config = JacobianConfig(faces=2, probes=8)
    eye = torch.eye(6)[:3]
    assert float(hessian_penalty(Linear(square=0.01), eye, config)) > 0.1
    model = Linear(square=0.01)
    model.matrix[:256, 1:], model.matrix[256:512, [0, 2]], model.matrix[512:, :2] = 0, 0, 0
    assert float(hessian_penalty(model, eye, config)) < 1e-3  # each direction has its own pixels


def test_directions_of_networks(generator: StyleGAN2) -> None:
    config = JacobianConfig(4, faces=2, probes=24)
    values, found = orthogonal_jacobian(generator, config)
    assert found.shape == (4, 16)
    assert bool((values.diff() <= 0).all())
    torch.testing.assert_close(found @ found.T, torch.eye(4), atol=1e-5, rtol=0)
    one = JacobianConfig(4, faces=1, probes=400)
    _, exact = orthogonal_jacobian(generator, one)
    _, weights = sefa(generator, count=4)
    assert float(angles(generator, exact, one)) < 0.5 * float(angles(generator, weights, one))
    coarse, _ = orthogonal_jacobian(generator, JacobianConfig(4, 2, 24, layers="0-1"))
    assert float(coarse[0]) < float(values[0])
    z = load_generator("tiny-dcgan", "cpu")
    assert orthogonal_jacobian(z, JacobianConfig(2, 1, 4))[1].shape == (2, z.style_dim)
    with pytest.raises(ValueError, match="probes 0 is not in"):
        JacobianConfig(probes=0)


def test_quality_leads_to_usual_pictures(generator: StyleGAN2) -> None:
    def extract(images: torch.Tensor) -> torch.Tensor:
        return F.adaptive_avg_pool2d(images, 2).flatten(1)

    good = own_good(generator, extract, 40)
    usual = Usual.of(good)
    assert float(usual.score(good).mean()) == pytest.approx(-1, abs=0.1)
    assert float(usual.score(good + 5).max()) < -2
    # What is usual lies to one side of most drawings: then the direction leads there.
    side = good + 3 * (good - good.mean(dim=0)).std(dim=0)
    scores = quality_scores(side, extract)
    found = quality_direction(generator, scores, samples=160)
    codes = generator.sample(32, 900, 1.0).w
    moved = [float(scores(generator.synthesize(codes + s * found)).mean()) for s in (-1, 0, 1)]
    assert moved[0] < moved[1] < moved[2]
    with pytest.raises(ValueError, match="8 or more"):
        Usual.of(good[:3])


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--model", "tiny", "--out", str(tmp_path)]
    assert run(["directions", "jacobian", "--count", "2", "--faces", "1", *out]) == 0
    assert len(Components.load(tmp_path, "jacobian").directions) == 2
    photos = tmp_path / "good"
    photos.mkdir()
    for i in range(8):
        pixels = np.random.default_rng(i).integers(0, 255, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(photos / f"{i}.png")
    assert run(["directions", "quality", "--samples", "40", "--good", str(photos), *out]) == 0
    assert (tmp_path / "attributes.safetensors").is_file()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run(["directions", "quality", "--good", str(empty), *out]) == 2
    assert "no pictures in" in capsys.readouterr().err
