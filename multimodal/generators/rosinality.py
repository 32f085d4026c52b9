"""rosinality's stylegan2-pytorch checkpoints: their keys, and both ways of the mapping.

A file is `{"g_ema": state_dict, "latent_avg": [512]}`, with optional `g`, `d`, optimisers and
`args`. The decoders inside e4e, pSp and ReStyle checkpoints have the same keys behind `decoder.`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from multimodal.generators.layout import CheckpointError, Weights, check_keys, refuse_foreign
from multimodal.generators.nesting import generator_state
from multimodal.generators.stylegan2 import (
    MappingNetwork,
    StyleGAN2,
    StyleGAN2Config,
    blur_kernel,
)

FORMAT = "rosinality .pt"
MEAN_SAMPLES = 4096
"""Codes averaged where a file lacks `latent_avg` (training snapshots do)."""

_LAYER = (
    ("weight", "conv.weight"),
    ("affine.weight", "conv.modulation.weight"),
    ("affine.bias", "conv.modulation.bias"),
)


def key_pairs(config: StyleGAN2Config) -> Iterator[tuple[str, str]]:
    """`(NVlabs key, rosinality key)` of every tensor both layouts hold, `mapping.w_avg` aside."""
    for i in range(config.mapping_layers):
        for name in ("weight", "bias"):
            yield f"mapping.fc{i}.{name}", f"style.{i + 1}.{name}"
    yield "synthesis.b4.const", "input.input"
    yield from _conv_pairs("synthesis.b4.conv1", "conv1", 0)
    yield from _rgb_pairs("synthesis.b4.torgb", "to_rgb1")
    for j, side in enumerate(config.block_resolutions[1:]):
        block = f"synthesis.b{side}"
        for c in (0, 1):
            yield from _conv_pairs(f"{block}.conv{c}", f"convs.{2 * j + c}", 2 * j + 1 + c)
        yield from _rgb_pairs(f"{block}.torgb", f"to_rgbs.{j}")
        yield f"{block}.conv0.resample_filter", f"convs.{2 * j}.conv.blur.kernel"
        yield f"{block}.resample_filter", f"to_rgbs.{j}.upsample.kernel"


def to_rosinality(state: Mapping[str, Tensor], config: StyleGAN2Config) -> dict[str, Tensor]:
    """A state dict in rosinality's layout (without `latent_avg`).

    Args:
        state: tensors by NVlabs key.
        config: the network's shape.
    """
    return {theirs: _reshaped(ours, state[ours]) for ours, theirs in key_pairs(config)}


def from_rosinality(
    state: Mapping[str, Tensor], latent_avg: Tensor | None, source: str
) -> dict[str, Tensor]:
    """A state dict in NVlabs' layout.

    Args:
        state: tensors by rosinality key.
        latent_avg: the average code `[D]` or `[n, D]`; None estimates it from the mapping network.
        source: the file's name, for messages.

    Raises:
        CheckpointError: a key is missing, left over or has the wrong shape.
    """
    config = read_config(state, source)
    with torch.device("meta"):
        wanted = StyleGAN2(config).state_dict()
    check_keys(state, to_rosinality(wanted, config), source)
    ours: dict[str, Tensor] = {
        key: blur_kernel(1.0) for key in wanted if key.endswith("resample_filter")
    }
    for key, theirs in key_pairs(config):
        tensor = state[theirs].reshape(wanted[key].shape)
        ours[key] = tensor / 4 if key.endswith("resample_filter") else tensor
    ours["mapping.w_avg"] = (
        _mean_code(ours, config)
        if latent_avg is None
        else _average_code(latent_avg, config.w_dim, source)
    )
    return {key: ours[key] for key in wanted}


def read_config(state: Mapping[str, Tensor], source: str) -> StyleGAN2Config:
    """The architecture of a rosinality state dict, read off its keys and shapes."""
    blocks = len({m[1] for m in map(re.compile(r"to_rgbs\.(\d+)\.").match, state) if m})
    depth = len({m[1] for m in map(re.compile(r"style\.(\d+)\.").match, state) if m})
    if depth == 0:
        raise CheckpointError(f"{source}: missing key style.1.weight")
    names = ["conv1.conv.weight", *(f"convs.{2 * j + 1}.conv.weight" for j in range(blocks))]
    width = _shape(state, "style.1.weight", 2, source)[1]
    channels = tuple(_shape(state, name, 5, source)[1] for name in names)
    try:
        return StyleGAN2Config(
            resolution=4 * 2**blocks,
            channels=channels,
            z_dim=width,
            w_dim=width,
            mapping_layers=depth,
        )
    except ValueError as error:
        raise CheckpointError(f"{source}: {error}") from error


def is_rosinality(state: Mapping[str, Any]) -> bool:
    """Whether these keys are rosinality's."""
    return any(key in state for key in ("input.input", "conv1.conv.weight", "style.1.weight"))


def read_rosinality(contents: Mapping[str, Any], source: str) -> Weights:
    """The weights of a loaded rosinality file, or of the decoder in an encoder's file.

    Args:
        contents: what `torch.load` returned.
        source: the file's name, for messages.
    """
    state = generator_state(contents)
    if state is None:
        keys = ", ".join(sorted(map(str, contents))[:6])
        raise CheckpointError(f"{source} holds no generator ('g_ema'): its keys are {keys}")
    refuse_foreign(state, source)
    average = contents.get("latent_avg")
    clamp = contents.get("conv_clamp")
    return Weights(
        from_rosinality(state, average if isinstance(average, Tensor) else None, source),
        FORMAT,
        float(clamp) if isinstance(clamp, int | float) else None,
    )


def _conv_pairs(ours: str, theirs: str, noise: int) -> Iterator[tuple[str, str]]:
    for mine, other in _LAYER:
        yield f"{ours}.{mine}", f"{theirs}.{other}"
    yield f"{ours}.bias", f"{theirs}.activate.bias"
    yield f"{ours}.noise_strength", f"{theirs}.noise.weight"
    yield f"{ours}.noise_const", f"noises.noise_{noise}"


def _rgb_pairs(ours: str, theirs: str) -> Iterator[tuple[str, str]]:
    for mine, other in (*_LAYER, ("bias", "bias")):
        yield f"{ours}.{mine}", f"{theirs}.{other}"


def _reshaped(key: str, tensor: Tensor) -> Tensor:
    name = key.split(".", 2)[-1]
    if key.endswith("resample_filter"):
        return tensor * 4
    if name in ("const", "torgb.weight", "conv0.weight", "conv1.weight"):
        return tensor[None]
    if name.endswith("noise_strength"):
        return tensor.reshape(1)
    if name.endswith("noise_const"):
        return tensor[None, None]
    return tensor[None, :, None, None] if name == "torgb.bias" else tensor


def _shape(state: Mapping[str, Tensor], key: str, axes: int, source: str) -> tuple[int, ...]:
    tensor = state.get(key)
    if tensor is None:
        raise CheckpointError(f"{source}: missing key {key}")
    if tensor.ndim != axes:
        raise CheckpointError(
            f"{source}: {key} has shape {tuple(tensor.shape)}, expected {axes} axes"
        )
    return tuple(tensor.shape)


def _average_code(latent_avg: Tensor, width: int, source: str) -> Tensor:
    row = latent_avg[0] if latent_avg.ndim == 2 and len(latent_avg) else latent_avg
    if row.shape != (width,):
        raise CheckpointError(
            f"{source}: latent_avg has shape {tuple(latent_avg.shape)}, expected ({width},)"
        )
    return row


@torch.no_grad()
def _mean_code(state: Mapping[str, Tensor], config: StyleGAN2Config) -> Tensor:
    network = MappingNetwork(config)
    prefix = "mapping."
    own = {k.removeprefix(prefix): v.float() for k, v in state.items() if k.startswith(prefix)}
    network.load_state_dict(own | {"w_avg": torch.zeros(config.w_dim)})
    z = torch.randn(MEAN_SAMPLES, config.z_dim, generator=torch.Generator().manual_seed(0))
    return network(z)[:, 0].mean(0)
