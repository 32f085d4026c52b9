"""Recorded outputs of the official networks, and the weights and inputs that belong to them.

Nothing here is a weight file: every tensor follows by formula from (salt, net, key, shape), see the
README of the folder of fixtures.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

PARITY = Path(__file__).resolve().parents[2] / "shared" / "parity"


def raw(salt: str, net: str, key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normals in float64."""
    seed = zlib.crc32(f"{salt}/{net}/{key}".encode())
    return np.asarray(np.random.Generator(np.random.PCG64(seed)).standard_normal(tuple(shape)))


def fill(
    salt: str,
    net: str,
    key: str,
    shape: tuple[int, ...],
    mul: float = 1.0,
    add: float = 0.0,
    abs: bool = False,
) -> Tensor:
    """The tensor of a key: arithmetic in float64, one cast to float32 at the end."""
    x = raw(salt, net, key, shape)
    x = np.abs(x) if abs else x
    return torch.from_numpy(np.array(x * mul + add, dtype=np.float32))


def blocky(salt: str, net: str, name: str, channels: int, size: int, n: int = 1) -> Tensor:
    """An image-like input `[n, channels, size, size]` in [-1, 1]."""
    lo = raw(salt, net, f"input.{name}.lo", (n, channels, size // 8, size // 8))
    hi = raw(salt, net, f"input.{name}.hi", (n, channels, size, size))
    x = np.repeat(np.repeat(lo, 8, axis=2), 8, axis=3) * 0.5 + hi * 0.1
    return torch.from_numpy(np.clip(x, -1, 1).astype(np.float32))


def nets(pattern: str) -> list[str]:
    """Names of the recorded networks that match a glob pattern, for `parametrize`."""
    return sorted(path.stem for path in PARITY.glob(f"{pattern}.json"))


@lru_cache(maxsize=64)
def spec(net: str) -> dict[str, Any]:
    """The JSON of a network; skips the test where the fixtures are missing."""
    path = PARITY / f"{net}.json"
    if not path.is_file():
        pytest.skip(f"no recorded outputs at {path}")
    return json.loads(path.read_text(encoding="utf-8"))


@lru_cache(maxsize=8)
def expected(net: str) -> Mapping[str, np.ndarray]:
    """The recorded outputs of a network by name."""
    spec(net)
    with np.load(PARITY / f"{net}.npz") as file:
        return {name: file[name] for name in file.files}


def state_dict(net: str, prefix: str = "") -> dict[str, Tensor]:
    """All tensors of a network in its official layout (those that start with `prefix`).

    Large buffers that the official constructor computes (`"keep"` without a value) are left out.
    """
    layout = spec(net)
    tensors = {}
    for key, entry in layout["state_dict"].items():
        if key.startswith(prefix):
            tensor = _tensor(net, key, entry, layout)
            if tensor is not None:
                tensors[key] = tensor
    for key, entry in layout["state_dict"].items():
        how = entry["fill"]
        if key.startswith(prefix) and isinstance(how, dict) and "sn_from" in how:
            tensors[key] = _power_step(layout, tensors[how["sn_from"]], how)
        elif key.startswith(prefix) and isinstance(how, dict) and "alias_of" in how:
            tensors[key] = tensors[how["alias_of"]]
    return tensors


def _power_step(layout: Mapping[str, Any], weight: Tensor, how: Mapping[str, Any]) -> Tensor:
    """The spectral-norm vector after one step in float64, see the folder's README."""
    flat = weight.double().flatten(1)
    u = torch.from_numpy(raw(layout["salt"], layout["net"], how["seed_key"], (len(flat),)))
    v = flat.t() @ u
    v = v / max(float(v.norm()), how["eps"])
    u = flat @ v
    u = u / max(float(u.norm()), how["eps"])
    return (u if how["out"] == "u" else v).float()


def nvlabs_net(net: str) -> str:
    """The NVlabs file whose numbers a rosinality file shares."""
    return net.replace("ros_", "nv_", 1)


def inputs(net: str) -> dict[str, Tensor]:
    """The inputs of a network by name, before anything its `then` says is done to them."""
    layout = spec(net)
    entries = layout.get("inputs") or {}
    if isinstance(entries, str):  # "same as <other net>"
        return inputs(entries.removeprefix("same as ").strip())
    made = {}
    for name, entry in entries.items():
        if not isinstance(entry, dict):
            continue
        if entry.get("kind") == "blocky":
            made[name] = _blocky(layout, name, entry)
        elif "key" in entry and all(isinstance(n, int) for n in entry["shape"]):
            made[name] = _filled(layout, entry["key"], entry)
    return made


def crops(name: str, image: Tensor) -> dict[str, np.ndarray]:
    """The recorded parts of a picture `[B, 3, R, R]`: whole up to 64 px, samples above."""
    x = image.detach().float().cpu().numpy()
    side = x.shape[-1]
    if side <= 64:
        return {name: x}
    middle = slice(side // 2 - 32, side // 2 + 32)
    return {
        f"{name}.crop": x[:, :, middle, middle],
        f"{name}.grid16": x[:, :, ::16, ::16],
        f"{name}.corner": x[:, :, :8, :8],
        f"{name}.mean": x.mean(axis=(2, 3)),
        f"{name}.std": x.std(axis=(2, 3)),
    }


def assert_close(actual: Tensor | np.ndarray, wanted: np.ndarray, relative: float = 2e-5) -> None:
    """Max abs difference at most `relative * max(1, absmax)`."""
    got = actual.detach().cpu().numpy() if isinstance(actual, Tensor) else np.asarray(actual)
    assert got.shape == wanted.shape, f"shape {got.shape}, recorded {wanted.shape}"
    worst = float(np.abs(got.astype(np.float64) - wanted).max())
    bound = relative * max(1.0, float(np.abs(wanted).max()))
    assert math.isfinite(worst), "not finite"
    assert worst <= bound, f"differs by {worst:.3g}, at most {bound:.3g} allowed"


def assert_image(
    name: str, image: Tensor, recorded: Mapping[str, np.ndarray], relative: float = 2e-5
) -> None:
    """Every recorded part of the picture `name` is reproduced."""
    for part, values in crops(name, image).items():
        assert part in recorded, f"{part} is not among {sorted(recorded)}"
        assert_close(values, recorded[part], relative)


def _tensor(net: str, key: str, entry: Mapping[str, Any], layout: Mapping[str, Any]) -> Any:
    how, shape = entry["fill"], tuple(entry["shape"])
    if how == "keep":
        if "value" not in entry and "outer([1,2,1]" in entry.get("note", ""):
            taps = torch.tensor([1.0, 2.0, 1.0])
            return (torch.outer(taps, taps) / 16).expand(shape).clone()
        if "value" not in entry:
            return None
        return torch.tensor(entry["value"], dtype=getattr(torch, entry["dtype"])).reshape(shape)
    if "sn_from" in how or "alias_of" in how:
        return None  # made from another tensor, when all are there
    if "from_nv_key" in how:
        other = nvlabs_net(net)
        source = spec(other)["state_dict"][how["from_nv_key"]]
        tensor = _tensor(other, how["from_nv_key"], source, spec(other))
        return tensor.reshape(shape)
    tensor = fill(layout["salt"], layout["net"], key, shape, **_arithmetic(how))
    if "first" in entry:
        first = float(tensor.flatten()[0])
        assert abs(first - entry["first"]) < 1e-6 * max(1.0, abs(first)), f"{key}: formula differs"
    return tensor


def _filled(layout: Mapping[str, Any], key: str, entry: Mapping[str, Any]) -> Tensor:
    shape = tuple(entry["shape"])
    return fill(layout["salt"], layout["net"], key, shape, **_arithmetic(entry))


def _blocky(layout: Mapping[str, Any], name: str, entry: Mapping[str, Any]) -> Tensor:
    sizes = entry["channels"], entry["size"], entry["n"]
    return blocky(layout["salt"], layout["net"], entry.get("name", name), *sizes)


def _arithmetic(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in ("mul", "add", "abs") if name in entry}
