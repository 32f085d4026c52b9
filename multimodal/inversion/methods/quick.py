"""Quick inversion: the encoder's code, then a few steps of code and fine layers together.

Code and weights learn at once and at high rates (after Roich et al. 2021, "Pivotal Tuning", which
searches the code first and then tunes every layer for hundreds of steps). The code takes the face
near, the layers that draw textures, which edits of shape leave alone, do the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.copies import learning_copy
from multimodal.inversion.objective import Terms
from multimodal.inversion.options import QUICK, Weights, check_bounds
from multimodal.inversion.schedule import rate
from multimodal.inversion.spaces import sample_w
from multimodal.inversion.task import Outcome, Task
from multimodal.types import Latent

SAMPLES = 64
"""Random codes from which W's spread is told."""
STEPS, STEPS_AFTER = 24, 12
"""From the encoder's code, and from a hypernetwork's weights."""
BETAS = (0.85, 0.9)
"""Of Adam: it has some twenty steps, so its memory is short."""


@dataclass(frozen=True)
class QuickOptions:
    """The encoder's code, and a hypernetwork's weights, then a few steps of code and fine layers.

    Args:
        steps: of Adam, all of which are taken; None: 24, or 12 after a hypernetwork.
        lr: of the code.
        tuning: of the weights of the fine layers; 0 leaves every weight as it is.
        finest: how many of the largest sides these layers draw.
        stay: weight of the mean squared distance from the start, in units of W's spread.
        weights: of the loss.
        passes: of the encoder, see `EncoderOptions`.
        hyper: begin at the weights that the model's hypernetwork predicts, where it has one.
    """

    steps: int | None = None
    lr: float = 0.12
    tuning: float = 0.01
    finest: int = 4
    stay: float = 0.002
    weights: Weights = QUICK
    passes: int | None = None
    hyper: bool = True

    def __post_init__(self) -> None:
        check_bounds(
            steps=(1 if self.steps is None else self.steps, 1, 100_000),
            lr=(self.lr, 1e-8, 1e3),
            tuning=(self.tuning, 0, 1),
            finest=(self.finest, 0, 20),
            stay=(self.stay, 0, 1e6),
            passes=(self.passes or 1, 1, 50),
        )


def quick(task: Task, options: QuickOptions) -> Outcome:
    """Take the steps from the task's start.

    Returns:
        the best code seen, with the weights that went with it.

    Raises:
        ValueError: not a torch generator, or no start.
    """
    return _Search(task, options).run()


def fine_weights(generator: nn.Module, finest: int) -> list[str]:
    """Keys of the weights that draw the `finest` largest sides, and of every layer to colours; none
    of style affines, so that codes keep their meaning.

    Args:
        generator: another family than StyleGAN2 has none.
        finest: how many sides.
    """
    if not isinstance(generator, StyleGAN2) or finest == 0:
        return []
    sides = generator.synthesis.block_resolutions[-finest:]
    places = tuple(f"synthesis.b{side}." for side in sides)
    names = [name for name, _ in generator.named_parameters() if name.startswith("synthesis.")]
    fine = [name for name in names if name.startswith(places) or ".torgb." in name]
    return [name for name in fine if ".affine." not in name and "noise" not in name]


class _Search:
    """The state of one descent: what learns, and the best of it so far."""

    def __init__(self, task: Task, options: QuickOptions) -> None:
        if task.start is None:
            raise ValueError("a quick descent needs a code to start from")
        generator = task.generator
        if not isinstance(generator, nn.Module):
            raise ValueError(f"'quick' needs a torch generator, not {type(generator).__name__}")
        self.task, self.options = task, options
        learning = fine_weights(generator, options.finest if options.tuning else 0)
        self.twin = learning_copy(generator, learning)
        self.objective = replace(task.objective, fast=True)
        self.start = task.start.detach()
        self.code = self.start.clone().requires_grad_(True)
        self.weights = {k: p for k, p in self.twin.named_parameters() if p.requires_grad}
        drawn = sample_w(task.generator, task.seed, SAMPLES)
        self.spread = float(drawn.std(dim=0).mean().clamp(min=1e-6))
        groups = [{"params": [self.code], "full": options.lr}]
        groups += [{"params": list(self.weights.values()), "full": options.tuning}]
        self.adam = torch.optim.Adam([g for g in groups if g["params"]], betas=BETAS)
        self.count = STEPS if options.steps is None else options.steps
        self.steps, self.lowest = 0, math.inf
        self.best: tuple[Tensor, dict[str, Tensor]] = (self.start, {})

    @torch.enable_grad()
    def run(self) -> Outcome:
        """Take every step, or stop where a loss is not finite."""
        count = self.count
        while self.steps <= count:
            terms = self._terms()
            total = torch.stack(list(terms.values())).sum()
            if not bool(total.isfinite()):
                self._tell(terms, "a loss was not finite: stopped at the best code")
                break
            self._remember(float(total.detach()))
            self._tell(terms)
            if self.steps == count:
                break
            self._step(total)
        code, weights = self.best
        return Outcome(Latent(code.contiguous()), self.steps, weights or None)

    def _terms(self) -> Terms:
        image = self.twin.synthesize(self.code)  # type: ignore[operator]
        terms = dict(self.objective(image))
        if self.options.stay:
            moved = ((self.code - self.start) / self.spread).square().mean(dim=(1, 2))
            terms["stay"] = self.options.stay * moved
        return terms

    def _step(self, total: Tensor) -> None:
        heat = rate(self.steps, self.count)
        for group in self.adam.param_groups:
            group["lr"] = group["full"] * heat
        self.adam.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        self.adam.step()
        self.steps += 1

    def _remember(self, total: float) -> None:
        if total < self.lowest:
            self.lowest = total
            weights = self.weights if self.steps else {}
            kept = {k: p.detach().clone() for k, p in weights.items()}
            self.best = (self.code.detach().clone(), kept)

    def _tell(self, terms: Terms, message: str = "") -> None:
        losses = {name: float(term.detach().mean()) for name, term in terms.items()}
        self.task.tell(self.steps, self.count, losses, message)
