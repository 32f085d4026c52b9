"""Hamiltonian Monte Carlo over codes: not one answer but samples of those that fit.

A picture that is blurred, cropped or small is explained by many codes. The posterior is
`exp(-sharpness * loss(x) - |q|^2 / 2)`, q the code in units of its space's spread about the centre
(in Z the origin, where the prior is exact). Proposals follow Hamilton's equations by leapfrog steps
(Neal 2011, "MCMC using Hamiltonian dynamics", equations 5.18-5.20); the step size adapts to an
acceptance of 65% by stochastic approximation (Robbins and Monro 1951), fast during warm-up and ever
less after it, which leaves the posterior as it is (Andrieu and Thoms 2008, "A tutorial on adaptive
MCMC", section 3).

The likelihood is looked at on a smaller drawing (`side`), and the walk begins at the encoder's
code where there is one: a proposal then costs a quarter, and the way to the posterior is short.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor

from multimodal.generators.smaller import drawn_at
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.descent import Walk, run_adam, start_point
from multimodal.inversion.objective import shrink
from multimodal.inversion.options import SPACES, DescentOptions, Weights, check_bounds
from multimodal.inversion.spaces import Space, make_space
from multimodal.inversion.task import Outcome, Task
from multimodal.types import Generator, Latent

GAIN, DELAY, FORGETTING = 0.7, 1.0, 0.5
"""Of the adaptation: the logarithm of the step moves by `GAIN (t + DELAY)^-FORGETTING` times what
the acceptance lacks. Afresh at each third of the warm-up, which is short here. (Dual averaging, as
in Hoffman and Gelman 2014, ended near 0.8 after so few proposals: its mean of logarithms lies below
the step at which the mean acceptance is the target.)"""

PIXELS_AND_LOOKS = Weights(identity=0.0)
SEARCHED, MAPPED = 1024, 200
"""Random points, and steps of Adam from the nearest, for the point of a code in Z."""


@dataclass(frozen=True)
class MonteCarloOptions:
    """Hamiltonian Monte Carlo.

    Args:
        samples: kept after warm-up.
        warmup: proposals in which the step size adapts.
        leapfrog: steps of a proposal.
        target: acceptance that the step size aims at.
        sharpness: how many times the loss counts against the prior.
        space: one of `SPACES`.
        descend: steps of Adam before, to come where the posterior is not negligible.
        side: pictures are drawn and compared at no more than this side, where the family can.
        weights: of the loss.
    """

    samples: int = 20
    warmup: int = 30
    leapfrog: int = 4
    target: float = 0.65
    sharpness: float = 300.0
    space: str = "z"
    descend: int = 20
    side: int = 128
    weights: Weights = PIXELS_AND_LOOKS

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise ValueError(f"space {self.space!r} is not one of {', '.join(SPACES)}")
        check_bounds(
            samples=(self.samples, 1, 100_000),
            warmup=(self.warmup, 0, 100_000),
            leapfrog=(self.leapfrog, 1, 1000),
            target=(self.target, 0.05, 0.99),
            sharpness=(self.sharpness, 0, 1e9),
            descend=(self.descend, 0, 100_000),
            side=(self.side, 4, 4096),
        )


@dataclass(frozen=True)
class Posterior:
    """Samples of the posterior.

    Args:
        codes: `[N, L, D]`, in the order they were drawn.
        energies: `[N]`, minus the log of their unnormalised density.
        acceptance: mean acceptance after warm-up.
        step: size of a leapfrog step after warm-up.
        evaluations: gradients it took.
    """

    codes: Tensor
    energies: Tensor
    acceptance: float
    step: float
    evaluations: int


Energy = Callable[[Tensor], tuple[Tensor, Tensor]]
"""A point `[1, *shape]` to its potential energy (a scalar) and the gradient `[1, *shape]`."""


@dataclass(frozen=True)
class State:
    """A point, its potential energy and gradient."""

    point: Tensor
    energy: Tensor
    slope: Tensor


def sample(task: Task, options: MonteCarloOptions) -> Posterior:
    """Draw codes that explain the task's picture.

    Raises:
        ValueError: the family lacks the space, or no step size is stable.
    """
    task = at_side(task, options.side)
    space = make_space(options.space, task.generator, task.seed)
    source = torch.Generator().manual_seed(task.seed + 3)
    energy, place = _energy(task, space, options)
    state = _evaluated(energy, _begin(task, space, options, place))
    adapting = Coerced(_first_step(energy, state, source), options.target)
    kept: list[State] = []
    accepted, count = 0.0, options.warmup + options.samples
    for index in range(count):
        # Steps of one length can go round in a circle (Neal 2011, section 5.4.2.2).
        step = adapting.step * (0.8 + 0.4 * float(torch.rand((), generator=source)))
        state, chance = propose(energy, state, step, options.leapfrog, source)
        adapting.learn(chance)
        if index + 1 in (options.warmup // 3, 2 * options.warmup // 3):
            adapting = Coerced(adapting.step, options.target)  # forget the way there
        if index >= options.warmup:
            kept.append(state)
            accepted += chance
        task.tell(index + 1, count, {"energy": float(state.energy), "acceptance": chance})
    with torch.no_grad():
        codes = torch.cat([space.to_w_plus(place(s.point)) for s in kept])
    energies = torch.stack([s.energy for s in kept])
    spent = options.descend + count * options.leapfrog
    return Posterior(codes, energies, accepted / options.samples, adapting.settled, spent)


def monte_carlo(task: Task, options: MonteCarloOptions) -> Outcome:
    """The likeliest of the samples, and how they spread."""
    found = sample(task, options)
    best = found.codes[found.energies.argmin()][None].contiguous()
    spread = found.codes.std(dim=0).mean() if len(found.codes) > 1 else torch.zeros(())
    told = {
        "acceptance": round(found.acceptance, 4),
        "step_size": found.step,
        "samples": len(found.codes),
        "spread": float(spread),
    }
    return Outcome(Latent(best), found.evaluations, told=told)


def propose(
    energy: Energy, state: State, step: float, count: int, source: torch.Generator
) -> tuple[State, float]:
    """One proposal of `count` leapfrog steps; returns the next state and the acceptance chance."""
    momentum = torch.randn(state.point.shape, generator=source).to(state.point)
    before = state.energy + momentum.square().sum() / 2
    moved = state
    for _ in range(count):
        momentum = momentum - step / 2 * moved.slope
        moved = _evaluated(energy, moved.point + step * momentum)
        momentum = momentum - step / 2 * moved.slope
        if not bool(moved.energy.isfinite()):
            return state, 0.0
    after = moved.energy + momentum.square().sum() / 2
    chance = math.exp(min(0.0, float(before - after)))
    drawn = float(torch.rand((), generator=source))
    return (moved if drawn < chance else state), chance


class Coerced:
    """The step size that keeps the mean acceptance at a target, by stochastic approximation of its
    logarithm; `settled` is the mean over the later half."""

    def __init__(self, first: float, target: float) -> None:
        self.target, self.step, self.settled = target, first, first
        self._logs = [math.log(first)]

    def learn(self, chance: float) -> None:
        """Take in the acceptance of one proposal."""
        gain = GAIN * (len(self._logs) + DELAY) ** -FORGETTING
        self._logs.append(self._logs[-1] + gain * (chance - self.target))
        late = self._logs[(len(self._logs) + 1) // 2 :]
        self.step, self.settled = math.exp(self._logs[-1]), math.exp(sum(late) / len(late))


def _energy(
    task: Task, space: Space, options: MonteCarloOptions
) -> tuple[Energy, Callable[[Tensor], Tensor]]:
    """The potential energy of standardised points, and the map from them to the space's."""
    centre = torch.zeros_like(space.centre) if space.name == "z" else space.centre

    def place(points: Tensor) -> Tensor:
        return centre + points * space.spread

    @torch.enable_grad()
    def energy(points: Tensor) -> tuple[Tensor, Tensor]:
        points = points.detach().requires_grad_(True)
        terms = task.objective(task.generator.synthesize(space.to_w_plus(place(points))))
        total = options.sharpness * torch.stack(list(terms.values())).sum()
        total = total + points.square().sum() / 2
        (slope,) = torch.autograd.grad(total, points)
        return total.detach(), slope

    return energy, place


def _begin(
    task: Task, space: Space, options: MonteCarloOptions, place: Callable[[Tensor], Tensor]
) -> Tensor:
    """A standardised point near a mode: the given code's or the encoder's, then a short descent."""
    settings = DescentOptions(
        steps=max(1, options.descend),
        space=options.space,
        weights=options.weights,
        prior=0.5 * space.size / max(options.sharpness, 1e-6),
    )
    silent = replace(task, on_step=None)
    if task.start is not None:
        point = _nearest(space, task.start)
    elif task.encoder is not None:
        with torch.no_grad():
            point = _nearest(space, task.encoder(task.objective.target).to(space.centre))
    else:
        point = start_point(silent, space, settings)
    if options.descend:
        point = run_adam(Walk(silent, space, settings, point)).best
    origin = place(torch.zeros_like(space.centre))
    return (point.detach() - origin) / space.spread


@torch.enable_grad()
def _nearest(space: Space, codes: Tensor) -> Tensor:
    """The space's point `[1, *shape]` whose code is the nearest to a code `[1, L, D]`; where there
    is no inverse (Z), by descent through the mapping alone, from the nearest of random points."""
    if space.from_w_plus is not None:
        return space.from_w_plus(codes).detach()
    wanted = codes.mean(dim=1, keepdim=True)
    with torch.no_grad():
        points = space.draw(SEARCHED, torch.Generator().manual_seed(0))
        away = (space.to_w_plus(points)[:, :1] - wanted).square().sum(dim=(1, 2))
    point = points[away.argmin()][None].clone().requires_grad_(True)
    optimizer = torch.optim.Adam([point], lr=0.05)
    for _ in range(MAPPED):
        loss = ((space.to_w_plus(point)[:, :1] - wanted) / space.w_spread).square().mean()
        (point.grad,) = torch.autograd.grad(loss, point)
        optimizer.step()
    return point.detach()


class Small:
    """A generator that draws at a smaller side; all else is the generator's own.

    Args:
        generator: draws.
        side: of its pictures.
    """

    def __init__(self, generator: StyleGAN2, side: int) -> None:
        self._generator, self.resolution = generator, side

    def __getattr__(self, name: str) -> Any:
        return getattr(self._generator, name)

    def synthesize(self, w_plus: Tensor, noise: object = "none") -> Tensor:
        """`[B, L, D]` to `[B, 3, side, side]`, without noise."""
        return drawn_at(self._generator, w_plus, self.resolution)


def at_side(task: Task, side: int) -> Task:
    """The same task at a smaller side, where its generator can draw that."""
    generator, objective = task.generator, task.objective
    if not isinstance(generator, StyleGAN2) or side >= generator.resolution:
        return task
    side = 1 << (side.bit_length() - 1)
    mask = objective.mask
    smaller = replace(
        objective,
        target=shrink(objective.target, side),
        mask=None if mask is None else shrink(mask, side),
    )
    return replace(task, generator=cast(Generator, Small(generator, side)), objective=smaller)


def _evaluated(energy: Energy, point: Tensor) -> State:
    value, slope = energy(point)
    return State(point, value, slope)


def _first_step(energy: Energy, state: State, source: torch.Generator) -> float:
    """A step whose single leapfrog is accepted about half the time."""
    step, rising = 0.1, None
    for _ in range(40):
        _, chance = propose(energy, state, step, 1, source)
        grows = chance > 0.5
        if rising is not None and grows != rising:
            return step
        rising = grows
        step *= 2.0 if grows else 0.5
    raise ValueError("no step size is stable: the loss is not finite around the start")
