"""Every inversion method through the public door, on a tiny real generator."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.images import to_pil
from multimodal.inversion import METHODS, FaceEncoder, invert
from multimodal.inversion.descent import Walk
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder, BundleEncoderConfig
from multimodal.inversion.objective import Objective
from multimodal.inversion.options import DescentOptions, Weights
from multimodal.inversion.spaces import make_space, sample_w
from multimodal.inversion.task import Task
from multimodal.types import Latent, Progress


@pytest.fixture(scope="module")
def encoder(tiny: StyleGAN2) -> FaceEncoder:
    torch.manual_seed(3)
    config = BundleEncoderConfig(
        num_layers=8, resolution=32, style_dim=32, width=16, hidden=16, feedback=True, passes=2
    )
    network = BundleEncoder(config)
    network.w_avg.copy_(tiny.w_avg)
    return FaceEncoder(network, passes=2).attach(tiny)


def mse_of_average(tiny: StyleGAN2, face: Tensor) -> float:
    average = tiny.synthesize(tiny.w_avg.expand(1, 8, 32)).clamp(-1, 1)
    return float((average - face).square().mean())


CASES: dict[str, tuple[str, dict[str, Any], float]] = {
    "adam z": ("adam", {"space": "z", "steps": 40, "lr": 0.1}, 1.0),
    "adam w": ("adam", {"space": "w", "steps": 40}, 0.7),
    "adam w+": ("adam", {"space": "w+", "steps": 40}, 0.6),
    "adam p": ("adam", {"space": "p", "steps": 40, "lr": 0.1}, 0.8),
    "adam pn+": ("adam", {"space": "pn+", "steps": 40, "lr": 0.2, "prior": 1e-3}, 0.7),
    "adam random": ("adam", {"init": "random", "starts": 6, "trial": 5, "steps": 30}, 0.8),
    "lbfgs": ("lbfgs", {"steps": 40}, 0.5),
    "projector": ("projector", {"steps": 50}, 0.8),
    "quick": ("quick", {"steps": 28}, 0.8),
    "hybrid": ("hybrid", {"steps": 40}, 0.8),
    "idinvert": ("idinvert", {"steps": 40, "lr": 0.05, "domain": 0.1}, 0.9),
    "cma": ("cma", {"generations": 15, "population": 8}, 1.0),
    "cma diagonal": ("cma", {"generations": 10, "population": 8, "full": 16, "space": "p"}, 1.0),
    "basin-cma": (
        "basin-cma",
        {"generations": 2, "population": 4, "inner": 3, "final": 15, "space": "w+"},
        0.9,
    ),
    "hmc": ("hmc", {"samples": 4, "warmup": 6, "leapfrog": 3, "sharpness": 3000.0}, 1.0),
    "features": ("features", {"steps": 15, "feature_steps": 15, "side": 16}, 0.8),
    "pti": ("pti", {"steps": 20, "lr": 3e-3, "pivot": "adam", "pivot_steps": 10}, 0.8),
}


@pytest.mark.parametrize("case", CASES)
def test_methods_come_closer_than_the_average_face_and_repeat_exactly(
    case: str, tiny: StyleGAN2, face: Tensor, encoder: FaceEncoder, distance: Any
) -> None:
    method, options, share = CASES[case]
    settings = {"encoder": encoder, "perceptual": distance, "seed": 1, **options}
    first = invert(tiny, face, method, **settings)
    again = invert(tiny, face, method, **settings)
    assert first.latent.w.shape == (1, 8, 32)
    assert first.latent.w.isfinite().all()
    assert first.report["mse"] < share * mse_of_average(tiny, face)
    torch.testing.assert_close(first.latent.w, again.latent.w, rtol=0, atol=0)
    for name in ("psnr", "lpips", "seconds", "steps"):
        assert first.report[name] >= 0
    assert not tiny.synthesis.b4.conv1.weight.requires_grad


def test_every_registered_method_has_a_case() -> None:
    elsewhere = {"encoder", "layers", "programs", "hyperstyle"}  # another kind of network
    assert {method for method, _, _ in CASES.values()} | elsewhere == set(METHODS)


def test_the_encoder_method_is_the_encoder(
    tiny: StyleGAN2, face: Tensor, encoder: FaceEncoder, distance: Any
) -> None:
    result = invert(tiny, face, "encoder", encoder=encoder, perceptual=distance, passes=1)
    seen = torch.nn.functional.interpolate(face, (256, 256), mode="bilinear")
    torch.testing.assert_close(result.latent.w, encoder(seen, passes=1))
    with pytest.raises(ValueError, match="needs an encoder"):
        invert(tiny, face, "encoder", perceptual=distance)
    with pytest.raises(ValueError, match="needs an encoder"):
        invert(tiny, face, "idinvert", perceptual=distance, steps=1)


def test_hybrid_without_an_encoder_says_so(tiny: StyleGAN2, face: Tensor, distance: Any) -> None:
    result = invert(tiny, face, perceptual=distance, steps=2)
    assert "no encoder" in result.report["notes"][0]


def test_a_start_is_where_it_begins(tiny: StyleGAN2, face: Tensor, distance: Any) -> None:
    truth = tiny.sample(1, seed=5, truncation=0.8)
    result = invert(tiny, face, "adam", start=truth, steps=1, perceptual=distance)
    torch.testing.assert_close(result.latent.w, truth.w)
    given = invert(
        tiny, face, "adam", start=truth.w, init="given", space="pn+", steps=1, perceptual=None
    )
    torch.testing.assert_close(given.latent.w, truth.w, atol=1e-3, rtol=1e-3)
    with pytest.raises(ValueError, match="needs a start"):
        invert(tiny, face, "adam", init="given", perceptual=None)
    with pytest.raises(ValueError, match="no exact point in space 'z'"):
        invert(tiny, face, "adam", start=truth, space="z", perceptual=None)


def test_a_mask_hides_what_is_in_front_of_the_face(
    tiny: StyleGAN2, face: Tensor, distance: Any
) -> None:
    covered = face.clone()
    covered[..., 16:, :] = 1.0
    mask = Image.new("L", (32, 32), 0)
    mask.paste(255, (0, 0, 32, 16))
    options = {"method": "adam", "steps": 60, "perceptual": distance}
    blind = invert(tiny, covered, **options)
    masked = invert(tiny, covered, mask=mask, **options)

    def error(latent: Latent) -> float:
        return float((tiny.synthesize(latent.w) - face)[..., :16, :].square().mean())

    assert error(masked.latent) < error(blind.latent)
    with pytest.raises(ValueError, match="black everywhere"):
        invert(tiny, face, mask=Image.new("L", (32, 32), 0), perceptual=None)


class Spoiled:
    """A distance that is not finite for a while."""

    def __init__(self, distance: Any, bad: range) -> None:
        self.distance, self.bad, self.calls = distance, bad, 0

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        self.calls += 1
        return self.distance(a, b) * (float("nan") if self.calls in self.bad else 1.0)


@pytest.mark.parametrize("method", ["adam", "lbfgs", "pti"])
def test_a_loss_that_is_not_finite_restarts_with_a_smaller_step(
    method: str, tiny: StyleGAN2, face: Tensor, distance: Any
) -> None:
    told: list[Progress] = []
    tuning = {"start": tiny.sample(1, seed=9), "threshold": 0} if method == "pti" else {}
    result = invert(
        tiny,
        face,
        method,
        told.append,
        perceptual=Spoiled(distance, range(5, 7)),
        steps=20,
        **tuning,
    )
    assert result.latent.w.isfinite().all()
    assert any("half the step" in progress.message for progress in told)
    assert any("half the step" in note for note in result.report["notes"])


def test_a_loss_that_is_never_finite_ends(tiny: StyleGAN2, face: Tensor, distance: Any) -> None:
    told: list[Progress] = []
    result = invert(
        tiny, face, "adam", told.append, perceptual=Spoiled(distance, range(10**9)), steps=50
    )
    assert len(told) == 4
    torch.testing.assert_close(result.latent.w[0, 0], tiny.w_avg)


def test_jitter_is_in_units_of_the_codes_distance_from_their_average(tiny: StyleGAN2) -> None:
    objective = Objective(torch.zeros(1, 3, 32, 32), Weights())
    w = sample_w(tiny, 0)
    radius = (w - w.mean(dim=0)).square().sum(dim=1).mean().sqrt()
    for name in ("w", "w+"):
        space = make_space(name, tiny)
        points = space.centre.expand(2000, *space.centre.shape)
        walk = Walk(Task(tiny, objective), space, DescentOptions(space=name), points)
        walk.jitter = 0.5
        wobble = (walk.jittered() - points).std()
        torch.testing.assert_close(wobble, 0.5 * radius, rtol=0.02, atol=0)


def test_the_projector_goes_back_to_the_best_code_from_within_the_jitter(
    tiny: StyleGAN2, face: Tensor, distance: Any
) -> None:
    spoiled = Spoiled(distance, range(21, 10**9))
    result = invert(tiny, face, "projector", perceptual=spoiled, steps=50, jitter=1e-3)
    assert result.report["steps"] == 24
    assert result.report["mse"] < 0.8 * mse_of_average(tiny, face)


def test_it_stops_when_nothing_improves(tiny: StyleGAN2, face: Tensor) -> None:
    truth = tiny.sample(1, seed=5, truncation=0.8)
    result = invert(tiny, face, "adam", start=truth, patience=3, steps=200, perceptual=None)
    assert result.report["steps"] < 60


def test_noise_maps_are_optimised_and_stay_white(tiny: StyleGAN2, face: Tensor) -> None:
    result = invert(tiny, face, "adam", noise=True, steps=5, perceptual=None)
    assert result.latent.noise is not None
    assert [n.shape[-1] for n in result.latent.noise] == [4, 8, 8, 16, 16, 32, 32]
    for noise in result.latent.noise:
        assert abs(float(noise.mean())) < 1e-4


def test_progress_counts_up_and_names_its_terms(
    tiny: StyleGAN2, face: Tensor, distance: Any
) -> None:
    told: list[Progress] = []

    def embed(images: Tensor) -> Tensor:
        return torch.nn.functional.normalize(images.mean(dim=(2, 3)), dim=1)

    result = invert(
        tiny, face, "adam", told.append, steps=3, perceptual=distance, identity=embed, prior=0.1
    )
    assert [p.step for p in told] == [1, 2, 3]
    assert told[0].losses.keys() == {"pixels", "lpips", "identity", "prior"}
    assert -1 <= result.report["identity"] <= 1.0001


def test_pictures_of_any_size_and_kind_are_taken(tiny: StyleGAN2, face: Tensor) -> None:
    picture = to_pil(face).resize((70, 70))
    assert invert(tiny, picture, "adam", steps=1, perceptual=None).latent.w.shape == (1, 8, 32)


def test_what_cannot_work_is_refused_at_the_door(tiny: StyleGAN2, face: Tensor) -> None:
    for word, arguments in {
        "'magic' is not one of encoder": {"method": "magic"},
        r"unknown options \['stpes'\]": {"method": "adam", "stpes": 3},
        "space 's' is not one of z": {"method": "adam", "space": "s"},
        "steps 0 is not in": {"method": "adam", "steps": 0},
        "pivot 'x'": {"method": "pti", "pivot": "x"},
        "start has shape": {"start": torch.zeros(1, 2, 32)},
        "mask has shape": {"mask": torch.zeros(32, 32)},
    }.items():
        with pytest.raises(ValueError, match=word):
            invert(tiny, face, perceptual=None, **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"expected \[1, 3, H, W\]"):
        invert(tiny, torch.zeros(2, 3, 32, 32), perceptual=None)
    with pytest.raises(ValueError, match="not finite"):
        invert(tiny, face * float("nan"), perceptual=None)


def test_lbfgs_goes_on_after_its_first_round(tiny: StyleGAN2, face: Tensor, distance: Any) -> None:
    short, long = (
        invert(tiny, face, "lbfgs", perceptual=distance, steps=steps) for steps in (20, 120)
    )
    assert long.report["steps"] > 40
    assert long.report["mse"] < short.report["mse"]
