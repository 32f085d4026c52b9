"""The recorded outputs of the official generators beside StyleGAN2, through files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from multimodal.generators import load_generator
from tests.checkpoint_files import nvlabs_pickle
from tests.parity_data import (
    assert_close,
    assert_image,
    expected,
    inputs,
    nets,
    spec,
    state_dict,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def assert_gradient(
    loss: Tensor, given: Tensor, recorded: np.ndarray, relative: float = 2e-3
) -> None:
    """The gradient of a loss, to a share of its largest number."""
    (found,) = torch.autograd.grad(loss, given)
    scale = float(np.abs(recorded).max())
    assert_close(found / scale, recorded / scale, relative)


@pytest.mark.parametrize("net", [*nets("dcgan_*"), *nets("wgan_*")])
def test_dcgan_and_wgan(net: str, tmp_path: Path) -> None:
    torch.save(state_dict(net), tmp_path / "netG_epoch_24.pth")
    model, z, wanted = (
        load_generator(tmp_path / "netG_epoch_24.pth", "cpu"),
        inputs(net)["z"],
        expected(net),
    )
    assert_image("image", model(z), wanted)
    first = z[:1].requires_grad_()
    loss = model(first).square().mean()
    assert_close(loss[None], wanted["loss_mean_square_image0"])
    assert_gradient(loss, first, wanted["grad_z0_of_mean_square_image"], 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("net", nets("pg_*"))
def test_pggan(net: str, tmp_path: Path) -> None:
    torch.save({"generator_smooth": state_dict(net)}, tmp_path / "g.pth")
    model, z, wanted = load_generator(tmp_path / "g.pth", "cpu"), inputs(net)["z"], expected(net)
    assert_close(model.mapping(z)[:, 0], wanted["z_normalised"])
    assert_image("image", model(z), wanted, 5e-5)
    if "grad_z0_of_mean_square_image" in wanted:
        first = z[:1].requires_grad_()
        loss = model(first).square().mean()
        assert_gradient(loss, first, wanted["grad_z0_of_mean_square_image"])
    model.lod.fill_(1)
    assert_image("image_lod1", model(z[:1].detach()), wanted, 5e-5)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["genforce", "idinvert"])
@pytest.mark.parametrize("net", nets("sg1_*"))
def test_stylegan1(net: str, layout: str, tmp_path: Path) -> None:
    state = state_dict(net)
    contents = {"generator_smooth": state} if layout == "genforce" else as_idinvert(state)
    torch.save(contents, tmp_path / "g.pth")
    model, given, wanted = load_generator(tmp_path / "g.pth", "cpu"), inputs(net), expected(net)
    z, w_plus = given["z"], given["wplus"]
    assert_close(model.mapping(z)[:, 0], wanted["mapping.w"])
    assert_close(model.mapping(z, 0.7)[:, 0], wanted["mapping.w_psi0.7"])
    assert_close(model.mapping(z, 0.7, 8), wanted["mapping.ws_psi0.7_layers8"])
    assert_close(torch.cat(model.styles(w_plus), dim=1), wanted["styles"])
    assert_image("image_const", model.synthesize(w_plus), wanted, 1e-4)
    drawn = model.synthesize(model.mapping(z[:1], 0.7, 8))
    assert_image("image_z_psi0.7_layers8_const", drawn, wanted, 1e-4)
    if "grad_wplus0_of_mean_square_image_const" in wanted:
        first = w_plus[:1].requires_grad_()
        loss = model.synthesize(first).square().mean()
        assert_gradient(loss, first, wanted["grad_wplus0_of_mean_square_image_const"])


@pytest.mark.slow
@pytest.mark.parametrize("net", nets("sg3_*"))
def test_stylegan3(net: str, tmp_path: Path) -> None:
    file = nvlabs_pickle(state_dict(net), tmp_path / "g.pkl", told=spec(net)["options"])
    model, given, wanted = load_generator(file, "cpu"), inputs(net), expected(net)
    z, w_plus = given["z"], given["wplus"]
    assert_close(model.mapping(z)[:, 0], wanted["mapping.w"])
    assert_close(model.mapping(z, 0.7)[:, 0], wanted["mapping.w_psi0.7"])
    assert_close(model.mapping(z, 0.7, 8), wanted["mapping.ws_psi0.7_cutoff8"])
    first_styles = model.styles(w_plus)[0]
    assert_close(model.synthesis.input(first_styles)[:, ::32], wanted["input.ch_step32"])
    drawn = torch.cat([model.synthesize(code[None]) for code in w_plus])
    assert_image("image_ws", drawn, wanted)
    assert_image("image_z_psi0.7", model.synthesize(model.mapping(z[:1], 0.7)), wanted)
    motion = spec(net)["transform"]
    moved = model.moved(w_plus[:1], motion["angle_degrees"], *motion["translation"])
    assert_image("image_ws0_transform", model.synthesize_styles(moved), wanted)
    if "grad_wplus0_of_mean_square_image" in wanted:
        first = w_plus[:1].requires_grad_()
        loss = model.synthesize(first).square().mean()
        assert_gradient(loss, first, wanted["grad_wplus0_of_mean_square_image"])


@pytest.mark.slow
def test_biggan_deep(tmp_path: Path) -> None:
    net = "bgd_128"
    torch.save(
        state_dict(net), tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=False
    )
    (tmp_path / "config.json").write_text(json.dumps(spec(net)["config"]))
    model, z, wanted = load_generator(tmp_path, "cpu"), inputs(net)["z"], expected(net)
    labels = torch.zeros(2, 1000)
    labels[[0, 1], [207, 12]] = 1
    mixed = torch.zeros(1, 1000)
    mixed[0, [207, 12]] = torch.tensor([0.6, 0.4])
    assert_close(model.code(z, labels)[:, 0], wanted["cond_vector"])
    assert_image("image_t0.4", model(z, labels, 0.4), wanted, 1e-4)
    for truncation in ("0.445", "0.58", "1.0"):
        drawn = model(z[:1], labels[:1], float(truncation))
        assert_image(f"image0_t{truncation}", drawn, wanted, 1e-4)
    assert_image("image0_mix_t0.4", model(z[:1], mixed, 0.4), wanted, 1e-4)


@pytest.mark.slow
def test_biggan(tmp_path: Path) -> None:
    net = "bgp_128"
    torch.save(state_dict(net), tmp_path / "G_ema.pth")
    model, z, wanted = load_generator(tmp_path, "cpu"), inputs(net)["z"], expected(net)
    shared = model.shared(torch.tensor([207, 12]))
    assert_close(shared, wanted["shared"])
    assert_image("image", model(z, shared), wanted, 1e-4)
    halfway = model(z[:1], shared.mean(0, keepdim=True))
    assert_close(halfway[:, :, 32:96, 32:96], wanted["image0_class_halfway.crop"], 1e-4)


def as_idinvert(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same numbers with idinvert's keys."""
    theirs: dict[str, Tensor] = {"truncation.truncation": torch.ones(1, 10, 1)}
    for key, tensor in state.items():
        head, _, name = key.rpartition(".")
        if key.startswith("mapping."):
            key = f"{head}.fc.weight" if name == "weight" else f"{head}.wscale.bias"
        elif ".output" in key and name == "weight":
            key = f"{head}.conv.weight"
        elif ".apply_noise." in key:
            key = key.replace(".apply_noise.", ".epilogue.apply_noise.")
        elif ".style." in key:
            end = "fc.weight" if name == "weight" else "wscale.bias"
            key = f"{head.replace('.style', '.epilogue.style_mod.dense')}.{end}"
        elif ".layer" in key and name == "bias":
            key = f"{head}.epilogue.bias"
        elif ".layer" in key and name == "weight":
            number = int(head.rpartition("layer")[2])
            fused = number % 2 == 0 and number >= 10
            key = key if fused else f"{head}.conv.weight"
            tensor = tensor.permute(2, 3, 1, 0) if fused else tensor
        theirs[key] = tensor
    return theirs
