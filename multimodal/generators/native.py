"""Our own format: weights in safetensors, the architecture in a JSON file beside them.

`generator.safetensors` holds tensors by NVlabs key; `generator.json` the configuration and the
SHA-256 of the weights, which is checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import save_file
from torch import Tensor

from multimodal.files import weights
from multimodal.files.untrusted.tensors import read_tensors
from multimodal.files.weights import WeightsError, atomic, sha256_of
from multimodal.generators.families.catalogue import find_family
from multimodal.generators.layout import CheckpointError
from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config

if TYPE_CHECKING:
    from multimodal.generators.families.base import Network

FORMAT = "safetensors"
FAMILY = "stylegan2"


def config_path(path: Path) -> Path:
    """The JSON file that belongs to a `.safetensors` file."""
    return path.with_suffix(".json")


def save_native(generator: StyleGAN2 | Network, path: Path) -> str:
    """Write weights and configuration; the SHA-256 of the weights is returned."""
    state = {key: tensor.detach().cpu() for key, tensor in generator.state_dict().items()}
    digest = write_safetensors(path, state)
    about = {"family": generator.family, "sha256": digest, "config": asdict(generator.config)}
    with atomic(config_path(path)) as part:
        part.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return digest


def read_native(path: Path) -> tuple[str, dict[str, Tensor], object]:
    """The family, the weights and the configuration's values of a `.safetensors` file.

    Raises:
        FileNotFoundError: no JSON beside it.
        CheckpointError: damaged weights, another SHA-256, or an unknown family.
    """
    name = config_path(path).name
    about = read_json(config_path(path), path.name)
    family = about.get("family")
    if family != FAMILY:
        try:
            family = find_family(family).name
        except ValueError as error:
            raise CheckpointError(f"{name}: {error}") from error
    wanted = about.get("sha256")
    if wanted is not None and sha256_of(path) != wanted:
        raise CheckpointError(
            f"{path.name} does not have the SHA-256 that {name} names: "
            "it was changed or is incomplete"
        )
    try:
        return family, read_tensors(path), about.get("config")
    except WeightsError as error:
        raise CheckpointError(str(error)) from error


def parse_config(values: object, source: str) -> StyleGAN2Config:
    """A `StyleGAN2Config` from JSON; unknown, missing and mistyped fields are refused."""
    if not isinstance(values, Mapping):
        raise CheckpointError(f"{source}: 'config' is missing")
    known = {field.name for field in fields(StyleGAN2Config)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise CheckpointError(
            f"{source}: unknown fields {', '.join(unknown)}; known are {', '.join(sorted(known))}"
        )
    clamp = values.get("conv_clamp")
    try:
        return StyleGAN2Config(
            resolution=int(values["resolution"]),
            channels=tuple(int(c) for c in values["channels"]),
            z_dim=int(values["z_dim"]),
            w_dim=int(values["w_dim"]),
            mapping_layers=int(values["mapping_layers"]),
            mapping_lr_multiplier=float(values["mapping_lr_multiplier"]),
            conv_clamp=None if clamp is None else float(clamp),
        )
    except KeyError as error:
        raise CheckpointError(f"{source}: field {error} is missing") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(f"{source}: {error}") from error


def read_json(path: Path, owner: str) -> dict[str, Any]:
    """A JSON object of bounded size."""
    if not path.is_file():
        raise FileNotFoundError(f"{owner} needs its configuration {path.name} beside it")
    try:
        return weights.read_json(path)
    except WeightsError as error:
        raise CheckpointError(str(error)) from error


def write_safetensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> str:
    """Write tensors under a temporary name, rename, and return the file's SHA-256."""
    ready = {key: tensor.contiguous() for key, tensor in tensors.items()}
    with atomic(path) as part:
        save_file(ready, part, None if metadata is None else dict(metadata))
        digest = sha256_of(part)
    return digest
