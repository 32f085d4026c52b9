"""Every family beside StyleGAN2: one protocol, its own spaces, the same methods."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from apps.cli import run
from guidance.controls.attributes import ganspace, sefa
from multimodal.generators import CheckpointError, convert, inspect, load_generator, load_stylegan2
from multimodal.generators.families.base import Network
from multimodal.generators.families.catalogue import FAMILIES
from multimodal.generators.families.classes import class_number, imagenet_names
from multimodal.inversion import invert
from multimodal.types import Generator


@pytest.fixture(scope="module", params=list(FAMILIES))
def model(request: pytest.FixtureRequest) -> Network:
    """A seeded small network of each family."""
    return load_generator(f"tiny-{request.param}", "cpu")


def test_protocol(model: Network) -> None:
    assert isinstance(model, Generator)
    codes = model.sample(3, seed=1).w
    assert codes.shape == (3, model.num_layers, model.style_dim)
    assert torch.equal(codes[:2], model.sample(2, seed=1).w)
    pictures = model.synthesize(codes)
    assert pictures.shape == (3, 3, model.resolution, model.resolution)
    assert (pictures[0] - pictures[1]).abs().mean() > 1e-3
    torch.testing.assert_close(model.synthesize(codes[1:2]), pictures[1:2], rtol=1e-4, atol=1e-5)
    assert model.w_avg.shape == (model.style_dim,)
    with pytest.raises(ValueError, match="the code has shape"):
        model.synthesize(codes[:, :, :-1])


def test_gradient(model: Network) -> None:
    codes = model.sample(1, seed=0).w.requires_grad_()
    (gradient,) = torch.autograd.grad(model.synthesize(codes).square().mean(), codes)
    assert bool(gradient.isfinite().all())
    assert gradient.abs().max() > 0


def test_spaces(model: Network) -> None:
    codes = model.sample(2, seed=0).w
    if "s" in model.spaces:
        drawn = model.synthesize_styles(model.styles(codes))
        torch.testing.assert_close(drawn, model.synthesize(codes))
        average = model.mapping(torch.randn(2, model.config.z_dim), truncation=0.0)
        torch.testing.assert_close(average, model.w_avg.expand_as(average))
    else:
        with pytest.raises(ValueError, match=rf"needs space 's'; {model.family} has z"):
            model.styles(codes)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_files_there_and_back(model: Network, tmp_path: Path, suffix: str) -> None:
    name = f"tiny-{model.family}"
    codes = model.sample(1, seed=2).w
    again = load_generator(convert(name, tmp_path / f"g{suffix}"), "cpu")
    assert again.config == model.config
    kept, own = again.state_dict(), model.state_dict()
    assert kept.keys() == own.keys()
    assert all(torch.equal(kept[key], own[key]) for key in own)
    # Where weights lie in memory tells some processors how to add up: the last bits may differ.
    torch.testing.assert_close(again.synthesize(codes), model.synthesize(codes))
    info = inspect(tmp_path / f"g{suffix}")
    assert (info.family, info.spaces, info.resolution) == (model.family, model.spaces, 32)
    with pytest.raises(ValueError, match="needs a StyleGAN2"):
        load_stylegan2(tmp_path / f"g{suffix}", "cpu")


def test_families_that_say_their_name_are_held_to_it(tmp_path: Path) -> None:
    path = convert("tiny-stylegan3", tmp_path / "g.pth")
    held = torch.load(path, weights_only=True)
    assert held["family"] == "stylegan3"
    huge = held["config"] | {"resolution": 1 << 20}
    wide = held["config"] | {"channels": [1 << 30] * 8}
    for name, value in (
        ("family", "stylegan9"),
        ("family", "biggan-deep"),
        ("family", ["stylegan3"]),
        ("config", huge),
        ("config", wide),
        ("config", {}),
        ("config", [1]),
        ("config", held["config"] | {"extra": 1}),
        ("G_ema", {}),
        ("G_ema", {"mapping.w_avg": torch.zeros(3)}),
    ):
        torch.save(held | {name: value}, path)
        with pytest.raises(CheckpointError, match=r"g\.pth"):
            load_generator(path, "cpu")


@pytest.mark.parametrize("method", ["quick", "hybrid", "projector", "cma", "pti"])
def test_inversion(model: Network, method: str) -> None:
    target = model.synthesize(model.sample(1, seed=4).w)
    options = {
        "cma": {"generations": 2, "population": 4},
        "pti": {"steps": 2, "pivot_steps": 2},
    }.get(method, {"steps": 3})
    found = invert(model, target, method, perceptual=None, **options)
    assert found.latent.w.shape == (1, model.num_layers, model.style_dim)
    assert 0 <= found.report["mse"] < 4


def test_descent_comes_nearer(model: Network) -> None:
    target = model.synthesize(model.sample(1, seed=4).w)
    few, many = (
        invert(model, target, "adam", perceptual=None, steps=n, lr=0.05).report["mse"]
        for n in (1, 40)
    )
    assert many < few


def test_a_space_it_lacks(model: Network) -> None:
    target = torch.zeros(1, 3, 32, 32)
    lacking = next(name for name in ("pn+", "w") if name not in model.spaces)
    with pytest.raises(
        ValueError, match=rf"needs space '{lacking.replace('+', '.')}'; {model.family} has"
    ):
        invert(model, target, "adam", perceptual=None, space=lacking, steps=1)


def test_directions(model: Network) -> None:
    values, found = sefa(model, count=3)
    deviations, principal = ganspace(model, 3, 2000)
    assert found.shape == principal.shape == (3, model.style_dim)
    assert bool((values[:-1] >= values[1:]).all())
    torch.testing.assert_close(found @ found.t(), torch.eye(3), atol=1e-5, rtol=0)
    assert len(deviations) == 3


def test_commands(model: Network, tmp_path: Path) -> None:
    name = f"tiny-{model.family}"
    assert run(["sample", "--model", name, "--count", "2", "--out", str(tmp_path)]) == 0
    photo = tmp_path / "sample-0-0000.png"
    arguments = ["--model", name, "--aligned", "--set", "steps=2", "--out", str(tmp_path / "i")]
    assert run(["invert", str(photo), *arguments]) == 0
    latent, strip = str(tmp_path / "i" / "latent.safetensors"), str(tmp_path / "s.png")
    ends = ["interpolate", latent, "seed:3", "--model", name, "--frames", "3", "--out", strip]
    assert run(ends) == 0


def test_motion_in_s_is_the_buffer_of_nvlabs() -> None:
    model = load_generator("tiny-stylegan3", "cpu")
    codes = model.sample(2, seed=0).w
    moved = model.synthesize_styles(model.moved(codes, 30, 0.15, -0.1))
    forward = torch.tensor([[0.8660254, 0.5, 0.15], [-0.5, 0.8660254, -0.1], [0, 0, 1]])
    model.synthesis.input.transform.copy_(torch.linalg.inv(forward))
    torch.testing.assert_close(moved, model.synthesize(codes), rtol=1e-4, atol=1e-5)


def test_motion_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--count", "1", "--rotate", "30", "--out", str(tmp_path)]
    assert run(["sample", "--model", "tiny-stylegan3", *arguments]) == 0
    assert run(["sample", "--model", "tiny-pggan", *arguments]) == 2
    assert "this is a pggan" in capsys.readouterr().err


def test_classes() -> None:
    assert imagenet_names()[207] == "golden retriever"
    assert class_number("Golden Retriever", 1000) == class_number("207", 1000) == 207
    with pytest.raises(ValueError, match=r"not in 0\.\.4"):
        class_number(5, 5)
    with pytest.raises(ValueError, match="by number only"):
        class_number("tench", 5)
    with pytest.raises(ValueError, match="golden retriever"):
        class_number("golden retreiver", 1000)


def test_class_chooses_the_embedding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = load_generator("tiny-biggan", "cpu")
    codes = model.sample(2, seed=0, label=3).w
    assert torch.equal(codes[0, 0, model.config.z_dim :], model.table()[3])
    held = invert(model, torch.zeros(1, 3, 32, 32), "adam", perceptual=None, space="z", steps=2)
    assert torch.equal(held.latent.w[0, 0, model.config.z_dim :], model.table()[0])
    arguments = ["--count", "1", "--class", "3", "--out", str(tmp_path)]
    assert run(["sample", "--model", "tiny-biggan", *arguments]) == 0
    assert run(["sample", "--model", "tiny-dcgan", *arguments]) == 2
    assert "needs space 'class'" in capsys.readouterr().err


def test_import_is_lazy() -> None:
    code = (
        "import sys, multimodal.generators; "
        "print([m for m in sys.modules if m.startswith('multimodal.generators.families.') "
        "and m.rpartition('.')[2] not in ('base', 'catalogue', 'reading')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
