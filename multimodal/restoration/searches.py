"""Ways to the code behind a ruined picture; each draws what it found, before anything was lost.

All look for `degrade(G(code)) = given`; they differ in where a code may lie and in whether the
generator may give way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.copies import learning_copy
from multimodal.inversion.descent import adam
from multimodal.inversion.methods.pivotal import tuned_generator
from multimodal.inversion.options import DescentOptions, Weights
from multimodal.inversion.spaces import z_dim
from multimodal.inversion.task import Task
from multimodal.restoration.degraded import Degraded
from multimodal.types import Generator, Latent

WEIGHTS = Weights(pixels=1.0, perceptual=1.0, identity=0.0)


@dataclass(frozen=True)
class SearchOptions:
    """Settings of a search.

    Args:
        steps: of gradient descent in all.
        lr: of Adam on codes.
        prior: weight of a code's squared distance from the average, in units of W's spread.
        codes: how many codes "several" combines.
        layer: after which convolution it combines them.
        weights_lr: of Adam on the generator's weights ("progressive").
    """

    steps: int = 120
    lr: float = 0.04
    prior: float = 0.05
    codes: int = 6
    layer: int = 4
    weights_lr: float = 4e-4

    def __post_init__(self) -> None:
        for name, low, high in (("steps", 1, 10_000), ("codes", 1, 64), ("layer", 0, 64)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} {getattr(self, name)} is not in {low}..{high}")


@dataclass(frozen=True)
class Found:
    """What a search returns: the whole picture `[1, 3, R, R]`, its code, weights it changed."""

    drawn: Tensor
    latent: Latent
    steps: int
    tuned: Mapping[str, Tensor] | None = None


Search = Callable[[Task, SearchOptions], Found]
"""`(task, options)` to what was found; the task's generator is a `Degraded` one."""


def by_code(task: Task, options: SearchOptions) -> Found:
    """Descent in W+ from the task's start, near the average (Abdal et al. 2019, section 5); in the
    type that this machine is fastest in."""
    settings = DescentOptions(
        steps=options.steps, lr=options.lr, prior=options.prior, weights=WEIGHTS
    )
    inner = _inner(task)
    quick = Degraded(learning_copy(inner, ()), _harm(task))
    objective = replace(task.objective, fast=True)
    outcome = adam(replace(task, generator=quick, objective=objective), settings)  # type: ignore[arg-type]
    return Found(inner.synthesize(outcome.latent.w), outcome.latent, outcome.steps)


def on_sphere(task: Task, options: SearchOptions) -> Found:
    """PULSE (Menon et al. 2020, sections 3.2 and 4.1): a z for every row, all on the sphere where
    the normal distribution has its mass, not too far from each other (their GEOCROSS, weight 0.05).
    """
    inner = _inner(task)
    rows, width = inner.num_layers, z_dim(inner)
    source = torch.Generator().manual_seed(task.seed)
    z = torch.randn(1, rows, width, generator=source).to(inner.device).requires_grad_(True)

    def codes(points: Tensor) -> Tensor:
        ball = F.normalize(points, dim=-1) * math.sqrt(width)
        drawn = inner.mapping(ball[0])
        return drawn.diagonal(dim1=0, dim2=1).T[None]

    def terms() -> dict[str, Tensor]:
        seen = task.objective(task.generator.synthesize(codes(z)))
        unit = F.normalize(z[0], dim=-1)
        apart = torch.arccos((unit @ unit.T).clamp(-1 + 1e-6, 1 - 1e-6)).square().mean()
        return seen | {"geodesic": 0.05 * apart[None]}

    best = descend(task, [z], options.lr * 4, options.steps, terms)
    w = codes(best[0]).detach()
    return Found(inner.synthesize(w), Latent(w), options.steps)


def progressive(task: Task, options: SearchOptions) -> Found:
    """DGP (Pan et al. 2020, section 3.2): the code first, then the generator gives way, coarse
    layers before fine ones, so that detail comes last. **Differs:** judged by the objective's
    distances, since generators that people share rarely come with their discriminator.
    """
    begun = by_code(task, SearchOptions(max(1, options.steps // 2), options.lr, options.prior))
    inner = _inner(task)
    twin = _learning(inner)
    seen = Degraded(twin, _harm(task))
    w = begun.latent.w.clone().requires_grad_(True)
    groups = _by_resolution(twin)
    each = max(1, (options.steps - begun.steps) // len(groups))
    open_: list[nn.Parameter] = []
    done = begun.steps
    for group in groups:
        open_ += group
        best = descend(
            task, [w, *open_], options.weights_lr, each, lambda: task.objective(seen.synthesize(w))
        )
        for variable, value in zip([w, *open_], best, strict=True):
            variable.data.copy_(value)
        done += each
    tuned = {k: p.detach() for k, p in twin.named_parameters() if p.requires_grad}
    latent = Latent(w.detach())
    return Found(tuned_generator(inner, tuned).synthesize(latent.w), latent, done, tuned)


def several(task: Task, options: SearchOptions) -> Found:
    """mGANprior (Gu et al. 2020, equations 3 to 5): features of several codes are added up after
    one layer, each channel with its own weight, and drawn on together.
    """
    inner = _inner(task)
    if not isinstance(inner, StyleGAN2):
        raise ValueError(f"'several' needs a StyleGAN2, not {type(inner).__name__}")
    start = task.start if task.start is not None else inner.w_avg.expand(1, inner.num_layers, -1)
    count, layer = options.codes, min(options.layer, len(inner.synthesis.conv_layers()) - 2)
    others = inner.sample(count, task.seed, 0.7).w
    codes = torch.lerp(start, others, 0.3).clone().requires_grad_(True)
    channels = inner.synthesis.conv_layers()[layer].weight.shape[0]
    shares = torch.zeros(count, channels, device=inner.device, requires_grad=True)

    def draw() -> Tensor:
        part = shares.softmax(dim=0)[:, :, None, None]

        def together(index: int, x: Tensor) -> Tensor:
            return (x * part).sum(dim=0, keepdim=True).expand_as(x) if index == layer else x

        late = codes.mean(dim=0, keepdim=True).expand_as(codes)
        rows = torch.arange(inner.num_layers, device=inner.device)[None, :, None]
        mixed = torch.where(rows <= layer, codes, late)
        return inner.synthesize(mixed, on_features=together).mean(dim=0, keepdim=True)

    def terms() -> dict[str, Tensor]:
        return task.objective(_harm(task)(draw()))

    best = descend(task, [codes, shares], options.lr, options.steps, terms)
    codes, shares = (value.detach() for value in best)
    with torch.no_grad():
        drawn = draw()
    return Found(drawn, Latent(codes.mean(dim=0, keepdim=True)), options.steps)


SEARCHES: dict[str, Search] = {
    "code": by_code,
    "sphere": on_sphere,
    "progressive": progressive,
    "several": several,
}
"""Every search by name."""


@torch.enable_grad()
def descend(
    task: Task,
    variables: Sequence[Tensor],
    lr: float,
    steps: int,
    terms: Callable[[], Mapping[str, Tensor]],
) -> list[Tensor]:
    """Adam on some variables; returns their values where the loss was lowest."""
    optimizer = torch.optim.Adam(variables, lr=lr)
    best, lowest = [v.detach().clone() for v in variables], math.inf
    for step in range(steps):
        found = terms()
        total = torch.stack([term.sum() for term in found.values()]).sum()
        if not bool(total.isfinite()):
            break
        loss = float(total.detach())
        if loss < lowest:
            best, lowest = [v.detach().clone() for v in variables], loss
        task.tell(step + 1, steps, {name: float(t.detach().sum()) for name, t in found.items()})
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
    return best


def _inner(task: Task) -> Any:
    generator: Generator = task.generator
    return generator.inner if isinstance(generator, Degraded) else generator


def _harm(task: Task) -> Callable[[Tensor], Tensor]:
    """What happens to the task's drawings."""
    generator: Generator = task.generator
    return generator.harm if isinstance(generator, Degraded) else lambda images: images


def _learning(generator: Any) -> Any:
    """A copy of a generator whose convolutions learn; everything else is shared."""
    names = [n for n, _ in generator.named_parameters() if not n.startswith("mapping.")]
    values = dict(generator.named_parameters())
    twin: Any = tuned_generator(generator, {n: values[n].detach().clone() for n in names})
    for name, parameter in twin.named_parameters():
        parameter.requires_grad_(name in names)
    return twin


def _by_resolution(generator: Any) -> list[list[nn.Parameter]]:
    """Learning weights in three groups, of coarse to fine blocks."""
    blocks: dict[int, list[nn.Parameter]] = {}
    for name, parameter in generator.named_parameters():
        if parameter.requires_grad:
            digits = "".join(c for c in name.split(".")[1] if c.isdigit())
            blocks.setdefault(int(digits or 0), []).append(parameter)
    ordered = [blocks[side] for side in sorted(blocks)]
    third = max(1, math.ceil(len(ordered) / 3))
    return [list(chain(*ordered[i : i + third])) for i in range(0, len(ordered), third)]
