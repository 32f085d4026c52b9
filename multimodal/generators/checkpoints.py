"""One door to every generator: a registry name or a file of any supported format.

The format is told from the file's first bytes, never from its name alone, and nothing in a file is
ever executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from multimodal.devices import pick_device
from multimodal.files.torch_files import load_torch
from multimodal.files.variants import completed
from multimodal.files.weights import WeightsError, atomic, check_file, fetch, sha256_of
from multimodal.generators import native
from multimodal.generators.families import reading
from multimodal.generators.families.base import Found, Network
from multimodal.generators.families.catalogue import find_family
from multimodal.generators.layout import CheckpointError, Weights, build, refuse_foreign
from multimodal.generators.nesting import generator_state
from multimodal.generators.registry import MODELS, ModelSpec, find_model, made_in_memory
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.latents import spaces_of

MAX_BYTES = 8 << 30
"""Larger files are refused: the largest public checkpoints have about 1.5 GB."""
TORCH_LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
MAX_PICKLE_BYTES = 1 << 30
"""NVlabs' own have 0.4 GB; they are read whole."""
STATE_DICT = "NVlabs state dict"
Kind = Literal["native", "pickle", "torch"]


@dataclass(frozen=True)
class CheckpointInfo:
    """What is in a checkpoint.

    Args:
        path: the file.
        family: the network, "stylegan2" or one of `families.catalogue`.
        format: the kind of file, in words.
        resolution: side of the picture in pixels.
        channels: channels of each block from the coarsest up.
        spaces: what its codes can be searched and moved in.
        num_layers: rows of W+; 1 where there is none.
        z_dim: size of z.
        w_dim: size of w.
        mapping_layers: layers from z to w; 0 where there is no w.
        conv_clamp: clamp of the activations, or None.
        parameters: numbers in the network.
        bytes: size of the file.
        sha256: of the file.
    """

    path: Path
    family: str
    format: str
    resolution: int
    channels: tuple[int, ...]
    spaces: tuple[str, ...]
    num_layers: int
    z_dim: int
    w_dim: int
    mapping_layers: int
    conv_clamp: float | None
    parameters: int
    bytes: int
    sha256: str


def load_generator(
    source: str | Path,
    device: str | torch.device = "auto",
    dtype: torch.dtype = torch.float32,
) -> StyleGAN2 | Network:
    """A frozen generator from a registry name or a file.

    Args:
        source: a name of `multimodal.generators.registry.MODELS` ("default", "ffhq-256", ...), an
            NVlabs `.pkl`, a rosinality `.pt`, our `.safetensors`, a file of another family
            (docs/public-checkpoints.md), or a model folder, a variant's too.
        device: "auto" (cuda, mps, cpu) or a torch device.
        dtype: of the features while drawing, float32 or, for a StyleGAN2, bfloat16 (weights stay
            float32).

    Raises:
        ValueError: an unknown name or device.
        FileNotFoundError: no such file.
        CheckpointError: a file that cannot be loaded; says what is wrong with it.
    """
    where = pick_device(device)
    if dtype not in (torch.float32, torch.bfloat16, torch.float16):
        raise ValueError(f"dtype {dtype} is not one of float32, bfloat16, float16")
    named = str(source)
    made = named == "tiny" or (named in MODELS and named.startswith("tiny-"))
    model = made_in_memory(named) if made else _load(resolve(source))[0]
    if dtype != torch.float32 and not isinstance(model, StyleGAN2):
        raise ValueError(f"dtype {dtype} needs a StyleGAN2; a {model.family} draws in float32")
    model.dtype = dtype
    return model.to(where)


def load_stylegan2(
    source: str | Path,
    device: str | torch.device = "auto",
    dtype: torch.dtype = torch.float32,
) -> StyleGAN2:
    """As `load_generator`, for what needs a StyleGAN2; raises `ValueError` for another family."""
    model = load_generator(source, device, dtype)
    if not isinstance(model, StyleGAN2):
        raise ValueError(f"{source} holds a {model.family}; this needs a StyleGAN2")
    return model


def save_generator(generator: StyleGAN2 | Network, path: str | Path) -> str:
    """Write `path` (`.safetensors`) and the JSON beside it, each under a temporary name first.

    Returns:
        The SHA-256 of the weights.

    Raises:
        ValueError: another suffix.
    """
    target = Path(path)
    if target.suffix != ".safetensors":
        raise ValueError(f"{target.name} does not end in .safetensors")
    return native.save_native(generator, target)


def inspect(path: str | Path) -> CheckpointInfo:
    """Load a checkpoint far enough to be sure of it and say what is in it."""
    file = resolve(path)
    model, form = _load(file)
    config: Any = model.config
    return CheckpointInfo(
        path=file,
        family=model.family,
        format=form,
        resolution=model.resolution,
        channels=config.channels,
        spaces=spaces_of(model),
        num_layers=model.num_layers,
        z_dim=config.z_dim,
        w_dim=model.style_dim,
        mapping_layers=getattr(config, "mapping_layers", 0),
        conv_clamp=getattr(config, "conv_clamp", None),
        parameters=sum(p.numel() for p in model.parameters()),
        bytes=file.stat().st_size,
        sha256=sha256_of(file),
    )


def convert(source: str | Path, target: str | Path) -> Path:
    """Write a checkpoint in another format, chosen by the target's suffix.

    `.safetensors` is ours (with JSON), `.pt` rosinality's, `.pth` a plain torch file
    `{"G_ema": state dict in NVlabs' layout, "config": dict}`. (A `.pkl` cannot be written: NVlabs'
    pickles contain the source code of their classes.) Other families than StyleGAN2 are written as
    `.safetensors`, or as `.pth`: a bare state dict with the public keys that their class has, and
    where these do not say all (StyleGAN3, BigGAN-deep) `{"G_ema": ..., "family": str, "config":
    dict}`.

    Returns:
        The target's path.

    Raises:
        ValueError: another suffix, or a network that the target's layout cannot express.
    """
    path = Path(target)
    if path.suffix not in (".safetensors", ".pt", ".pth"):
        raise ValueError(f"{path.name}: the suffix is not one of .safetensors, .pt, .pth")
    model = load_generator(source, "cpu")
    if path.suffix == ".safetensors":
        save_generator(model, path)
    elif not isinstance(model, StyleGAN2):
        if path.suffix == ".pt":
            raise ValueError(f"rosinality's layout holds StyleGAN2 only, not a {model.family}")
        _write_torch(model.state_dict() if model.bare else _with_options(model), path)
    elif path.suffix == ".pt":
        _write_torch(_as_rosinality(model), path)
    else:
        _write_torch({"G_ema": model.state_dict(), "config": asdict(model.config)}, path)
    return path


def resolve(source: str | Path) -> Path:
    """The local file of a registry name (downloading it where needed), a folder or a path."""
    if isinstance(source, str) and source in MODELS:
        return _registered(find_model(source))
    path = Path(source).expanduser()
    if path.is_dir():
        path = reading.in_folder(completed(path)) or path / "generator.safetensors"
    if not path.is_file():
        names = ", ".join(MODELS)
        raise FileNotFoundError(f"{source} is neither a file nor one of the models {names}")
    return path


def _registered(spec: ModelSpec) -> Path:
    if spec.folder is not None:
        weights = completed(spec.folder) / "generator.safetensors"
        if not weights.is_file():
            raise FileNotFoundError(
                f"model {spec.name!r} is not in this installation ({weights} is missing)"
            )
        return weights
    if spec.url is None:
        raise ValueError(f"model {spec.name!r} is made in memory and has no file")
    return fetch(spec.url, spec.sha256, f"{spec.name}{Path(spec.url).suffix}")


def _load(path: Path) -> tuple[StyleGAN2 | Network, str]:
    kind = _kind(path)
    if kind == "native":
        family, state, values = native.read_native(path)
        if family != native.FAMILY:
            return reading.read_native_family(family, state, values, path.name), native.FORMAT
        config = native.parse_config(values, native.config_path(path).name)
        weights = Weights(state, native.FORMAT, config.conv_clamp, config.mapping_lr_multiplier)
        return build(weights, path.name, config), weights.format
    if kind == "torch":
        return _load_torch(path)
    from multimodal.generators import nvlabs  # few files are pickles

    weights = nvlabs.read_nvlabs(path.read_bytes(), path.name)
    other = reading.read_family(Found(weights.state, path.name, weights.options, path.parent))
    return other or build(weights, path.name), weights.format


def _load_torch(path: Path) -> tuple[StyleGAN2 | Network, str]:
    contents = _contents(path)
    state = reading.find_state(contents)
    if state is not None and "family" in contents and "config" in contents:
        return _own_torch(contents, state, path.name)
    if state is not None:
        other = reading.read_family(Found(state, path.name, reading.beside(path), path.parent))
        if other is not None:
            return other, f"{other.family} {path.suffix or 'file'}"
    weights = _read_torch(contents, path.name)
    return build(weights, path.name), weights.format


def _own_torch(
    contents: Mapping[Any, Any], state: Mapping[str, torch.Tensor], source: str
) -> tuple[Network, str]:
    """What `_with_options` wrote: a family that says its name and options itself."""
    try:
        family = find_family(contents["family"])
    except ValueError as error:
        raise CheckpointError(f"{source}: {error}") from error
    network = reading.read_native_family(family.name, state, contents["config"], source)
    return network, f"{family.name} file with its options"


def _with_options(model: Network) -> dict[str, Any]:
    # Plain lists and numbers: what a torch file may hold besides tensors.
    values = json.loads(json.dumps(asdict(model.config)))
    return {"G_ema": model.state_dict(), "family": model.family, "config": values}


def _kind(path: Path) -> Kind:
    """The format by the file's first bytes; raises `CheckpointError` for anything else."""
    try:
        size = check_file(path).stat().st_size
    except WeightsError as error:
        raise CheckpointError(str(error)) from error
    with path.open("rb") as file:
        head = file.read(512)
    if size > MAX_BYTES:
        raise CheckpointError(f"{path.name} has {size >> 20} MB, more than any checkpoint")
    if head.startswith(b"PK\x03\x04") or head.startswith(TORCH_LEGACY):
        return "torch"
    if len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 100 << 20:
        return "native"
    if head[:1] == b"\x80" or path.suffix in (".pkl", ".pickle"):
        if size > MAX_PICKLE_BYTES:
            raise CheckpointError(f"{path.name} has {size >> 20} MB, too many for a pickle")
        return "pickle"
    if path.suffix == ".safetensors":
        raise CheckpointError(f"{path.name} is not a safetensors file, or is truncated")
    raise CheckpointError(
        f"{path.name} is not a checkpoint: neither a pickle, a torch file nor safetensors"
    )


def _contents(path: Path) -> Mapping[Any, Any]:
    try:
        contents = load_torch(path)
    except WeightsError as error:
        raise CheckpointError(str(error)) from error
    if not isinstance(contents, Mapping):
        raise CheckpointError(f"{path.name} holds a {type(contents).__name__}, not a checkpoint")
    return contents


def _read_torch(contents: Mapping[Any, Any], source: str) -> Weights:
    from multimodal.generators import rosinality

    state = generator_state(contents)
    if state is not None and not rosinality.is_rosinality(state):
        refuse_foreign(state, source)
        if any(key.startswith("synthesis.b4.") for key in state):
            config = contents.get("config")
            known = native.parse_config(config, source) if isinstance(config, Mapping) else None
            if known is None:
                return Weights(state, STATE_DICT)
            return Weights(state, STATE_DICT, known.conv_clamp, known.mapping_lr_multiplier)
    if state is None:
        refuse_foreign([str(key) for key in contents], source)
    return rosinality.read_rosinality(contents, source)


def _as_rosinality(model: StyleGAN2) -> dict[str, Any]:
    from multimodal.generators import rosinality

    config = model.config
    if config.z_dim != config.w_dim or config.mapping_lr_multiplier != 0.01:
        raise ValueError(
            f"rosinality's layout needs z_dim = w_dim and a mapping multiplier of 0.01; this has "
            f"{config.z_dim}, {config.w_dim} and {config.mapping_lr_multiplier}"
        )
    state = model.state_dict()
    contents: dict[str, Any] = {
        "g_ema": rosinality.to_rosinality(state, config),
        "latent_avg": state["mapping.w_avg"],
    }
    if config.conv_clamp is not None:
        contents["conv_clamp"] = config.conv_clamp
    return contents


def _write_torch(contents: Mapping[str, Any], path: Path) -> None:
    with atomic(path) as part:
        torch.save(dict(contents), part)
