"""Samples of codes, inversion by layers and by linear programs, features beside the code."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from multimodal.generators import load_generator
from multimodal.inversion import Weights, invert, tuned_generator
from multimodal.inversion.methods import monte_carlo
from multimodal.inversion.methods.monte_carlo import MonteCarloOptions, sample
from multimodal.inversion.methods.programs import AffineLayer, undo_layer, undo_network
from multimodal.inversion.objective import Objective
from multimodal.inversion.task import Task
from multimodal.types import Face, Latent


def relu_network(sizes: tuple[int, ...], seed: int = 0) -> list[AffineLayer]:
    """Random layers, each with a ReLU."""
    source = np.random.default_rng(seed)
    return [
        AffineLayer(source.normal(size=(m, n)) / n**0.5, source.normal(size=m) * 0.1)
        for n, m in pairwise(sizes)
    ]


def drawn(layers: list[AffineLayer], x: np.ndarray) -> np.ndarray:
    """What the layers make of x."""
    for layer in layers:
        x = np.maximum(layer.weight @ x + layer.bias, 0)
    return x


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_programs_are_exact_on_a_relu_generator(seed: int) -> None:
    layers = relu_network((4, 16, 48, 120), seed)
    z = np.random.default_rng(seed + 9).normal(size=4)
    found, slacks = undo_network(layers, drawn(layers, z))
    np.testing.assert_allclose(found, z, atol=1e-6)
    assert sum(slacks) < 1e-6


@pytest.mark.parametrize("direct", [True, False])
def test_a_program_and_its_shortcut_agree(direct: bool) -> None:
    (layer,) = relu_network((5, 30))
    x = np.random.default_rng(3).normal(size=5)
    found, slack = undo_layer(layer, drawn([layer], x), positive=False, direct=direct)
    np.testing.assert_allclose(found, x, atol=1e-6)
    assert slack < 1e-5


def test_a_program_bears_what_does_not_fit() -> None:
    (layer,) = relu_network((5, 40))
    x = np.random.default_rng(3).normal(size=5)
    output = drawn([layer], x)
    output[np.argmax(output)] += 5  # one gross error: the l1 program shrugs it off
    found, slack = undo_layer(layer, output, positive=False)
    np.testing.assert_allclose(found, x, atol=1e-6)
    assert slack == pytest.approx(5, abs=1e-5)


def test_programs_need_small_relu_layers() -> None:
    picture = torch.zeros(1, 3, 32, 32)
    with pytest.raises(ValueError, match="need a generator of ReLU layers"):
        invert(load_generator("tiny", "cpu"), picture, "programs", perceptual=None)
    with pytest.raises(ValueError, match="too large for a linear program"):
        invert(
            load_generator("tiny-dcgan", "cpu"), picture, "programs", perceptual=None, largest=99
        )


def test_layers_come_nearer_than_the_nets_alone() -> None:
    model = load_generator("tiny-dcgan", "cpu")
    target = model.synthesize(model.sample(1, seed=5).w)
    few = {"layer_steps": 20, "joint_steps": 20, "steps": 30}
    report = invert(model, target, "layers", perceptual=None, **few).report
    assert report["mse"] < report["mse_of_nets"]
    assert report["steps"] == 4 * 20 + 20 + 30
    with pytest.raises(ValueError, match="stylegan2 cannot be taken apart"):
        invert(load_generator("tiny", "cpu"), torch.zeros(1, 3, 32, 32), "layers", perceptual=None)


def test_monte_carlo_samples_a_known_posterior() -> None:
    """A generator that draws its code: the posterior is a normal that can be written down."""

    class Mirror:
        """Draws z's first three numbers as colours."""

        resolution = num_layers = 1
        style_dim = 3
        spaces = ("z",)
        device = torch.device("cpu")
        w_avg = torch.zeros(3)

        def mapping(self, z: torch.Tensor, **_: object) -> torch.Tensor:
            """z as a code."""
            return z[:, None]

        def synthesize(self, w: torch.Tensor, noise: object = "const") -> torch.Tensor:
            """The code as one pixel."""
            return w[:, 0, :, None, None]

        def sample(self, n: int, seed: int, truncation: float = 1.0) -> Latent:
            """Normals."""
            source = torch.Generator().manual_seed(seed)
            return Latent(torch.randn(n, 1, 3, generator=source))

    target = torch.tensor([1.0, 0.0, -1.0]).view(1, 3, 1, 1)
    objective = Objective(target, Weights(1.0, 0.0, 0.0))
    options = MonteCarloOptions(samples=400, warmup=60, leapfrog=8, sharpness=6.0, descend=5)
    found = sample(Task(Mirror(), objective, seed=1), options)  # type: ignore[arg-type]
    # exp(-6/3 |x - t|^2 - |x|^2 / 2): mean 0.8 t, variance 1/5
    codes = found.codes[:, 0]
    torch.testing.assert_close(codes.mean(0), 0.8 * target.flatten(), atol=0.12, rtol=0)
    torch.testing.assert_close(codes.var(0), torch.full((3,), 0.2), atol=0.08, rtol=0)
    assert 0.5 < found.acceptance < 0.85


def test_the_step_size_settles_at_the_acceptance_asked_for() -> None:
    found = []
    for seed in range(6):
        source = torch.Generator().manual_seed(seed)
        scales = torch.exp(torch.randn(1, 64, generator=source))

        def energy(
            point: torch.Tensor, scales: torch.Tensor = scales
        ) -> tuple[torch.Tensor, torch.Tensor]:
            return (scales * point.square() / 2).sum(), scales * point

        point = torch.randn(1, 64, generator=source)
        state = monte_carlo.State(point, *energy(point))
        adapting = monte_carlo.Coerced(0.1, 0.65)
        for _ in range(60):
            state, chance = monte_carlo.propose(energy, state, adapting.step, 8, source)
            adapting.learn(chance)
        chances = []
        for _ in range(40):
            state, chance = monte_carlo.propose(energy, state, adapting.settled, 8, source)
            chances.append(chance)
        found.append(sum(chances) / len(chances))
    assert 0.55 < sum(found) / len(found) < 0.75


def test_monte_carlo_reports_its_acceptance() -> None:
    model = load_generator("tiny-dcgan", "cpu")
    target = model.synthesize(model.sample(1, seed=5).w)
    few = {"samples": 5, "warmup": 10, "leapfrog": 3, "descend": 5}
    one, same = (invert(model, target, "hmc", perceptual=None, **few) for _ in range(2))
    assert 0 <= one.report["acceptance"] <= 1
    assert one.report["samples"] == 5
    assert torch.equal(one.latent.w, same.latent.w)


def test_features_hold_what_the_code_cannot(tmp_path) -> None:
    from PIL import Image

    model = load_generator("tiny", "cpu")
    target = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    code = invert(model, target, "hybrid", perceptual=None, steps=10)
    found = invert(model, target, "features", perceptual=None, steps=10, feature_steps=40, side=16)
    assert found.report["mse"] < 0.8 * code.report["mse"]
    key = "synthesis.b16.conv1.residual"
    assert list(found.tuned or ()) == [key]
    face = Face(found.latent, Image.new("RGB", (32, 32)), tuned=found.tuned)
    again = Face.load(face.save(tmp_path / "face.safetensors"))
    twin = tuned_generator(model, again.tuned)
    assert model.synthesis.b16.conv1.residual is None
    assert not torch.equal(twin.synthesize(found.latent.w), model.synthesize(found.latent.w))
    with pytest.raises(ValueError, match="side 99 is not one of 4, 8, 16, 32"):
        invert(model, target, "features", perceptual=None, steps=1, side=99)
    with pytest.raises(ValueError, match="has shape"):
        tuned_generator(model, {key: torch.zeros(3, 3)})
