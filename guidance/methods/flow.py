"""StyleFlow (Abdal et al. 2021, "StyleFlow: Attribute-conditioned Exploration of
StyleGAN-Generated Images using Conditional Continuous Normalizing Flows").

A flow turns a code into noise and back, told the face's factors: noise holds what the factors do
not say. A code is read with the factors it has and written again with those it should have
(sections 4.3 and 4.4). What differs: coupling layers (Dinh et al. 2017, equations 7 and 8), whose
inverse is exact and needs no solver of differential equations, after a linear part that a
regression gives; the factors are the renders' own, not read off pictures; and two renders of one
head, which differ in factors alone, are to have the same noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from guidance.methods.factor_moves import Way
from guidance.methods.factors import KnownFactors
from guidance.methods.stored import load_network, own_file, save_network
from multimodal.types import Toolkit

FILE_NAME = "flow.safetensors"
KIND = "flow of factors"
LOG_SCALE = 0.5
"""Most that one coupling scales a coordinate by, as a logarithm."""


@dataclass(frozen=True)
class FlowConfig:
    """Shape of a flow.

    Args:
        style_dim: size D of a code.
        factors: A, that are told.
        hidden: width of the networks in the couplings.
        couplings: how many.
        seed: of the orders that coordinates are split in.
    """

    style_dim: int = 512
    factors: int = 76
    hidden: int = 128
    couplings: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        known = (("style_dim", 2, 4096), ("factors", 1, 4096), ("hidden", 1, 4096))
        for name, least, most in (*known, ("couplings", 0, 64)):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} {getattr(self, name)} is not in {least}..{most}")


class Coupling(nn.Module):
    """Half of the coordinates scaled and moved by what the other half and the factors say."""

    order: Tensor
    back: Tensor

    def __init__(self, config: FlowConfig, index: int) -> None:
        super().__init__()
        source = torch.Generator().manual_seed(config.seed * 1000 + index)
        order = torch.randperm(config.style_dim, generator=source)
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("back", order.argsort(), persistent=False)
        self.kept = config.style_dim // 2
        self.inner = nn.Linear(self.kept + config.factors, config.hidden)
        self.outer = nn.Linear(config.hidden, 2 * (config.style_dim - self.kept))
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, x: Tensor, factors: Tensor) -> tuple[Tensor, Tensor]:
        """`[B, D]` onwards, and the logarithm of the volume's change `[B]`."""
        kept, rest = x[:, self.order].tensor_split([self.kept], dim=1)
        scale, shift = self._told(kept, factors)
        moved = torch.cat([kept, rest * scale.exp() + shift], dim=1)
        return moved[:, self.back], scale.sum(dim=1)

    def inverse(self, y: Tensor, factors: Tensor) -> Tensor:
        """What `forward` made `y` of."""
        kept, rest = y[:, self.order].tensor_split([self.kept], dim=1)
        scale, shift = self._told(kept, factors)
        return torch.cat([kept, (rest - shift) * (-scale).exp()], dim=1)[:, self.back]

    def _told(self, kept: Tensor, factors: Tensor) -> tuple[Tensor, Tensor]:
        found = self.outer(F.silu(self.inner(torch.cat([kept, factors], dim=1))))
        scale, shift = found.chunk(2, dim=1)
        return LOG_SCALE * torch.tanh(scale), shift


class ConditionalFlow(nn.Module):
    """Codes to noise and back, told factors.

    Attributes:
        linear: what a factor adds to a code, `[D, A]`, before the couplings.
        mean, std: of what is left of codes, `[D]`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.config = config
        self.linear = nn.Parameter(torch.zeros(config.style_dim, config.factors))
        self.register_buffer("mean", torch.zeros(config.style_dim))
        self.register_buffer("std", torch.ones(config.style_dim))
        self.couplings = nn.ModuleList(Coupling(config, i) for i in range(config.couplings))

    def forward(self, w: Tensor, factors: Tensor) -> tuple[Tensor, Tensor]:
        """Codes `[B, D]` with factors `[B, A]` to noise `[B, D]`, and the logarithm of the volume's
        change `[B]` but for a constant."""
        x = (w - self.mean - factors @ self.linear.T) / self.std
        volume = x.new_zeros(len(x))
        for coupling in self.couplings:
            x, grown = coupling(x, factors)
            volume = volume + grown
        return x, volume

    def inverse(self, z: Tensor, factors: Tensor) -> Tensor:
        """The codes `[B, D]` of noise with factors `[B, A]`."""
        for coupling in reversed(self.couplings):
            z = coupling.inverse(z, factors)  # type: ignore[operator]
        return z * self.std + self.mean + factors @ self.linear.T


def flow_loss(flow: ConditionalFlow, w: Tensor, factors: Tensor) -> Tensor:
    """Mean negative log-likelihood of codes a coordinate, but for a constant (equation 6)."""
    noise, volume = flow(w, factors)
    likely = 0.5 * noise.square().sum(dim=1) - volume
    return likely.mean() / flow.config.style_dim


def save_flow(flow: ConditionalFlow, path: Path | str, about: dict[str, Any] | None = None) -> Path:
    """Write a flow as one `.safetensors` file."""
    return save_network(flow, path, KIND, about or {})


def load_flow(path: Path | str) -> ConditionalFlow:
    """Read what `save_flow` wrote, frozen.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it holds something else.
    """
    return load_network(path, KIND, lambda config: ConditionalFlow(FlowConfig(**config)))


class FlowEdit(KnownFactors):
    """The flow as a `Guidance`: wishes are read as by `factors`, and the code follows the flow.

    Args:
        toolkit: the flow is read from `folder/flow.safetensors`, classes and their goals from
            `folder/factors.safetensors`.
        flow: a flow already loaded.
    """

    name = "flow"

    def __init__(self, toolkit: Toolkit, flow: ConditionalFlow | None = None) -> None:
        super().__init__(toolkit)
        self._flow = flow

    @property
    def flow(self) -> ConditionalFlow:
        """The trained flow.

        Raises:
            FileNotFoundError: this model has none.
            ValueError: it belongs to another generator or other factors.
        """
        if self._flow is None:
            path = own_file(self.toolkit, FILE_NAME, "this model has no flow of factors: train one")
            flow = load_flow(path).to(self.toolkit.generator.device)
            if (flow.config.style_dim, flow.config.factors) != tuple(self.moves.weight.shape):
                raise ValueError(f"{path} belongs to another generator or other factors")
            self._flow = flow
        return self._flow

    def _gone(self, ways: list[Way], rows: Tensor, factors: Tensor) -> Tensor:
        step = torch.zeros_like(rows)
        for way in (way for way in ways if bool(way.lacks.any())):
            shares = way.rows / way.rows.sum()
            code, known = (shares @ rows)[None], (shares @ factors)[None]
            noise, _ = self.flow(code, known)
            moved = self.flow.inverse(noise, known + way.lacks) - code
            step = step + torch.outer(way.rows, moved[0])
        return step
