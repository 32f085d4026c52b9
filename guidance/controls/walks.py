"""Non-linear steerability walks (Jahanian et al. 2020, "On the Steerability of Generative
Adversarial Networks", section 3.1, equation 2): a small network f takes a code one step along a
walk, and is applied again and again.

Where a code's effect bends, as shift and zoom do, one straight line does not fit far and near.
What differs: f is a residual network around the best straight walk and starts as that walk, so it
can only bend it; a part of a step is a part of the residual, and steps back have a network of
their own, so that amounts between whole steps and both signs are reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from guidance.controls.steering import EDITS, WalkConfig, learn_walk, walk_loss
from guidance.methods.stored import load_network, save_network
from multimodal.types import Generator, OnStep, Progress

KIND = "non-linear walk"
PIECES, BENDING = 4, 0.003
"""Steps from the picture as it is to the edit at 1, and how slowly bending is learnt."""


@dataclass(frozen=True)
class BentWalkConfig:
    """Shape of a walk.

    Args:
        edit: one of `EDITS`.
        layers: rows L of a code.
        style_dim: size D of a row.
        hidden: width of the networks.
    """

    edit: str
    layers: int
    style_dim: int
    hidden: int = 64

    def __post_init__(self) -> None:
        if self.edit not in EDITS:
            raise ValueError(f"edit {self.edit!r:.40} is not one of {', '.join(EDITS)}")
        for name in ("layers", "style_dim", "hidden"):
            if not 1 <= getattr(self, name) <= 4096:
                raise ValueError(f"{name} {getattr(self, name)} is not in 1..4096")


class BentWalk(nn.Module):
    """A walk that bends: `forward(codes, amounts)` is where the walk leads.

    Attributes:
        straight: the walk it bends, `[L, D]`.
        centre, spread: of codes, by which they are brought to the network's scale.
    """

    straight: Tensor
    centre: Tensor
    spread: Tensor

    def __init__(self, config: BentWalkConfig) -> None:
        super().__init__()
        self.config = config
        shape = (config.layers, config.style_dim)
        self.register_buffer("straight", torch.zeros(shape))
        self.register_buffer("centre", torch.zeros(config.style_dim))
        self.register_buffer("spread", torch.ones(()))
        self.ways = nn.ModuleList(self._step(config) for _ in range(2))

    @staticmethod
    def _step(config: BentWalkConfig) -> nn.Sequential:
        last = nn.Linear(config.hidden, config.layers * config.style_dim)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        return nn.Sequential(nn.Linear(config.style_dim, config.hidden), nn.SiLU(), last)

    def forward(self, codes: Tensor, amounts: Tensor) -> Tensor:
        """Codes `[B, L, D]` walked by amounts `[B]`; 1 is the edit at 1."""
        left = amounts[:, None, None].abs() * PIECES
        sign = amounts.sign()[:, None, None]
        for _ in range(max(1, int(left.max().ceil()))):
            part = left.clamp(0, 1)
            seen = (codes.mean(dim=1) - self.centre) / self.spread
            forward, back = (way(seen).view_as(codes) for way in self.ways)
            bend = self.spread * torch.where(sign >= 0, forward, back)
            codes = codes + part * (sign * self.straight / PIECES + bend)
            left = left - part
        return codes


def learn_bent_walk(
    generator: Generator, edit: str, config: WalkConfig | None = None, on_step: OnStep | None = None
) -> BentWalk:
    """The non-linear walk of an edit: as many steps bend it as learnt the straight one before.

    Args:
        generator: any; where there is no W the walk is in z.
        edit: one of `EDITS`.
        config: how long.
        on_step: told of every step.

    Raises:
        ValueError: an unknown edit.
    """
    config = config or WalkConfig()
    shape = BentWalkConfig(edit, generator.num_layers, generator.style_dim)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        walk = BentWalk(shape).to(generator.device)
    walk.straight.copy_(learn_walk(generator, edit, config, on_step))
    codes = generator.sample(1024, config.seed, 1.0).w[:, 0]
    walk.centre.copy_(codes.mean(dim=0))
    walk.spread.copy_(codes.std(dim=0).mean().clamp(min=1e-6))
    source = torch.Generator().manual_seed(config.seed + 1)
    optimizer = torch.optim.Adam(walk.parameters(), lr=BENDING * config.lr)
    for step in range(config.steps):
        codes = generator.sample(config.batch, config.seed + 9001 + step, config.truncation).w
        amounts = (torch.rand(config.batch, generator=source) * 2 - 1).to(codes)
        parameters = list(walk.parameters())
        with torch.enable_grad():
            loss = walk_loss(generator, codes, walk(codes, amounts), edit, amounts)
        for parameter, slope in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = slope
        optimizer.step()
        if on_step is not None:
            seen = {edit: float(loss.detach())}
            on_step(Progress(step + 1, config.steps, seen, "bending the walk"))
    return walk.eval().requires_grad_(False)


def walk_file(edit: str) -> str:
    """Name of a walk's file in a model folder."""
    return f"walk_{edit}.safetensors"


def save_walk(walk: BentWalk, folder: Path | str) -> Path:
    """Write a walk into a folder, under its edit's name."""
    return save_network(walk, Path(folder) / walk_file(walk.config.edit), KIND, {})


def load_walk(path: Path | str) -> BentWalk:
    """Read what `save_walk` wrote, frozen.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it holds something else.
    """
    return load_network(path, KIND, lambda config: BentWalk(BentWalkConfig(**config)))
