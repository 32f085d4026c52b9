"""What training asks of a face's own weights beside its picture: that edits still draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from guidance.methods.factor_moves import FILE_NAME, FactorMoves
from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from recipes.encoder.edited import Asked, Edits
from recipes.encoder.train_encoder import Judges
from recipes.encoder.train_hyper import Known, begun, train
from recipes.loop import RunConfig, start

JUDGES = Judges(lambda a, b: (a - b).abs().mean(dim=(1, 2, 3)), None)


@pytest.fixture(scope="module")
def generator() -> StyleGAN2:
    torch.manual_seed(0)
    shape = StyleGAN2Config(32, (16, 16, 8, 8), z_dim=16, w_dim=16, mapping_layers=2)
    return StyleGAN2(shape).eval().requires_grad_(False)


@pytest.fixture
def edits(generator: StyleGAN2, tmp_path: Path) -> Edits:
    torch.manual_seed(0)
    moves = FactorMoves(
        weight=torch.randn(16, 3),
        bias=torch.zeros(3),
        words=torch.nn.functional.normalize(torch.randn(2, 8), dim=1),
        goals=torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]),
        rests=torch.tensor([[-1.0, 0, 0], [0, -1.0, 0]]),
        masks=torch.eye(3)[:2],
        rows=torch.ones(2, generator.num_layers),
        names=("expression: smile", "age: old"),
    )
    moves.save(tmp_path / FILE_NAME)
    found = Edits.of(tmp_path)
    assert found is not None
    return found


def test_a_model_without_factors_has_no_edits(tmp_path: Path) -> None:
    assert Edits.of(tmp_path) is None


def test_edits_move_codes_and_drawings(generator: StyleGAN2, edits: Edits) -> None:
    codes = generator.mapping(torch.randn(3, 16))
    torch.manual_seed(1)
    asked = edits.asked(generator, codes, 16)
    assert asked.codes.shape == codes.shape
    assert asked.change.shape == (3, 3, 16, 16)
    assert asked.change.any()
    torch.manual_seed(1)
    assert torch.equal(edits.asked(generator, codes, 16).codes, asked.codes)


def test_what_an_edit_misses() -> None:
    before = torch.zeros(2, 3, 8, 8)
    asked = Asked(torch.zeros(2, 4, 16), before - 0.5, torch.full((2, 3, 8, 8), 0.05))
    assert float(asked.missed(before, before + 0.05, JUDGES)) == pytest.approx(0, abs=1e-6)
    large = Asked(torch.zeros(2, 4, 16), before - 0.5, torch.full((2, 3, 8, 8), 0.5))
    assert torch.allclose(large.wanted(before)[..., 3:5, 3:5], torch.tensor(-0.5))
    assert float(large.missed(before, before, JUDGES)) > 0.1
    learning = before.clone().requires_grad_(True)
    asked.missed(learning, learning.detach() + 0.1, JUDGES)
    assert learning.grad is None


def test_training_with_edits(generator: StyleGAN2, edits: Edits, tmp_path: Path) -> None:
    from multimodal.inversion.encoders.bundle_encoder import BundleEncoder, BundleEncoderConfig

    torch.manual_seed(0)
    shape = BundleEncoderConfig(8, 32, 16, width=16, hidden=16, feedback=True, passes=2)
    encoder = BundleEncoder(shape).eval()
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (4, 3, 32, 32), np.uint8))
    known = Known.of(generator, encoder, pixels, 32)
    run = start(RunConfig(tmp_path / "run", 3, log_every=1000), "1", "cpu")
    network = train(run, generator, begun(generator, encoder), known, JUDGES, 2, edits=edits)
    assert run.step == 3
    assert all(bool(weight.isfinite().all()) for weight in network.parameters())
