"""DeltaEdit (Lyu et al. 2023): one network from a CLIP change to a change in S, for any prompt.

Trained on pictures only: the CLIP change between two pictures stands in for the change between two
texts. Here a training pair is a face and the same face moved by a step that is independent of it,
so that the network's best guess never pulls a face towards the average one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from guidance.common import (
    conv_indices,
    read_options,
    split_styles,
    style_sizes,
    styles_of,
)
from guidance.common import draw as draw_latent
from guidance.methods.directions import FILE_NAME as STATISTICS
from guidance.methods.directions import ChannelStatistics
from guidance.methods.stored import load_network, own_file, save_network
from guidance.targets import direction
from multimodal.types import EditRequest, Offset, OnStep, Toolkit

FILE_NAME = "delta.safetensors"
KIND = "delta network"


@dataclass(frozen=True)
class DeltaConfig:
    """The shape of the network.

    Args:
        embedding: size E of the joint space.
        sizes: channels of each convolution's style vector (toRGB left out).
        hidden: width of each level's hidden layers.
    """

    embedding: int
    sizes: tuple[int, ...]
    hidden: int = 384

    @property
    def levels(self) -> tuple[int, ...]:
        """Channels of the coarse (3 layers), medium (4) and fine levels, as published."""
        spans = (self.sizes[:3], self.sizes[3:7], self.sizes[7:])
        return tuple(sum(s) for s in spans if s)


class DeltaNetwork(nn.Module):
    """Standardised S, CLIP embedding and CLIP change to a standardised change in S.

    Args:
        config: its shape.
    """

    mean: Tensor
    std: Tensor
    gain: Tensor

    def __init__(self, config: DeltaConfig) -> None:
        super().__init__()
        self.config = config
        inputs = 2 * config.embedding
        self.heads = nn.ModuleList(_level(n + inputs, config.hidden, n) for n in config.levels)
        total = sum(config.sizes)
        self.register_buffer("mean", torch.zeros(total))
        self.register_buffer("std", torch.ones(total))
        self.register_buffer("gain", torch.ones([]))

    def forward(self, styles: Tensor, embedding: Tensor, change: Tensor) -> Tensor:
        """`[B, N]` raw S of the convolutions, `[B, E]` unit, `[B, E]` unit -> `[B, N]`, in
        standard deviations of each channel."""
        scale = self.config.embedding**0.5
        codes = ((styles - self.mean) / self.std).clamp(-5, 5)
        words = torch.cat([embedding, F.normalize(change, dim=-1)], dim=-1) * scale
        parts = codes.split(self.config.levels, dim=-1)
        return torch.cat(
            [h(torch.cat([p, words], -1)) for h, p in zip(self.heads, parts, strict=True)], dim=-1
        )


def _level(inputs: int, hidden: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.LayerNorm(inputs, elementwise_affine=False),
        nn.Linear(inputs, hidden),
        nn.GELU(),
        nn.LayerNorm(hidden),
        nn.Linear(hidden, hidden),
        nn.GELU(),
        nn.LayerNorm(hidden),
        nn.Linear(hidden, outputs),
    )


def delta_loss(predicted: Tensor, actual: Tensor) -> Tensor:
    """Squared error plus one minus cosine of standardised changes `[B, N]` (paper, equation 5)."""
    return F.mse_loss(predicted, actual) + (1 - F.cosine_similarity(predicted, actual)).mean()


def save_delta(network: DeltaNetwork, path: Path | str, about: dict[str, Any]) -> Path:
    """Write as `.safetensors` with its configuration."""
    return save_network(network, path, KIND, about)


def load_delta(path: Path | str) -> DeltaNetwork:
    """Read what `save_delta` wrote.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it holds something else.
    """
    return load_network(path, KIND, _of_config)


def _of_config(config: dict[str, Any]) -> DeltaNetwork:
    return DeltaNetwork(DeltaConfig(**(config | {"sizes": tuple(config["sizes"])})))


@dataclass(frozen=True)
class DeltaOptions:
    """Settings of one edit.

    Args:
        gain: multiple of the change the network was calibrated to.
        beta: channels less relevant than this to the change in words are left alone; needs channel
            statistics and does nothing without them (0.03 published).
    """

    gain: float = 1.0
    beta: float = 0.03


class DeltaEdit:
    """The delta network as a `Guidance`.

    Args:
        toolkit: the network is read from `folder/delta.safetensors`, the channel statistics, where
            they are, from `folder/directions.safetensors`.
        network: a network already loaded.
    """

    name = "delta"

    def __init__(self, toolkit: Toolkit, network: DeltaNetwork | None = None) -> None:
        self.toolkit = toolkit
        self._network = network
        self._statistics: ChannelStatistics | None = None

    @property
    def network(self) -> DeltaNetwork:
        """The trained network.

        Raises:
            FileNotFoundError: this model has none.
        """
        if self._network is None:
            path = own_file(self.toolkit, FILE_NAME, "this model has no delta network: train one")
            network = load_delta(path).to(self.toolkit.generator.device)
            sizes = style_sizes(self.toolkit.generator)
            convs = tuple(sizes[i] for i in conv_indices(len(sizes)))
            if (network.config.embedding, network.config.sizes) != (self.toolkit.clip.dim, convs):
                raise ValueError(f"{path} belongs to another generator or CLIP")
            self._network = network
        return self._network

    @torch.no_grad()
    def offset(self, request: EditRequest, on_step: OnStep | None = None) -> Offset:
        """The network's change of this face, in S."""
        options = read_options(DeltaOptions, request.options)
        generator, network = self.toolkit.generator, self.network
        device = request.latent.w.device
        change = direction(request.target, request.neutral).to(device)
        styles = styles_of(generator, request.latent)
        indices = conv_indices(len(styles))
        seen = self.toolkit.clip.encode_image(draw_latent(generator, request.latent)).to(device)
        flat = torch.cat([styles[i] for i in indices], dim=-1)
        moved = network(flat, seen, change) * self._relevant(change, options.beta).to(device)
        scaled = moved * network.std * network.gain * options.gain
        return Offset(styles=split_styles(scaled, [s.shape[1] for s in styles], indices))

    def _relevant(self, change: Tensor, beta: float) -> Tensor:
        if self._statistics is None and self.toolkit.folder is not None:
            path = Path(self.toolkit.folder) / STATISTICS
            if path.is_file():
                self._statistics = ChannelStatistics.load(path)
        if self._statistics is None or beta <= 0:
            return torch.ones(1, 1)
        return (self._statistics.effects @ change[0].cpu()).abs().ge(beta).float()[None]


@torch.no_grad()
def step_pairs(
    toolkit: Toolkit,
    count: int,
    seed: int,
    step: float = 0.6,
    truncation: float = 0.7,
    moves: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training pairs: faces, and the same faces moved by steps independent of them.

    Args:
        toolkit: generator and CLIP.
        count: pairs.
        seed: of the faces and steps.
        step: length of a random step, as a share of the difference of two faces.
        truncation: psi of the faces.
        moves: named directions `[M, L, D]`; where given, three quarters of the steps are sums of a
            few of them, so that what prompts ask for is what the pairs show.

    Returns:
        S of the convolutions before and after, each `[count, N]`, and the CLIP embeddings of the
        pictures before and after, each `[count, E]`.
    """
    generator = toolkit.generator
    faces, one, two = generator.sample(3 * count, seed, truncation).w.chunk(3)
    source = torch.Generator().manual_seed(seed)
    change = _random_steps(one - two, step, source)
    if moves is not None:
        named = (torch.rand(count, 1, 1, generator=source) < 0.75).to(faces.device)
        change = torch.where(named, _named_steps(moves.to(faces), count, source), change)
    before, after = generator.styles(faces), generator.styles(faces + change)
    embeddings = [
        toolkit.clip.encode_image(generator.synthesize_styles(styles)).cpu()
        for styles in (before, after)
    ]
    indices = conv_indices(len(before))
    flats = [torch.cat([s[i] for i in indices], -1).cpu() for s in (before, after)]
    return flats[0], flats[1], embeddings[0], embeddings[1]


def _random_steps(between: Tensor, step: float, source: torch.Generator) -> Tensor:
    """Differences of two faces `[B, L, D]`, some on some groups of rows only, of varied length."""
    count, rows = between.shape[:2]
    bounds = torch.tensor([0, min(4, rows), min(8, rows), rows])
    kept = torch.rand(count, 3, generator=source) < 0.7
    kept[~kept.any(dim=1)] = True
    mask = kept.float().repeat_interleave(bounds.diff(), dim=1)[..., None].to(between.device)
    length = step * (0.5 + torch.rand(count, 1, 1, generator=source)).to(between.device)
    return length * mask * between


def _named_steps(moves: Tensor, count: int, source: torch.Generator) -> Tensor:
    """Sums of one to three directions of `[M, L, D]`, mostly forwards: `[count, L, D]`."""
    order = torch.rand(count, len(moves), generator=source).argsort(dim=1)
    many = torch.randint(1, 4, (count, 1), generator=source)
    strength = 0.5 + 0.8 * torch.rand(count, len(moves), generator=source)
    back = torch.rand(count, len(moves), generator=source) < 0.25
    weights = (order < many) * torch.where(back, -strength, strength)
    return torch.einsum("bm,mld->bld", weights.to(moves), moves)
