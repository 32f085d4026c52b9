"""Encoder files: the public pSp/e4e/ReStyle `.pt` and our safetensors with JSON beside it.

A public file is `{'state_dict', 'opts', 'latent_avg'}` whose keys start with `encoder.` and
`decoder.`. It is read with `weights_only=True`; the one class allowed besides tensors is
`argparse.Namespace`, which some files keep their options in.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from multimodal.files.torch_files import load_torch
from multimodal.files.untrusted.building import within
from multimodal.files.untrusted.tensors import read_tensors
from multimodal.files.variants import completed
from multimodal.files.weights import WeightsError, atomic, check_file, sha256_of
from multimodal.generators.native import read_json
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder, BundleEncoderConfig
from multimodal.inversion.encoders.irse_networks import (
    FlatEncoder,
    LastMapEncoder,
    PyramidEncoder,
    SingleCodeEncoder,
)

ENCODER_FILE = "encoder.safetensors"
"""Name of the encoder inside a bundle folder; its JSON has the same stem."""

FORMAT = "semblance-encoder"
HYPER_FORMAT, HYPER_FILE = "semblance-hypernetwork", "hyper.safetensors"
MAX_JSON_BYTES = 1 << 20
E4E_OPTIONS = ("stylegan_size", "delta_norm_lambda", "w_discriminator_lambda", "progressive_steps")
PROGRESSIVE = {"Encoder4Editing": True, "GradualStyleEncoder": False} | {
    "ProgressiveBackboneEncoder": True,
    "BackboneEncoder": False,
}


@dataclass(frozen=True)
class PublicEncoder:
    """What a public encoder file holds.

    Args:
        network: the encoder, weights loaded.
        decoder: the generator's tensors in rosinality layout, empty when the file has none.
        latent_avg: `[L, 512]` to add to the codes, or None.
        passes: ReStyle's number of passes, 1 for the others.
    """

    network: nn.Module
    decoder: dict[str, Tensor]
    latent_avg: Tensor | None
    passes: int


def read_public(path: Path, content: Mapping[str, Any] | None = None) -> PublicEncoder:
    """Read a public `.pt` (or what `public_content` read from it).

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a file, an architecture that is not supported, or missing, extra or
            misshaped tensors.
    """
    content = public_content(path) if content is None else content
    state = content.get("state_dict", content)
    tensors = {
        key: value
        for key, value in state.items()
        if isinstance(key, str) and isinstance(value, Tensor)
    }
    encoder = {
        k.removeprefix("encoder."): v for k, v in tensors.items() if k.startswith("encoder.")
    }
    if not encoder and "input_layer.0.weight" in tensors:
        encoder = tensors  # a bare encoder state dict
    if not encoder:
        raise ValueError(
            f"{path} holds no encoder: expected keys that start with 'encoder.', found "
            f"{_some(tensors) or 'no tensors'}"
        )
    decoder = {
        k.removeprefix("decoder."): v for k, v in tensors.items() if k.startswith("decoder.")
    }
    options = options_of(content)
    average = content.get("latent_avg")
    average = average if isinstance(average, Tensor) else None
    rows = _num_layers(encoder, options, average, decoder)
    channels = int(encoder["input_layer.0.weight"].shape[1]) if _has_body(encoder) else 0
    network = _network(path, encoder, options, rows, channels)
    load_strictly(network, encoder, str(path))
    return PublicEncoder(
        network=network,
        decoder=decoder,
        latent_avg=_latent_avg(path, average, rows, options),
        passes=int(options.get("n_iters_per_batch", 5)) if channels == 6 else 1,
    )


def is_small_hyper(path: Path) -> bool:
    """Does the JSON beside a file say that it is a hypernetwork of our own?"""
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return False
    try:
        return read_json(beside, path.name).get("format") == HYPER_FORMAT
    except ValueError:
        return False


def read_bundle_encoder(path: Path) -> BundleEncoder:
    """Read our own encoder from a folder or its `.safetensors` (the JSON lies beside it).

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: damaged files, a wrong digest, missing, extra or misshaped tensors.
    """
    path = completed(path) / ENCODER_FILE if path.is_dir() else path
    config_path = path.with_suffix(".json")
    check_file(path)
    if not config_path.is_file():
        raise FileNotFoundError(f"{path} needs its description {config_path}, which is missing")
    described = _described(config_path)
    digest = described.get("sha256")
    if digest is not None and digest != sha256_of(path):
        raise ValueError(f"{path} does not have the SHA-256 that {config_path.name} names")
    shape = _config(described["config"], config_path)
    tensors = read_tensors(path)
    # Far quicker than meta, for so small a network.
    with torch.random.fork_rng(devices=[]), within(tensors, config_path.name):
        encoder = BundleEncoder(shape)
    load_strictly(encoder, tensors, str(path))
    return encoder.float().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def save_bundle_encoder(encoder: BundleEncoder, path: str | Path) -> Path:
    """Write an encoder as `<path>.safetensors` with its JSON; a folder gets `encoder.safetensors`.

    Returns:
        the `.safetensors` path.
    """
    target = Path(path)
    target = target if target.suffix == ".safetensors" else target / ENCODER_FILE
    tensors = {k: v.detach().cpu().contiguous() for k, v in encoder.state_dict().items()}
    with atomic(target) as part:
        save_file(tensors, part)
    described = {
        "format": FORMAT,
        "config": asdict(encoder.config),
        "sha256": sha256_of(target),
    }
    with atomic(target.with_suffix(".json")) as part:
        part.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    return target


def load_strictly(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load all of `state` and nothing but it, tensors assigned (the network may be on meta).

    Raises:
        ValueError: missing, extra or misshaped tensors, by name.
    """
    wanted = network.state_dict()
    state = dict(state)
    for key in wanted.keys() - state.keys():
        if key.endswith("num_batches_tracked"):  # a counter that inference does not use
            state[key] = torch.zeros((), dtype=torch.long)
    problems = [
        f"{what} {_some(keys)}"
        for what, keys in (
            ("is missing", sorted(wanted.keys() - state.keys())),
            ("has unknown", sorted(state.keys() - wanted.keys())),
            ("has misshaped", _misshaped(wanted, state)),
        )
        if keys
    ]
    if problems:
        raise ValueError(f"{source} does not fit {type(network).__name__}: {'; '.join(problems)}")
    network.load_state_dict(
        {k: v if k.endswith("num_batches_tracked") else v.float() for k, v in state.items()},
        assign=True,
    )
    network.eval().requires_grad_(False)


def public_content(path: Path) -> dict[str, Any]:
    """What a public `.pt` holds; its tensors stay on the disk until they are used.

    Raises:
        ValueError: not a dict of tensors, or it asks for anything to be run.
    """
    try:
        content = load_torch(path, mapped=True)
    except WeightsError as error:
        raise WeightsError(f"{path} is not a readable encoder checkpoint: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, expected a dict of tensors")
    if not isinstance(content.get("state_dict", content), dict):
        raise ValueError(f"{path}: 'state_dict' is not a dict of tensors")
    return content


def is_hyperstyle(content: Mapping[str, Any]) -> bool:
    """Whether a public file holds a HyperStyle hypernetwork."""
    state = content.get("state_dict")
    return isinstance(state, Mapping) and any(str(k).startswith("hypernet.") for k in state)


def options_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a public file carries, as a dict."""
    found = content.get("opts", {})
    if isinstance(found, argparse.Namespace):
        return vars(found)
    return dict(found) if isinstance(found, Mapping) else {}


def _has_body(encoder: Mapping[str, Tensor]) -> bool:
    return "input_layer.0.weight" in encoder and encoder["input_layer.0.weight"].ndim == 4


def _network(
    path: Path, encoder: Mapping[str, Tensor], options: Mapping[str, Any], rows: int, channels: int
) -> nn.Module:
    """The network that the keys and `encoder_type` describe, on the meta device."""
    if "conv1.weight" in encoder:
        raise ValueError(f"{path} is a ResNet34 encoder, made for other domains than faces")
    if channels not in (3, 6):
        raise ValueError(f"{path} is not an IR-SE50 encoder (no input layer of 3 or 6 channels)")
    with torch.device("meta"):
        if "latlayer1.weight" in encoder:
            return PyramidEncoder(rows, _is_progressive(path, options), channels)
        if "styles.0.linear.weight" in encoder:
            return LastMapEncoder(rows, _is_progressive(path, options), channels)
        if "output_layer_2.3.weight" in encoder:
            return FlatEncoder(rows, channels)
        return SingleCodeEncoder(rows, channels)


def _is_progressive(path: Path, options: Mapping[str, Any]) -> bool:
    named = options.get("encoder_type")
    if named is None:  # older files: the options tell which program wrote them
        return any(name in options for name in E4E_OPTIONS)
    if named not in PROGRESSIVE:
        raise ValueError(f"{path}: encoder_type {named!r} is not one of {', '.join(PROGRESSIVE)}")
    return PROGRESSIVE[named]


def _num_layers(
    encoder: Mapping[str, Tensor],
    options: Mapping[str, Any],
    average: Tensor | None,
    decoder: Mapping[str, Tensor],
) -> int:
    """Rows of W+: counted where the file has a head a row, else from what else it tells."""
    heads = {key.split(".")[1] for key in encoder if key.startswith("styles.")}
    if heads:
        return len(heads)
    if "output_layer_2.3.weight" in encoder and "linear.weight" in encoder:
        return encoder["linear.weight"].shape[0] // 512
    if average is not None and average.ndim == 2 and average.shape[0] > 1:
        return int(average.shape[0])
    noises = sum(key.startswith("noises.") for key in decoder)
    if noises:
        return noises + 1
    size = int(options.get("stylegan_size") or options.get("output_size") or 1024)
    return 2 * (size.bit_length() - 1) - 2


def _latent_avg(
    path: Path, average: Tensor | None, rows: int, options: Mapping[str, Any]
) -> Tensor | None:
    if average is None or not options.get("start_from_latent_avg", True):
        return None
    flat = average.float().reshape(-1, average.shape[-1])
    if flat.shape not in {(1, 512), (rows, 512)}:
        raise ValueError(
            f"{path}: latent_avg has shape {tuple(average.shape)}, expected [{rows}, 512] or [512]"
        )
    return flat.expand(rows, 512).clone()


def _described(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_JSON_BYTES:
        raise ValueError(f"{path} is too large for a description")
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    known = isinstance(described, dict) and described.get("format") == FORMAT
    if not known or not isinstance(described.get("config"), dict):
        raise ValueError(f"{path} does not describe an encoder (format {FORMAT!r} with a config)")
    return described


def _config(values: Mapping[str, Any], path: Path) -> BundleEncoderConfig:
    names = [field.name for field in fields(BundleEncoderConfig)]
    unknown = sorted(values.keys() - set(names))
    if unknown:
        raise ValueError(f"{path}: unknown settings {unknown}, valid are {names}")
    for name, value in values.items():
        if name != "trunk" and (not isinstance(value, int) or not 0 <= value <= 4096):
            raise ValueError(f"{path}: {name} = {value!r} is not a whole number in 0..4096")
    try:
        return BundleEncoderConfig(**values)
    except TypeError as error:
        raise ValueError(f"{path}: {error}") from error


def _misshaped(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    return [
        f"{key} {tuple(state[key].shape)} (expected {tuple(wanted[key].shape)})"
        for key in wanted.keys() & state.keys()
        if wanted[key].shape != state[key].shape
    ]


def _some(names: Any, count: int = 4) -> str:
    names = list(names)
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more
