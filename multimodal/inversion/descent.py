"""Gradient descent on a code: Adam with the projector's schedule, and L-BFGS.

Best-of tracking, early stopping, and a way back when a loss is not finite: the search returns to
the best code with half the step and says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal.inversion.objective import Terms
from multimodal.inversion.options import DescentOptions, LbfgsOptions
from multimodal.inversion.spaces import Space, make_space
from multimodal.inversion.task import Outcome, Task
from multimodal.types import Latent


def adam(task: Task, options: DescentOptions) -> Outcome:
    """Adam from the average, from the best of several random starts, or from the task's start."""
    space = make_space(options.space, task.generator, task.seed)
    walk = Walk(task, space, options, start_point(task, space, options))
    return run_adam(walk).outcome()


def lbfgs(task: Task, options: LbfgsOptions) -> Outcome:
    """L-BFGS with a strong Wolfe line search (Nocedal and Wright 2006, algorithm 7.5)."""
    space = make_space(options.space, task.generator, task.seed)
    walk = Walk(task, space, options, start_point(task, space, options))
    while walk.steps < options.steps and walk.restarts <= options.restarts:
        before = walk.lowest
        try:
            _lbfgs_round(walk, options)
        except _NotFiniteError:
            continue
        gained = before - walk.lowest  # without end in the first round
        if math.isfinite(before) and gained <= options.tolerance * abs(before):
            break
    return walk.outcome()


def start_point(task: Task, space: Space, options: DescentOptions) -> Tensor:
    """Where to begin, `[1, *shape]`.

    Raises:
        ValueError: `init="given"` without a start.
    """
    if options.init == "given" and task.start is None:
        raise ValueError("init 'given' needs a start: a Latent or a code [1, L, D]")
    if task.start is not None and options.init != "random":
        return space.start_at(task.start).detach()
    if options.init == "mean":
        return space.centre[None].clone()
    source = torch.Generator().manual_seed(task.seed)
    points = space.draw(options.starts, source)
    return best_of(task, space, options, points)


def best_of(task: Task, space: Space, options: DescentOptions, points: Tensor) -> Tensor:
    """The start `[1, *shape]` among `[B, *shape]` that is best after `options.trial` steps."""
    settings = replace(options, steps=max(1, options.trial), noise=False, patience=None, jitter=0.0)
    if isinstance(options, LbfgsOptions):
        settings = replace(settings, lr=DescentOptions.lr)  # the trials are Adam's
    silent = replace(task, on_step=None)
    found, losses = [], []
    for point in points.split(4):
        walk = run_adam(Walk(silent, space, settings, point))
        found.append(walk.best)
        losses.append(walk.losses)
    return torch.cat(found)[torch.cat(losses).argmin()][None]


def run_adam(walk: Walk) -> Walk:
    """Take Adam steps until the walk is over; returns it."""
    options = walk.options
    optimizer = torch.optim.Adam(walk.variables, betas=options.betas)
    for step in range(options.steps):
        t = step / options.steps
        walk.jitter = options.jitter * max(0.0, 1 - t / 0.75) ** 2
        if not walk.evaluate():
            optimizer = torch.optim.Adam(walk.variables, betas=options.betas)
        else:
            for group in optimizer.param_groups:
                group["lr"] = walk.scale * learning_rate(t, options)
            optimizer.step()
            walk.whiten_noise()
        if walk.over:
            break
    return walk


def learning_rate(t: float, options: DescentOptions) -> float:
    """StyleGAN2's projector schedule at time `t` in [0, 1): linear up, flat, a cosine down."""
    ramp = min(1.0, (1.0 - t) / options.rampdown) if options.rampdown > 0 else 1.0
    ramp = 0.5 - 0.5 * math.cos(ramp * math.pi)
    return options.lr * ramp * (min(1.0, (t + 1e-3) / options.rampup) if options.rampup > 0 else 1)


class Walk:
    """The state of a search: points, noise maps, the best so far and how long since.

    Args:
        task: what is searched.
        space: where.
        options: of the method.
        points: `[B, *shape]`, B candidates walked side by side.
    """

    def __init__(self, task: Task, space: Space, options: DescentOptions, points: Tensor) -> None:
        self.task, self.space, self.options = task, space, options
        self.source = torch.Generator().manual_seed(task.seed + 1)
        self.point = points.detach().clone().requires_grad_(True)
        self.noise = _noise_maps(task, self.source) if options.noise else []
        self.best, self.best_noise = points.detach().clone(), self._noise_now()
        self.losses = torch.full((len(points),), math.inf, device=points.device)
        with torch.no_grad():
            self.anchor = space.to_w_plus(self.best)
        self.total = torch.zeros((), device=points.device)
        self.lowest, self.jitter, self.scale = math.inf, 0.0, 1.0
        self.steps = self.restarts = self.stale = 0

    @property
    def variables(self) -> list[Tensor]:
        """What is being optimised."""
        return [self.point, *self.noise]

    @property
    def over(self) -> bool:
        """Whether patience or the restarts are used up."""
        tired = self.options.patience is not None and self.stale > self.options.patience
        return tired or self.restarts > self.options.restarts

    @torch.enable_grad()
    def evaluate(self) -> bool:
        """Loss and gradients at the current points; False after a restart."""
        points = self.jittered()
        w_plus = self.space.to_w_plus(points)
        images = self.task.generator.synthesize(w_plus, noise=self.noise or "const")
        terms = self._terms(images, w_plus, points)
        totals = torch.stack(list(terms.values())).sum(dim=0)
        gradients = torch.autograd.grad(totals.sum(), self.variables)
        self.steps += 1
        if not all(bool(x.isfinite().all()) for x in (totals, *gradients)):
            self._restart(terms)
            return False
        for variable, gradient in zip(self.variables, gradients, strict=True):
            variable.grad = gradient
        self.total = totals.detach().sum()
        self._remember(points.detach(), totals.detach())
        self._tell(terms)
        return True

    @torch.no_grad()
    def whiten_noise(self) -> None:
        """Give the noise maps zero mean and unit variance again."""
        for noise in self.noise:
            noise -= noise.mean()
            noise *= noise.square().mean().clamp(min=1e-12).rsqrt()

    @torch.no_grad()
    def outcome(self) -> Outcome:
        """The best code found."""
        winner = int(self.losses.argmin())
        w_plus = self.space.to_w_plus(self.best[winner : winner + 1]).detach().contiguous()
        return Outcome(Latent(w_plus, noise=self.best_noise), self.steps)

    def jittered(self) -> Tensor:
        """The points with the projector's noise on them, `[B, *shape]`."""
        if self.jitter <= 0:
            return self.point
        wobble = torch.randn(self.point.shape, generator=self.source).to(self.point.device)
        return self.point + wobble * self.jitter * self.space.radius

    def _terms(self, images: Tensor, w_plus: Tensor, points: Tensor) -> Terms:
        options, terms = self.options, dict(self.task.objective(images))
        if options.prior:
            terms["prior"] = options.prior * self.space.distance(points)
        if options.stay:
            moved = (w_plus - self.anchor) / self.space.w_spread
            terms["stay"] = options.stay * moved.square().mean(dim=(1, 2))
        if options.domain:
            terms["domain"] = options.domain * self._domain(images, w_plus)
        if self.noise:
            terms["noise"] = options.noise_weight * noise_correlation(self.noise).expand(
                len(images)
            )
        return terms

    def _domain(self, images: Tensor, w_plus: Tensor) -> Tensor:
        if self.task.encoder is None:
            raise ValueError("the in-domain term needs an encoder: pass encoder=load_encoder(...)")
        seen = F.interpolate(images, (256, 256), mode="area")
        return (self.task.encoder(seen) - w_plus).square().mean(dim=(1, 2))

    def _remember(self, points: Tensor, totals: Tensor) -> None:
        """Keep what was drawn where its loss is the lowest: jittered points, not those between."""
        better = totals < self.losses
        shape = (-1,) + (1,) * (self.best.ndim - 1)
        self.best = torch.where(better.view(shape), points, self.best)
        self.losses = torch.where(better, totals, self.losses)
        lowest = float(self.losses.min())
        enough = self.options.tolerance * abs(self.lowest) if self.lowest < math.inf else 0.0
        if lowest < self.lowest - enough:
            self.lowest, self.stale = lowest, 0
        elif self.jitter <= 0:  # a wobbling loss says nothing of patience
            self.stale += 1
        if bool(better.any()):
            self.best_noise = self._noise_now()

    def _restart(self, terms: Terms) -> None:
        self.restarts += 1
        self.scale *= 0.5
        self.point = self.best.clone().requires_grad_(True)
        self.noise = [n.clone().requires_grad_(True) for n in self.best_noise or ()]
        self._tell(terms, "a loss was not finite: back to the best code with half the step")

    def _noise_now(self) -> tuple[Tensor, ...] | None:
        return tuple(noise.detach().clone() for noise in self.noise) or None

    def _tell(self, terms: Terms, message: str = "") -> None:
        losses = {name: float(term.detach().mean()) for name, term in terms.items()}
        self.task.tell(self.steps, self.options.steps, losses, message)


def noise_correlation(noise: list[Tensor]) -> Tensor:
    """StyleGAN2's noise regulariser (Karras et al. 2020, appendix D, equation 12): neighbours in
    every map, at every halving down to 8 px, must not be correlated. A scalar."""
    total = noise[0].new_zeros(())
    for level in _pyramid(noise):
        for axis in (2, 3):
            total = total + (level * level.roll(1, dims=axis)).mean().square()
    return total


def _pyramid(noise: list[Tensor]) -> Iterator[Tensor]:
    for level in noise:
        yield level
        while level.shape[2] > 8:
            level = F.avg_pool2d(level, 2) * 2  # averaging four halves the deviation
            yield level


def _noise_maps(task: Task, source: torch.Generator) -> list[Tensor]:
    maps = getattr(task.generator, "noise_maps", None)
    if maps is None:
        raise ValueError("this generator has no noise maps to optimise: use noise=False")
    device = task.generator.device
    return [
        torch.randn(n.shape, generator=source).to(device).requires_grad_(True)
        for n in maps("const")
    ]


class _NotFiniteError(ArithmeticError):
    """Leaves torch's line search when a loss is not finite."""


def _lbfgs_round(walk: Walk, options: LbfgsOptions) -> None:
    left = options.steps - walk.steps
    optimizer = torch.optim.LBFGS(
        walk.variables,
        lr=options.lr * walk.scale,
        max_iter=min(20, left),
        max_eval=min(25, left),
        history_size=options.history,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        if not walk.evaluate():
            raise _NotFiniteError
        return walk.total

    optimizer.step(closure)
