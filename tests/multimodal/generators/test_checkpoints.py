"""Every checkpoint format loads, and broken ones are refused with their own clear errors."""

from __future__ import annotations

import argparse
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from multimodal.generators import (
    MODELS,
    CheckpointError,
    convert,
    inspect,
    load_generator,
    save_generator,
)
from multimodal.generators.registry import tiny_generator
from multimodal.generators.stylegan2 import StyleGAN2
from tests.checkpoint_files import Persistent, nvlabs_pickle, official_modules, rosinality_file


@pytest.fixture(scope="module")
def tiny() -> StyleGAN2:
    return tiny_generator()


def same(a: StyleGAN2, b: StyleGAN2) -> bool:
    w_plus = a.sample(2, seed=1).w
    return torch.equal(w_plus, b.sample(2, seed=1).w) and torch.allclose(
        a.synthesize(w_plus), b.synthesize(w_plus), atol=1e-6
    )


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_nvlabs_pickle(tiny: StyleGAN2, tmp_path: Path, protocol: int) -> None:
    path = nvlabs_pickle(tiny.state_dict(), tmp_path / "g.pkl", protocol=protocol)
    model = load_generator(path, "cpu")
    assert same(tiny, model)
    assert model.config == tiny.config
    assert not any(p.requires_grad for p in model.parameters())


def test_nvlabs_options_are_read(tiny: StyleGAN2, tmp_path: Path) -> None:
    path = nvlabs_pickle(tiny.state_dict(), tmp_path / "g.pkl", conv_clamp=256, lr_multiplier=0.1)
    config = load_generator(path, "cpu").config
    assert config.conv_clamp == 256.0
    assert config.mapping_lr_multiplier == 0.1


def test_half_precision_weights_are_widened(tiny: StyleGAN2, tmp_path: Path) -> None:
    half = {key: tensor.half() for key, tensor in tiny.state_dict().items()}
    model = load_generator(nvlabs_pickle(half, tmp_path / "g.pkl"), "cpu")
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_rosinality_file(tiny: StyleGAN2, tmp_path: Path) -> None:
    path = rosinality_file(tiny, tmp_path / "g.pt", args=argparse.Namespace(size=32), iter=7)
    assert same(tiny, load_generator(path, "cpu"))


def test_rosinality_legacy_container(tiny: StyleGAN2, tmp_path: Path) -> None:
    contents = torch.load(rosinality_file(tiny, tmp_path / "g.pt"), weights_only=True)
    torch.save(contents, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert same(tiny, load_generator(tmp_path / "old.pt", "cpu"))


def test_rosinality_without_average_estimates_it(tiny: StyleGAN2, tmp_path: Path) -> None:
    contents = torch.load(rosinality_file(tiny, tmp_path / "g.pt"), weights_only=True)
    del contents["latent_avg"]
    torch.save(contents, tmp_path / "g.pt")
    model = load_generator(tmp_path / "g.pt", "cpu")
    assert torch.allclose(model.w_avg, tiny.w_avg, atol=0.15)
    assert model.w_avg.norm() > 0
    assert torch.equal(model.w_avg, load_generator(tmp_path / "g.pt", "cpu").w_avg)


def test_decoder_of_an_encoder_file(tiny: StyleGAN2, tmp_path: Path) -> None:
    contents = torch.load(rosinality_file(tiny, tmp_path / "g.pt"), weights_only=True)
    state = {f"module.{key}": value for key, value in contents["g_ema"].items()}
    state = {f"decoder.{key}": value for key, value in state.items()}
    state["encoder.input_layer.0.weight"] = torch.zeros(1)
    average = contents["latent_avg"].expand(tiny.num_layers, -1).clone()
    torch.save({"state_dict": state, "latent_avg": average, "opts": {}}, tmp_path / "e4e.pt")
    assert same(tiny, load_generator(tmp_path / "e4e.pt", "cpu"))


def test_native_round_trip(tiny: StyleGAN2, tmp_path: Path) -> None:
    path = tmp_path / "made" / "generator.safetensors"
    digest = save_generator(tiny, path)
    assert json.loads(path.with_suffix(".json").read_text())["sha256"] == digest
    assert same(tiny, load_generator(path, "cpu"))
    assert same(tiny, load_generator(path.parent, "cpu"))
    assert inspect(path).sha256 == digest
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "generator.json",
        "generator.safetensors",
    ]


def test_native_needs_its_suffix(tiny: StyleGAN2, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="safetensors"):
        save_generator(tiny, tmp_path / "g.bin")


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_convert_there_and_back(tiny: StyleGAN2, tmp_path: Path, suffix: str) -> None:
    save_generator(tiny, tmp_path / "a.safetensors")
    convert(tmp_path / "a.safetensors", tmp_path / f"b{suffix}")
    convert(tmp_path / f"b{suffix}", tmp_path / "c.safetensors")
    back = load_generator(tmp_path / "c.safetensors", "cpu")
    assert back.config == tiny.config
    assert all(torch.equal(v, tiny.state_dict()[k]) for k, v in back.state_dict().items())


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_convert_keeps_the_clamp(tiny: StyleGAN2, tmp_path: Path, suffix: str) -> None:
    source = nvlabs_pickle(tiny.state_dict(), tmp_path / "g.pkl", conv_clamp=256)
    assert load_generator(convert(source, tmp_path / f"b{suffix}"), "cpu").config.conv_clamp == 256


def test_convert_refuses(tiny: StyleGAN2, tmp_path: Path) -> None:
    source = nvlabs_pickle(tiny.state_dict(), tmp_path / "g.pkl", lr_multiplier=0.1)
    with pytest.raises(ValueError, match="suffix is not one of"):
        convert(source, tmp_path / "b.pkl")
    with pytest.raises(ValueError, match="multiplier"):
        convert(source, tmp_path / "b.pt")


def test_inspect(tiny: StyleGAN2, tmp_path: Path) -> None:
    info = inspect(rosinality_file(tiny, tmp_path / "g.pt"))
    assert (info.family, info.format, info.resolution) == ("stylegan2", "rosinality .pt", 32)
    assert info.channels == (32, 32, 16, 16)
    assert (info.num_layers, info.z_dim, info.w_dim, info.mapping_layers) == (8, 32, 32, 2)
    assert info.parameters == sum(p.numel() for p in tiny.parameters())
    assert info.bytes == (tmp_path / "g.pt").stat().st_size


def test_registry(tiny: StyleGAN2) -> None:
    assert same(tiny, load_generator("tiny", "cpu"))
    assert load_generator("tiny", "cpu", dtype=torch.bfloat16).dtype == torch.bfloat16
    assert {"default", "tiny", "ffhq-256", "ffhq-1024", "ffhq-config-f"} <= set(MODELS)
    with pytest.raises(FileNotFoundError, match="nobody"):
        load_generator("nobody")
    with pytest.raises(ValueError, match="device"):
        load_generator("tiny", "quantum")
    with pytest.raises(ValueError, match="dtype"):
        load_generator("tiny", "cpu", dtype=torch.int64)
    with pytest.raises(ValueError, match="in memory"):
        inspect("tiny")


def broken(tiny: StyleGAN2, how: str) -> dict[str, torch.Tensor]:
    state = dict(tiny.state_dict())
    if how == "missing":
        del state["synthesis.b16.conv0.affine.bias"]
    elif how == "extra":
        state["synthesis.b16.skip.weight"] = torch.zeros(2)
    elif how == "shape":
        state["synthesis.b16.torgb.bias"] = torch.zeros(4)
    elif how == "nan":
        state["synthesis.b16.torgb.bias"] = torch.full((3,), torch.nan)
    elif how == "conditional":
        state["mapping.embed.weight"] = torch.zeros(32, 10)
    elif how == "no b4":
        state = {key: v for key, v in state.items() if ".b4." not in key}
    elif how == "integers":
        state["synthesis.b16.torgb.bias"] = torch.zeros(3, dtype=torch.int64)
    return state


BROKEN = {
    "missing": r"missing key synthesis\.b16\.conv0\.affine\.bias",
    "extra": r"unexpected key synthesis\.b16\.skip\.weight",
    "shape": r"synthesis\.b16\.torgb\.bias has shape \(4,\), expected \(3,\)",
    "nan": "not finite",
    "conditional": "class-conditional",
    "no b4": "channel counts|missing",
    "integers": "expected floating point",
}


@pytest.mark.parametrize(
    ("how", "suffix"),
    [(how, suffix) for how in BROKEN for suffix in (".pth", ".pkl")][:-1],  # no integer parameters
)
def test_broken_state(tiny: StyleGAN2, tmp_path: Path, how: str, suffix: str) -> None:
    path = tmp_path / f"g{suffix}"
    if suffix == ".pth":
        torch.save(broken(tiny, how), path)
    else:
        nvlabs_pickle(broken(tiny, how), path)
    with pytest.raises(CheckpointError, match=BROKEN[how]):
        load_generator(path, "cpu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("convs.2.conv.weight"), r"missing key convs\.2\.conv\.weight"),
        (lambda s: s.pop("style.1.weight"), r"missing key style\.1\.weight"),
        (lambda s: s.pop("conv1.conv.weight"), r"missing key conv1\.conv\.weight"),
        (lambda s: s.update(surplus=torch.zeros(1)), "unexpected key surplus"),
        (lambda s: s.update({"to_rgb1.bias": torch.zeros(3)}), r"to_rgb1\.bias has shape \(3,\)"),
        (lambda s: s.update({"conv1.conv.weight": torch.zeros(3)}), "expected 5 axes"),
    ],
)
def test_broken_rosinality(tiny: StyleGAN2, tmp_path: Path, change, message: str) -> None:
    contents = torch.load(rosinality_file(tiny, tmp_path / "g.pt"), weights_only=True)
    change(contents["g_ema"])
    torch.save(contents, tmp_path / "g.pt")
    with pytest.raises(CheckpointError, match=message):
        load_generator(tmp_path / "g.pt", "cpu")


def test_misshaped_average(tiny: StyleGAN2, tmp_path: Path) -> None:
    path = rosinality_file(tiny, tmp_path / "g.pt", latent_avg=torch.zeros(7))
    with pytest.raises(CheckpointError, match="latent_avg has shape"):
        load_generator(path, "cpu")


def test_conditional_by_option(tiny: StyleGAN2, tmp_path: Path) -> None:
    path = tmp_path / "g.pkl"
    with official_modules():
        generator = Persistent("Generator", {"c_dim": 10, "_modules": {}})
        path.write_bytes(pickle.dumps({"G_ema": generator}))
    with pytest.raises(CheckpointError, match="c_dim 10"):
        load_generator(path, "cpu")


def test_numpy_values_are_passed_over(tiny: StyleGAN2, tmp_path: Path) -> None:
    extra = {"gain": np.float32(2), "table": np.arange(3), "kind": np.dtype("f4")}
    path = nvlabs_pickle(tiny.state_dict(), tmp_path / "g.pkl", **extra)
    assert same(tiny, load_generator(path, "cpu"))
