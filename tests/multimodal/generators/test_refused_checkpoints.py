"""Checkpoints that attack, are cut short or of other families: refused by their right names."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
import torch

from multimodal.generators import (
    CheckpointError,
    load_generator,
    save_generator,
)
from multimodal.generators.registry import tiny_generator
from multimodal.generators.stylegan2 import StyleGAN2
from tests.checkpoint_files import Persistent, nvlabs_pickle, official_modules, rosinality_file


@pytest.fixture(scope="module")
def tiny() -> StyleGAN2:
    return tiny_generator()


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
