"""Every checkpoint format loads, and everything else is refused with its own clear error."""

from __future__ import annotations

import argparse
import json
import os
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


class Attack:
    """Unpickles by calling a function."""

    def __init__(self, function, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ["evil.pkl", "evil.pt"])
def test_pickles_run_nothing(tmp_path: Path, protocol: int, name: str) -> None:
    marker = tmp_path / "ran"
    path = tmp_path / name
    path.write_bytes(pickle.dumps({"G_ema": Attack(os.mkdir, str(marker))}, protocol))
    with pytest.raises(CheckpointError, match=r"mkdir|neither a pickle"):
        load_generator(path, "cpu")
    assert not marker.exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_torch_files_run_nothing(tmp_path: Path, legacy: bool) -> None:
    marker = tmp_path / "ran"
    contents = {"g_ema": Attack(os.mkdir, str(marker))}
    torch.save(contents, tmp_path / "g.pt", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match=r"refused the global posix\.mkdir"):
        load_generator(tmp_path / "g.pt", "cpu")
    assert not marker.exists()


def test_storages_inside_a_pickle_run_nothing(tiny: StyleGAN2, tmp_path: Path) -> None:
    import io

    from torch._utils import _rebuild_tensor_v2
    from torch.storage import _load_from_bytes

    marker = tmp_path / "ran"
    inner = io.BytesIO()
    torch.save(Attack(os.mkdir, str(marker)), inner, _use_new_zipfile_serialization=False)
    storage = Attack(_load_from_bytes, inner.getvalue())
    evil = Attack(_rebuild_tensor_v2, storage, 0, (1,), (1,), False, {})
    with official_modules():
        generator = Persistent("Generator", {"_parameters": {"x": evil}})
        (tmp_path / "g.pkl").write_bytes(pickle.dumps({"G_ema": generator}))
    with pytest.raises(CheckpointError, match="tensor cannot be read"):
        load_generator(tmp_path / "g.pkl", "cpu")
    assert not marker.exists()


def test_huge_tensor_of_small_storage(tmp_path: Path) -> None:
    from torch._utils import _rebuild_tensor_v2

    storage = torch.storage.TypedStorage(1, dtype=torch.float32, _internal=True)
    evil = Attack(_rebuild_tensor_v2, storage, 0, (1 << 40,), (0,), False, {})
    with official_modules():
        generator = Persistent("Generator", {"_parameters": {"x": evil}})
        (tmp_path / "g.pkl").write_bytes(pickle.dumps({"G_ema": generator}))
    with pytest.raises(CheckpointError, match="larger than its storage"):
        load_generator(tmp_path / "g.pkl", "cpu")


FOREIGN = {
    "StyleGAN1": "generator.progression.0.conv1.conv.weight_orig",
    "PGGAN": "scaleLayers.0.0.module.weight",
}
INCOMPLETE = {
    "synthesis.L0_36_512.bias": "have gaps",
    "synthesis.layer0.const": "have gaps",
    "layer0.weight": "have gaps",
    "generator.gen_z.bias": "config.json",
    "blocks.0.0.bn1.stored_mean": "missing key",
    "main.0.weight": "is no convolution",
    "main.initial:8-8:convt.weight": "too few|axes|not a WGAN",
}


@pytest.mark.parametrize("key", INCOMPLETE)
@pytest.mark.parametrize("suffix", [".pkl", ".pt"])
def test_other_families_must_be_whole(tmp_path: Path, key: str, suffix: str) -> None:
    path, state = tmp_path / f"g{suffix}", {key: torch.zeros(2)}
    if suffix == ".pkl":
        nvlabs_pickle(state, path)
    else:
        torch.save({"g_ema": state}, path)
    with pytest.raises(CheckpointError, match=INCOMPLETE[key]):
        load_generator(path, "cpu")


@pytest.mark.parametrize("family", FOREIGN)
@pytest.mark.parametrize("suffix", [".pkl", ".pt"])
def test_other_families_are_named(tmp_path: Path, family: str, suffix: str) -> None:
    path = tmp_path / f"g{suffix}"
    state = {FOREIGN[family]: torch.zeros(2), "mapping.fc0.weight": torch.zeros(2, 2)}
    if suffix == ".pkl":
        nvlabs_pickle(state, path)
    else:
        torch.save({"g_ema": state}, path)
    with pytest.raises(CheckpointError, match=f"{family} network, which is not supported"):
        load_generator(path, "cpu")


@pytest.mark.parametrize(
    ("module", "mark", "family"),
    [
        ("dnnlib.tflib.network", "training.networks_stylegan.G_style", "StyleGAN1"),
        ("dnnlib.tflib.network", "training.networks_stylegan2.G_main", "StyleGAN2"),
        ("tfutil", "networks.G_paper", "PGGAN"),
    ],
)
def test_tensorflow_pickles_are_named(tmp_path: Path, module: str, mark: str, family: str) -> None:
    body = f"(c{module}\nNetwork\n)\x81}}V{mark}\n0000t.".encode()
    (tmp_path / "g.pkl").write_bytes(b"\x80\x02" + body)
    with pytest.raises(CheckpointError, match=f"TensorFlow pickle .* {family} network"):
        load_generator(tmp_path / "g.pkl", "cpu")


@pytest.mark.parametrize("name", ["g.pt", "g.pkl", "g.safetensors"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\n<!DOCTYPE html><html><title>Google Drive</title>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        (b"plainly not a network" * 20, "not a (checkpoint|pickle|safetensors)|damaged"),
        (pickle.dumps([1, 2, 3]), "holds a list"),
        (pickle.dumps((1, 2, 3)), "3-tuple"),
        (b"\x80\x04" + b"(" * 9, "damaged|not a pickle"),
    ],
)
def test_not_a_checkpoint(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load_generator(tmp_path / name, "cpu")


@pytest.mark.parametrize("suffix", [".pkl", ".pt", ".safetensors"])
@pytest.mark.parametrize("keep", [0.02, 0.5, 0.999])
def test_truncated(tiny: StyleGAN2, tmp_path: Path, suffix: str, keep: float) -> None:
    path = tmp_path / f"g{suffix}"
    if suffix == ".pkl":
        nvlabs_pickle(tiny.state_dict(), path)
    elif suffix == ".pt":
        rosinality_file(tiny, path)
    else:
        save_generator(tiny, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(CheckpointError, match=r"truncated|SHA-256|damaged"):
        load_generator(path, "cpu")


def test_native_configuration_is_strict(tiny: StyleGAN2, tmp_path: Path) -> None:
    path = tmp_path / "g.safetensors"
    save_generator(tiny, path)
    about = json.loads(path.with_suffix(".json").read_text())

    def refused(message: str, error: type[Exception] = CheckpointError, **change: object) -> None:
        path.with_suffix(".json").write_text(json.dumps(about | change))
        with pytest.raises(error, match=message):
            load_generator(path, "cpu")

    config = about["config"]
    refused("family 'vae'", family="vae")
    refused("SHA-256", sha256="0" * 64)
    refused("'config' is missing", config=None)
    refused("unknown fields depth", config=config | {"depth": 3})
    refused("field 'z_dim' is missing", config={k: v for k, v in config.items() if k != "z_dim"})
    refused("power of two", config=config | {"resolution": 33})
    refused("has shape", config=config | {"channels": [32, 32, 16, 8]})
    refused("has shape", config=config | {"mapping_layers": 3})
    for text, message in (("{", "not JSON"), ("[]", "not a JSON object")):
        path.with_suffix(".json").write_text(text)
        with pytest.raises(CheckpointError, match=message):
            load_generator(path, "cpu")
    path.with_suffix(".json").unlink()
    with pytest.raises(FileNotFoundError, match=r"g\.json"):
        load_generator(path, "cpu")


def test_numpy_values_are_passed_over(tiny: StyleGAN2, tmp_path: Path) -> None:
    extra = {"gain": np.float32(2), "table": np.arange(3), "kind": np.dtype("f4")}
    path = nvlabs_pickle(tiny.state_dict(), tmp_path / "g.pkl", **extra)
    assert same(tiny, load_generator(path, "cpu"))
