"""Steerability (Jahanian et al. 2020, "On the Steerability of Generative Adversarial Networks").

A walk `w + alpha * d` is learnt so that the picture does what a simple edit of the picture does:
zoom, shift, turn, brighten, tint (equation 1). What the edit leaves empty (what a shift brings in)
is not judged. What differs: the loss is of pixels at up to 128 px. Walks here are
linear; `guidance.controls.walks` bends them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal.types import Generator, OnStep, Progress

JUDGED_SIDE = 128
Edit = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Pictures `[B, 3, R, R]` and amounts `[B]` to edited ones and a mask of what is known of them."""


@dataclass(frozen=True)
class WalkConfig:
    """How a walk is learnt.

    Args:
        steps: of Adam.
        batch: codes a step.
        lr: of Adam, in units of W's spread.
        truncation: psi of the codes.
        seed: everything random follows from it.
    """

    steps: int = 200
    batch: int = 4
    lr: float = 0.02
    truncation: float = 0.7
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, most in (("steps", self.steps, 100_000), ("batch", self.batch, 1024)):
            if not 1 <= value <= most:
                raise ValueError(f"{name} {value} is not in 1..{most}")
        if not 0 < self.lr <= 10:
            raise ValueError(f"lr {self.lr} is not in 0..10")


def _moved(images: Tensor, matrices: Tensor) -> tuple[Tensor, Tensor]:
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    known = F.grid_sample(torch.ones_like(images[:, :1]), grid, align_corners=False)
    return F.grid_sample(images, grid, align_corners=False), (known > 0.99).to(images)


def _matrices(amounts: Tensor, make: Callable[[float], list[list[float]]]) -> Tensor:
    return torch.tensor([make(float(a)) for a in amounts], device=amounts.device)


def zoom(images: Tensor, amounts: Tensor) -> tuple[Tensor, Tensor]:
    """Larger by a quarter at 1, smaller at -1."""

    def scaled(a: float) -> list[list[float]]:
        return [[math.exp(-0.25 * a), 0.0, 0.0], [0.0, math.exp(-0.25 * a), 0.0]]

    return _moved(images, _matrices(amounts, scaled))


def shift_x(images: Tensor, amounts: Tensor) -> tuple[Tensor, Tensor]:
    """To the right by a tenth of the picture at 1."""
    return _moved(images, _matrices(amounts, lambda a: [[1, 0, -0.2 * a], [0, 1, 0]]))


def shift_y(images: Tensor, amounts: Tensor) -> tuple[Tensor, Tensor]:
    """Down by a tenth of the picture at 1."""
    return _moved(images, _matrices(amounts, lambda a: [[1, 0, 0], [0, 1, -0.2 * a]]))


def rotate(images: Tensor, amounts: Tensor) -> tuple[Tensor, Tensor]:
    """By 15 degrees, clockwise, at 1."""

    def turn(a: float) -> list[list[float]]:
        c, s = math.cos(math.radians(15 * a)), math.sin(math.radians(15 * a))
        return [[c, s, 0], [-s, c, 0]]

    return _moved(images, _matrices(amounts, turn))


def brightness(images: Tensor, amounts: Tensor) -> tuple[Tensor, Tensor]:
    """Lighter by a quarter of black to white at 1."""
    return (images + 0.5 * amounts[:, None, None, None]).clamp(-1, 1), torch.ones_like(
        images[:, :1]
    )


def _tint(channel: int) -> Edit:
    def tint(images: Tensor, amounts: Tensor) -> tuple[Tensor, Tensor]:
        added = torch.zeros(len(images), 3, 1, 1, device=images.device)
        added[:, channel, 0, 0] = 0.5 * amounts
        return (images + added).clamp(-1, 1), torch.ones_like(images[:, :1])

    return tint


EDITS: dict[str, Edit] = {
    "zoom": zoom,
    "shift_x": shift_x,
    "shift_y": shift_y,
    "rotate": rotate,
    "brightness": brightness,
    "red": _tint(0),
    "green": _tint(1),
    "blue": _tint(2),
}
"""Edits of pictures by name; each takes amounts in [-1, 1]."""


def learn_walk(
    generator: Generator, edit: str, config: WalkConfig | None = None, on_step: OnStep | None = None
) -> Tensor:
    """The walk of an edit, `[L, D]`: a code plus the walk draws what the edit makes of it at 1.

    Args:
        generator: any; where there is no W the walk is in z.
        edit: one of `EDITS`.
        config: how long.
        on_step: told of every step.

    Raises:
        ValueError: an unknown edit.
    """
    if edit not in EDITS:
        raise ValueError(f"edit {edit!r} is not one of {', '.join(EDITS)}")
    config = config or WalkConfig()
    source = torch.Generator().manual_seed(config.seed)
    shape = (generator.num_layers, generator.style_dim)
    spread = generator.sample(1024, config.seed, 1.0).w[:, 0].std(dim=0).mean().clamp(min=1e-6)
    walk = torch.zeros(shape, device=generator.device, requires_grad=True)
    optimizer = torch.optim.Adam([walk], lr=config.lr)
    for step in range(config.steps):
        codes = generator.sample(config.batch, config.seed + 1 + step, config.truncation).w
        amounts = (torch.rand(config.batch, generator=source) * 2 - 1).to(codes)
        walked = codes + amounts[:, None, None] * walk * spread
        loss = walk_loss(generator, codes, walked, edit, amounts)
        (walk.grad,) = torch.autograd.grad(loss, walk)
        optimizer.step()
        if on_step is not None:
            on_step(
                Progress(step + 1, config.steps, {edit: float(loss.detach())}, "learning a walk")
            )
    return (walk * spread).detach()


@torch.enable_grad()
def walk_loss(
    generator: Generator, codes: Tensor, walked: Tensor, edit: str, amounts: Tensor
) -> Tensor:
    """Mean squared difference between walked and edited pictures where both are known.

    Args:
        generator: draws both.
        codes: before the walk, `[B, L, D]`.
        walked: after it, `[B, L, D]`.
        edit: one of `EDITS`.
        amounts: how far each was walked, `[B]` in [-1, 1].
    """
    with torch.no_grad():
        wanted, known = EDITS[edit](small(generator.synthesize(codes)), amounts)
    drawn = small(generator.synthesize(walked))
    return ((drawn - wanted).square() * known).sum() / (3 * known.sum().clamp(min=1))


def small(images: Tensor) -> Tensor:
    """Pictures at the side that walks are judged at, at most."""
    side = images.shape[-1]
    return images if side <= JUDGED_SIDE else F.adaptive_avg_pool2d(images, JUDGED_SIDE)
