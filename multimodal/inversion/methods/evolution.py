"""CMA-ES over codes, and BasinCMA, whose candidates are refined by descent before they are judged.

Hansen 2016, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772, through the `cma` package;
Bau et al. 2019, "Seeing What a GAN Cannot Generate", arXiv 1910.11626.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from multimodal.inversion.descent import Walk, run_adam
from multimodal.inversion.options import DescentOptions, EvolutionOptions
from multimodal.inversion.spaces import Space, make_space
from multimodal.inversion.task import Outcome, Task
from multimodal.types import Latent

WORST = 1e9
"""Loss of a candidate whose own is not finite."""


def evolve(task: Task, options: EvolutionOptions) -> Outcome:
    """CMA-ES from the task's start or the average, then `options.final` steps of descent."""
    space = make_space(options.space, task.generator, task.seed)
    centre = space.centre[None] if task.start is None else space.start_at(task.start)
    strategy = _strategy(space, options, task.seed)
    best, lowest = centre.clone(), float("inf")
    for generation in range(options.generations):
        units = strategy.ask()
        points = _points(units, centre, space)
        points, losses = _judge(task, space, options, points)
        strategy.tell(units, losses.tolist())
        if float(losses.min()) < lowest:
            lowest, best = float(losses.min()), points[int(losses.argmin())][None]
        task.tell(generation + 1, options.generations, {"total": lowest})
        if strategy.stop():
            break
    if options.final:
        walk = run_adam(Walk(task, space, _descent(options, options.final), best))
        if float(walk.losses.min()) <= lowest:
            return walk.outcome()
    with torch.no_grad():
        w_plus = space.to_w_plus(best).contiguous()
    return Outcome(Latent(w_plus), strategy.countiter)


def _strategy(space: Space, options: EvolutionOptions, seed: int) -> Any:
    import cma

    rng = np.random.default_rng(seed)  # our own, so that numpy's global state is left alone
    settings: dict[str, Any] = {
        "seed": np.nan,
        "randn": lambda *shape: rng.standard_normal(shape),
        "verbose": -9,
        "CMA_diagonal": space.size > options.full,
    }
    if options.population is not None:
        settings["popsize"] = options.population
    return cma.CMAEvolutionStrategy(np.zeros(space.size), options.sigma, settings)


def _points(units: list[np.ndarray], centre: Tensor, space: Space) -> Tensor:
    """Candidates in units of the spread to points `[B, *shape]`."""
    steps = torch.from_numpy(np.stack(units)).to(centre)
    return centre + steps.view(len(units), *space.centre.shape) * space.spread


def _judge(
    task: Task, space: Space, options: EvolutionOptions, points: Tensor
) -> tuple[Tensor, Tensor]:
    """The points (refined by BasinCMA) and their losses `[B]`."""
    judged, losses = [], []
    for chunk in points.split(options.chunk):
        if options.inner:
            silent = replace(task, on_step=None)
            walk = run_adam(Walk(silent, space, _descent(options, options.inner), chunk))
            judged.append(walk.best)
            losses.append(walk.losses)
        else:
            judged.append(chunk)
            losses.append(_losses(task, space, options, chunk))
    return torch.cat(judged), torch.nan_to_num(torch.cat(losses), nan=WORST, posinf=WORST)


@torch.no_grad()
def _losses(task: Task, space: Space, options: EvolutionOptions, points: Tensor) -> Tensor:
    images = task.generator.synthesize(space.to_w_plus(points))
    terms = task.objective(images)
    if options.prior:
        terms["prior"] = options.prior * space.distance(points)
    return torch.stack(list(terms.values())).sum(dim=0)


def _descent(options: EvolutionOptions, steps: int) -> DescentOptions:
    return DescentOptions(
        steps=steps,
        lr=options.inner_lr,
        space=options.space,
        weights=options.weights,
        prior=options.prior,
        patience=None,
    )
