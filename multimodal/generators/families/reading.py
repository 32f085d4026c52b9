"""From a file's tensors to a network of the family they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from multimodal.files.weights import WeightsError, read_json
from multimodal.generators.families.base import Found, Network, build_network, read_config
from multimodal.generators.families.catalogue import Family, family_of, find_family
from multimodal.generators.layout import CheckpointError
from multimodal.generators.nesting import bare

NESTS = ("generator_smooth", "generator", "g_ema", "G_ema", "state_dict")
"""Where checkpoints keep their generator; the averaged one first."""
FOLDER_FILES = ("generator.safetensors", "pytorch_model.bin", "G_ema.pth", "G.pth")
"""Files that a folder's generator is looked for in."""


def read_family(found: Found) -> Network | None:
    """The frozen network of a file's tensors, or None where they belong to none of the families.

    Raises:
        CheckpointError: they belong to one, but cannot be used; says why.
    """
    family = family_of(found.state)
    return None if family is None else _built(family, found)


def read_native_family(
    name: str, state: Mapping[str, Tensor], values: object, source: str
) -> Network:
    """The network of our own format: weights by the class's keys and a configuration from JSON."""
    kind = find_family(name).network()
    config = read_config(kind.config_type, values, source)
    try:
        return build_network(kind, state, config, source)
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(f"{source}: {error}") from error


def find_state(contents: Mapping[str, Any]) -> dict[str, Tensor] | None:
    """The generator's tensors in what a torch file holds, or None.

    They may lie bare, under one of `NESTS`, under genforce's `models`, and behind `module.`.
    """
    inner = contents.get("models")
    contents = inner if isinstance(inner, Mapping) else contents
    nested = next((contents[n] for n in NESTS if isinstance(contents.get(n), Mapping)), contents)
    if not nested or not all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in nested.items()
    ):
        return None
    return bare(nested)


def beside(path: Path) -> Mapping[str, Any]:
    """The options in a JSON that belongs to a weight file: `config.json`, or the weight file's name
    with `-config.json` (BigGAN-deep); nothing where there is none.

    Raises:
        CheckpointError: there is one, but it is no JSON object of a sensible size.
    """
    named = path.name.replace("-pytorch_model.bin", "-config.json")
    for name in (named, "config.json"):
        other = path.with_name(name)
        if other.suffix == ".json" and other.is_file():
            try:
                return read_json(other)
            except WeightsError as error:
                raise CheckpointError(str(error)) from error
    return {}


def in_folder(folder: Path) -> Path | None:
    """The generator's file in a folder, or None."""
    found = [folder / name for name in FOLDER_FILES]
    found += sorted(folder.glob("G_ema_*.pth"))
    return next((path for path in found if path.is_file()), None)


def _built(family: Family, found: Found) -> Network:
    kind = family.network()
    try:
        state, config = kind.read(found)
        return build_network(kind, state, config, found.source)
    except CheckpointError:
        raise
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise CheckpointError(f"{found.source} is no usable {family.name}: {error}") from error
