"""The common ground of all checkpoint formats: a state dict with NVlabs' StyleGAN2 keys.

Every reader hands over a `Weights`; `build` reads the architecture off the tensors and makes the
network, strictly: no key missing, none left over, every shape right, every number finite.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from multimodal.files.untrusted.building import within
from multimodal.files.weights import WeightsError
from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config


class CheckpointError(ValueError):
    """A file that is not a checkpoint this program can load; the message says why."""


@dataclass(frozen=True)
class Weights:
    """A generator's weights and what the tensors alone do not tell.

    Args:
        state: tensors by NVlabs key.
        format: the kind of file they came from, in words.
        conv_clamp: clamp of the activations, or None.
        mapping_lr_multiplier: learning-rate multiplier of the mapping network.
        options: constructor arguments that the file tells.
    """

    state: Mapping[str, Tensor]
    format: str
    conv_clamp: float | None = None
    mapping_lr_multiplier: float = 0.01
    options: Mapping[str, Any] = field(default_factory=dict)


FOREIGN: tuple[tuple[str, str], ...] = (
    (
        "StyleGAN1",
        r"(generator\.progression|g_synthesis\.blocks|synthesis\.blocks\.4x4)\.|g_mapping\.",
    ),
    (
        "PGGAN",
        r"(module\.)?(scaleLayers|toRGBLayers|rgb_converters)\.|initial_block\.conv_1|"
        r"layer\d+\.(wscale|weight_scale|w?scale)|progression_(4|8)\.",
    ),
    ("StyleGAN-XL", r"synthesis\.input\.(freqs|phases)"),
    ("StyleGAN2 in the GenForce layout", r"synthesis\.layer0\.(weight|style)"),
    ("EG3D", r"backbone\.synthesis\."),
)
"""Families recognised by their keys and refused by name; those of `families` are told first."""


def foreign_family(keys: Iterable[str]) -> str | None:
    """The name of another network family that these keys belong to, or None."""
    names = list(keys)
    for family, pattern in FOREIGN:
        expression = re.compile(r"(module\.)?" + f"({pattern})")
        if any(expression.match(name) for name in names):
            return family
    return None


def refuse_foreign(keys: Iterable[str], source: str) -> None:
    """Raise `CheckpointError` for a family that is known but not supported."""
    family = foreign_family(keys)
    if family is not None:
        raise CheckpointError(
            f"{source} holds a {family} network, which is not supported in this layout; "
            "docs/public-checkpoints.md lists those that are"
        )


def read_config(weights: Weights, source: str) -> StyleGAN2Config:
    """The architecture of a state dict: sizes come from the tensors' shapes.

    Raises:
        CheckpointError: another family, class-conditional, or a tensor needed for this is missing.
    """
    state = weights.state
    refuse_foreign(state, source)
    if any(key.startswith("mapping.embed.") for key in state):
        raise CheckpointError(
            f"{source} holds a class-conditional StyleGAN2 (it has mapping.embed); "
            "only unconditional generators are supported"
        )
    sides = sorted({int(m[1]) for m in map(re.compile(r"synthesis\.b(\d+)\.").match, state) if m})
    depth = len({m[1] for m in map(re.compile(r"mapping\.fc(\d+)\.").match, state) if m})
    if not sides or depth == 0:
        raise CheckpointError(
            f"{source} holds no StyleGAN2 generator: its keys begin with {_some(sorted(state))}"
        )
    channels = tuple(_size(state, f"synthesis.b{side}.conv1.weight", 0, source) for side in sides)
    try:
        return StyleGAN2Config(
            resolution=sides[-1],
            channels=channels,
            z_dim=_size(state, "mapping.fc0.weight", 1, source),
            w_dim=_size(state, f"mapping.fc{depth - 1}.weight", 0, source),
            mapping_layers=depth,
            mapping_lr_multiplier=weights.mapping_lr_multiplier,
            conv_clamp=weights.conv_clamp,
        )
    except ValueError as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{source}: {error}") from error


def build(weights: Weights, source: str, config: StyleGAN2Config | None = None) -> StyleGAN2:
    """The frozen network of `weights`, float32, on the CPU.

    Args:
        weights: tensors by NVlabs key.
        source: the file's name, for messages.
        config: the architecture when it is known; read off the tensors otherwise.

    Raises:
        CheckpointError: a key is missing, left over or has the wrong shape or type.
    """
    refuse_foreign(weights.state, source)
    found = read_config(weights, source)
    config = found if config is None else config
    held, said = _shape(found), _shape(config)
    if held != said:  # before memory is taken for what the file only claims
        raise CheckpointError(f"{source}: the network has shape {held}, described is {said}")
    # Not on the meta device: its first use imports torch's compiler, which takes seconds.
    try:
        with torch.random.fork_rng(devices=[]), within(weights.state, source):
            model = StyleGAN2(config)
    except WeightsError as error:
        raise CheckpointError(str(error)) from error
    check_keys(weights.state, model.state_dict(), source)
    model.load_state_dict(check_numbers(weights.state, source), strict=True, assign=True)
    return model.eval().requires_grad_(False)


def check_numbers(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """The tensors in float32, contiguous; raises `CheckpointError` where one is not finite."""
    ready = {key: tensor.float().contiguous() for key, tensor in state.items()}
    broken = [key for key, tensor in ready.items() if not _finite(tensor)]
    if broken:
        raise CheckpointError(f"{source}: {_some(broken)} holds numbers that are not finite")
    return ready


def _shape(config: StyleGAN2Config) -> tuple[int, ...]:
    sizes = (config.resolution, config.z_dim, config.w_dim, config.mapping_layers)
    return (*sizes, *config.channels)


def _finite(tensor: Tensor) -> bool:
    """Whether all numbers are finite; the extremes tell, without a mask as large as the tensor."""
    return tensor.numel() == 0 or bool(torch.stack(tensor.aminmax()).isfinite().all())


def check_keys(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str) -> None:
    """Raise `CheckpointError` unless `state` has exactly the keys and shapes of `wanted`."""
    missing = [key for key in wanted if key not in state]
    if missing:
        raise CheckpointError(f"{source}: missing {_plural(missing)} {_some(missing)}")
    extra = [key for key in state if key not in wanted]
    if extra:
        raise CheckpointError(f"{source}: unexpected {_plural(extra)} {_some(extra)}")
    for key, tensor in state.items():
        if tensor.shape != wanted[key].shape:
            raise CheckpointError(
                f"{source}: {key} has shape {tuple(tensor.shape)}, "
                f"expected {tuple(wanted[key].shape)}"
            )
        if not tensor.is_floating_point():
            raise CheckpointError(f"{source}: {key} is {tensor.dtype}, expected floating point")


def _size(state: Mapping[str, Tensor], key: str, axis: int, source: str) -> int:
    tensor = state.get(key)
    if tensor is None:
        raise CheckpointError(f"{source}: missing key {key}")
    if tensor.ndim <= axis:
        raise CheckpointError(f"{source}: {key} has shape {tuple(tensor.shape)}, too few axes")
    return int(tensor.shape[axis])


def _plural(keys: list[str]) -> str:
    return "key" if len(keys) == 1 else f"{len(keys)} keys:"


def _some(keys: list[str]) -> str:
    shown = ", ".join(keys[:4])
    return shown if len(keys) <= 4 else f"{shown}, ..."
