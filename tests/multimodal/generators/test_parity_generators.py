"""The recorded outputs of the official generators, through files and `load_generator`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from multimodal.generators import StyleGAN2, load_generator
from tests.checkpoint_files import nvlabs_pickle
from tests.parity_data import (
    assert_close,
    assert_image,
    expected,
    fill,
    inputs,
    nets,
    nvlabs_net,
    spec,
    state_dict,
)


@pytest.fixture
def load(tmp_path: Path):
    """The network of a recorded name, from a file as its authors would write it."""

    def made(net: str) -> StyleGAN2:
        weights = state_dict(net)
        if net.startswith("nv_"):
            return load_generator(nvlabs_pickle(weights, tmp_path / "network.pkl"), "cpu")
        path = tmp_path / "network.pt"
        other = nvlabs_net(net)
        average = state_dict(other, "mapping.w_avg")["mapping.w_avg"]
        torch.save({"g_ema": weights, "latent_avg": average}, path)
        return load_generator(path, "cpu")

    return made


@pytest.mark.parametrize("net", nets("nv_g*"))
def test_nvlabs(net: str, load) -> None:
    model, given, wanted = load(net), inputs(net), expected(net)
    assert model.num_layers == spec(net)["num_ws"]
    w_plus = given["wplus"]
    assert_close(model.mapping(given["z"])[:, 0], wanted["mapping.w"])
    truncated = model.mapping(given["z"], truncation=0.7, cutoff=8)
    assert_close(truncated, wanted["mapping.ws_psi0.7_cutoff8"])
    assert_close(
        model.mapping(given["z"], truncation=0.7)[:, 0], wanted["mapping.w_psi0.7_nocutoff"]
    )
    styles = model.styles(w_plus)
    assert [style.shape[1] for style in styles] == [n for _, n in spec(net)["styles_order"]]
    assert_close(torch.cat(styles, dim=1), wanted["styles"])
    assert_image("image_const", model.synthesize(w_plus), wanted)
    assert_image("image_none", model.synthesize_styles(styles, noise="none"), wanted)
    if any(name.startswith("image_z_psi") for name in wanted):
        image = model.synthesize(truncated[:1])
        assert_image("image_z_psi0.7_cutoff8_const", image, wanted)


@pytest.mark.parametrize("net", [n for n in nets("nv_g*") if "1024" not in n])
def test_gradient(net: str, load) -> None:
    model, wanted = load(net), expected(net)
    w_plus = inputs(net)["wplus"][:1].requires_grad_()
    loss = model.synthesize(w_plus).square().mean()
    (gradient,) = torch.autograd.grad(loss, w_plus)
    assert_close(loss[None], wanted["loss_mean_square_image0_const"])
    recorded = wanted["grad_wplus0_of_mean_square_image_const"]
    assert_close(gradient, recorded)
    # Relative too, but loosely: a leaky ReLU whose input is zero up to rounding may differ in slope.
    assert_close(gradient / abs(recorded).max(), recorded / abs(recorded).max(), relative=1e-3)


@pytest.mark.parametrize("net", nets("ros_g*"))
def test_rosinality(net: str, load) -> None:
    model, given, wanted = load(net), inputs(net), expected(net)
    assert_close(model.mapping(given["z"])[:, 0], wanted["mapping.w"])
    assert_image("image_const", model.synthesize(given["wplus"]), wanted)
    if any(name.startswith("image_z_trunc") for name in wanted):
        image = model.synthesize(model.mapping(given["z"][:1], truncation=0.7))
        assert_image("image_z_trunc0.7_latent_w_avg", image, wanted)


def test_formula_is_deterministic() -> None:
    assert torch.equal(fill("A", "n", "k", (2, 3), 2.0, 1.0), fill("A", "n", "k", (2, 3), 2.0, 1.0))
    assert not torch.equal(fill("A", "n", "k", (2,)), fill("B", "n", "k", (2,)))
