"""What every inversion method is given and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from multimodal.inversion.objective import Objective
from multimodal.types import Encoder, Generator, Latent, OnStep, Progress


@dataclass(frozen=True)
class Task:
    """One picture to be inverted.

    Args:
        generator: the network to invert.
        objective: distances to the picture.
        seed: everything random follows from it.
        encoder: a feed-forward encoder, or None.
        start: a code `[1, L, D]` to begin from, or None.
        on_step: told of every step.
        notes: collects what the person should know.
    """

    generator: Generator
    objective: Objective
    seed: int = 0
    encoder: Encoder | None = None
    start: Tensor | None = None
    on_step: OnStep | None = None
    notes: list[str] = field(default_factory=list)

    def starting_at(self, w_plus: Tensor) -> Task:
        """The same task begun from another code."""
        return replace(self, start=w_plus)

    def tell(self, step: int, total: int, losses: Mapping[str, float], message: str = "") -> None:
        """Report a step; a message is also kept for the report."""
        if message:
            self.notes.append(message)
        if self.on_step is not None:
            self.on_step(Progress(step, total, losses, message))


@dataclass(frozen=True)
class Outcome:
    """What a method found.

    Args:
        latent: the code, batch 1.
        steps: how many steps it took.
        tuned: generator weights it changed, by state-dict key, or None.
        told: further figures for the report.
    """

    latent: Latent
    steps: int
    tuned: Mapping[str, Tensor] | None = None
    told: Mapping[str, Any] = field(default_factory=dict)


Method = Callable[..., Outcome]
"""`(task, options) -> Outcome`."""
