"""StyleCLIP latent optimisation (Patashnik et al. 2021, section 4), made safe to leave alone.

Beyond the paper: the best offset seen is kept, optimisation stops when it no longer improves,
restarts with a smaller step when a loss is not finite, and identity is kept by default.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor

from guidance.common import apply_offset, conv_indices, draw, read_options, styles_of
from guidance.losses import (
    clip_loss,
    directional_loss,
    embed_crops,
    identity_loss,
    latent_l2,
    outside_lpips,
)
from multimodal.types import EditRequest, Latent, Offset, OnStep, Progress, Toolkit


@dataclass(frozen=True)
class OptimizeConfig:
    """Settings of the optimisation.

    Args:
        steps: at most; the paper takes 300.
        lr: peak learning rate of Adam.
        space: "w+" as in the paper; "w", the same change in every row, which finds a different face
            rather than a picture that CLIP mistakes for one; or "s" (without toRGB).
        clip: weight of the similarity to the target.
        directional: weight of the directional loss, which is blind to the gap between the
            embeddings of pictures and words; 0 in the paper.
        l2: weight of the summed squares of the change.
        identity: weight of the identity term (ignored without an identity network).
        outside: weight of LPIPS outside `mask` (needs `mask` and LPIPS).
        mask: `[1, 1, H, W]`, 1 where change is wanted, or None.
        crops: random crops added to each look at the picture.
        patience: stop when the total of so many steps is on average no lower than that of as many
            before them: the first steps of Adam cost more than they gain, and that is no reason.
        tolerance: what counts as lower, relative.
        restarts: how often to start again, with half the learning rate, from the best offset when
            a loss is not finite.
    """

    steps: int = 80
    lr: float = 0.1
    space: str = "w+"
    clip: float = 1.0
    directional: float = 0.5
    l2: float = 0.008
    identity: float = 0.2
    outside: float = 1.0
    mask: Tensor | None = None
    crops: int = 0
    patience: int = 25
    tolerance: float = 1e-3
    restarts: int = 3

    def __post_init__(self) -> None:
        if self.space not in ("w+", "w", "s"):
            raise ValueError(f"space {self.space!r} is not one of 'w+', 'w', 's'")
        if not 1 <= self.steps <= 5000:
            raise ValueError(f"steps {self.steps} is not in 1..5000")
        if self.lr <= 0 or self.restarts < 0 or self.crops < 0:
            raise ValueError("lr must be positive, restarts and crops not negative")
        if self.patience < 1:
            raise ValueError(f"patience {self.patience} is not positive")


Terms = dict[str, Tensor]
Objective = Callable[[Tensor, Offset], Terms]
"""A picture `[1, 3, H, W]` and the offset that made it, to weighted scalar terms."""


class Optimize:
    """Latent optimisation as a `Guidance`.

    Args:
        toolkit: generator, CLIP, and where present identity and LPIPS.
    """

    name = "optimize"

    def __init__(self, toolkit: Toolkit) -> None:
        self.toolkit = toolkit

    def offset(self, request: EditRequest, on_step: OnStep | None = None) -> Offset:
        """The best offset found; `request.options` are fields of `OptimizeConfig`."""
        config = read_options(OptimizeConfig, request.options)
        objective = clip_objective(self.toolkit, request, config)
        return minimise(self.toolkit, request.latent, objective, config, on_step)


def learning_rate(t: float, peak: float, rampdown: float = 0.25, rampup: float = 0.05) -> float:
    """StyleCLIP's schedule at time `t` in [0, 1]: linear up, then flat, then a cosine down."""
    ramp = min(1.0, (1.0 - t) / rampdown)
    ramp = 0.5 - 0.5 * math.cos(ramp * math.pi)
    return peak * ramp * min(1.0, t / rampup)


def clip_objective(toolkit: Toolkit, request: EditRequest, config: OptimizeConfig) -> Objective:
    """The paper's loss (equation 1), the directional term and what must stay."""
    device = toolkit.clip.device
    target, neutral = request.target.to(device), request.neutral.to(device)
    source = torch.Generator().manual_seed(request.seed)
    with torch.no_grad():
        original = draw(toolkit.generator, request.latent)
        before = toolkit.clip.encode_image(original)
    if config.mask is not None and toolkit.lpips is None:
        raise ValueError("keeping what lies outside a mask needs LPIPS, which this model lacks")

    def objective(image: Tensor, offset: Offset) -> Terms:
        after = embed_crops(toolkit.clip, image, config.crops, source if config.crops else None)
        terms = {"clip": config.clip * clip_loss(after, target).mean()}
        if config.directional:
            loss = directional_loss(after, before, target, neutral).mean()
            terms["directional"] = config.directional * loss
        terms["l2"] = config.l2 * _squares(offset)
        if toolkit.identity is not None and config.identity:
            kept = identity_loss(toolkit.identity, image, original).mean()
            terms["identity"] = config.identity * kept
        if config.mask is not None and toolkit.lpips is not None:
            mask = config.mask.to(image.device)
            terms["outside"] = (
                config.outside * outside_lpips(toolkit.lpips, image, original, mask).mean()
            )
        return terms

    return objective


def _squares(offset: Offset) -> Tensor:
    parts = ([] if offset.w is None else [offset.w]) + list(offset.styles or ())
    return torch.stack([latent_l2(p).mean() for p in parts]).sum()


@torch.enable_grad()
def minimise(
    toolkit: Toolkit,
    latent: Latent,
    objective: Objective,
    config: OptimizeConfig,
    on_step: OnStep | None = None,
    start: Offset | None = None,
    extra: Sequence[Tensor] = (),
) -> Offset:
    """Adam on an offset under StyleCLIP's schedule, with best-of, early stop and restarts.

    Args:
        toolkit: the generator.
        latent: the face.
        objective: picture and offset to weighted terms; their sum is minimised.
        config: steps, learning rate, space, patience, restarts.
        on_step: told of every step.
        start: where to begin; zero by default.
        extra: further parameters of the objective, optimised along with the offset.
    """
    search = _Search(toolkit, latent, config, start, extra)
    for step in range(config.steps):
        terms = search.step(objective, learning_rate(step / config.steps, config.lr))
        if on_step is not None:
            losses = {k: float(v.detach()) for k, v in terms.items()}
            on_step(Progress(step + 1, config.steps, losses, search.message))
        if search.stale or search.restarts > config.restarts:
            break
    return search.best


class _Search:
    """The state of one optimisation: parameters, the totals and the best so far."""

    def __init__(
        self,
        toolkit: Toolkit,
        latent: Latent,
        config: OptimizeConfig,
        start: Offset | None,
        extra: Sequence[Tensor],
    ) -> None:
        self.extra = list(extra)
        self.toolkit, self.latent, self.config = toolkit, latent, config
        self.parameters = _parameters(toolkit, latent, config.space, start)
        self.best, self.lowest = self._frozen(), math.inf
        self.totals: list[float] = []
        self.restarts = 0
        self.scale, self.message = 1.0, ""
        self.adam = torch.optim.Adam([*self.parameters, *self.extra])

    def step(self, objective: Objective, lr: float) -> Terms:
        """One step of Adam; returns the terms before it."""
        self.message = ""
        offset = self._offset()
        image = draw(
            self.toolkit.generator, apply_offset(self.toolkit.generator, self.latent, offset)
        )
        terms = objective(image, offset)
        total = torch.stack(list(terms.values())).sum()
        moved = [*self.parameters, *self.extra]
        gradients = torch.autograd.grad(total, moved, allow_unused=True)
        if not _finite(total, gradients):
            self._restart()
            return terms
        self._remember(float(total.detach()))
        for parameter, gradient in zip(moved, gradients, strict=True):
            parameter.grad = gradient
        for group in self.adam.param_groups:
            group["lr"] = lr * self.scale
        self.adam.step()
        return terms

    @property
    def stale(self) -> bool:
        """Whether the totals have ceased to fall."""
        span = self.config.patience
        if len(self.totals) < 2 * span:
            return False
        before, after = fmean(self.totals[-2 * span : -span]), fmean(self.totals[-span:])
        return after > before - self.config.tolerance * abs(before)

    def _remember(self, total: float) -> None:
        self.totals.append(total)
        if total < self.lowest:
            self.best, self.lowest = self._frozen(), total

    def _restart(self) -> None:
        self.restarts += 1
        self.scale *= 0.5
        self.message = f"a loss was not finite; restarted with learning rate times {self.scale:g}"
        self.parameters = _parameters(self.toolkit, self.latent, self.config.space, self.best)
        self.adam = torch.optim.Adam([*self.parameters, *self.extra])

    def _offset(self) -> Offset:
        if self.config.space != "s":
            return Offset(w=self.parameters[0].expand_as(self.latent.w))
        return Offset(styles=_with_rgb(self.parameters, self.toolkit, self.latent))

    def _frozen(self) -> Offset:
        offset = self._offset()
        styles = None if offset.styles is None else tuple(s.detach().clone() for s in offset.styles)
        return Offset(None if offset.w is None else offset.w.detach().clone(), styles)


def _finite(total: Tensor, gradients: tuple[Tensor | None, ...]) -> bool:
    parts = [g for g in gradients if g is not None]
    return bool(torch.isfinite(total)) and all(bool(g.isfinite().all()) for g in parts)


def _parameters(toolkit: Toolkit, latent: Latent, space: str, start: Offset | None) -> list[Tensor]:
    if space != "s":
        first = None if start is None else start.w
        row = torch.zeros_like(latent.w) if first is None else first
        values = [row.mean(dim=1, keepdim=True) if space == "w" else row]
    else:
        styles = styles_of(toolkit.generator, latent)
        given = None if start is None else start.styles
        values = [
            torch.zeros_like(styles[i]) if given is None else given[i]
            for i in conv_indices(len(styles))
        ]
    return [v.detach().clone().requires_grad_() for v in values]


def _with_rgb(parts: list[Tensor], toolkit: Toolkit, latent: Latent) -> tuple[Tensor, ...]:
    styles = styles_of(toolkit.generator, latent)
    by_index = dict(zip(conv_indices(len(styles)), parts, strict=True))
    return tuple(by_index.get(i, torch.zeros_like(s)) for i, s in enumerate(styles))
