"""Trained networks of methods: written with a description, read back, found in a model's folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from guidance.common import load_tensors, save_tensors
from multimodal.files.untrusted.building import within
from multimodal.files.weights import WeightsError
from multimodal.types import Toolkit

Network = TypeVar("Network", bound=nn.Module)


def save_network(network: Any, path: Path | str, kind: str, about: Mapping[str, Any]) -> Path:
    """Write a network as `.safetensors` with its kind and its config (a dataclass, `.config`)."""
    described = {"kind": kind, "config": asdict(network.config), **about}
    return save_tensors(path, network.state_dict(), described)


def load_network(
    path: Path | str, kind: str, build: Callable[[dict[str, Any]], Network]
) -> Network:
    """Read what `save_network` wrote, frozen.

    Args:
        path: the file.
        kind: what it has to hold ("text encoder").
        build: the network of a stored config, with any weights.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it holds something else.
    """
    tensors, about = load_tensors(path)
    if about.get("kind") != kind:
        raise ValueError(f"{path} does not hold a {kind}")
    try:
        with within(tensors, Path(path).name):
            network = build(about["config"])
        network.load_state_dict({k: v.float() for k, v in tensors.items()}, strict=True)
    except (KeyError, TypeError, RuntimeError, WeightsError) as error:
        raise ValueError(f"{path} is not a {kind} of this kind: {error}") from error
    return network.eval().requires_grad_(False)


def own_file(toolkit: Toolkit, name: str, lacking: str) -> Path:
    """A method's file in the model's folder.

    Raises:
        FileNotFoundError: this model has none; `lacking` is the message.
    """
    path = Path(toolkit.folder or "") / name
    if toolkit.folder is None or not path.is_file():
        raise FileNotFoundError(lacking)
    return path
