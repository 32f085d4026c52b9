"""Pivotal tuning (Roich et al. 2021, "Pivotal Tuning for Latent-based Editing of Real Images").

The code stays, the generator moves a little until it draws this very face there. What is returned
is only the changed weights; `tuned_generator` shares every other tensor with the original.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from multimodal.generators.smaller import features_at
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.copies import assign, learning_copy, shared_copy
from multimodal.inversion.objective import Terms
from multimodal.inversion.options import PivotalOptions
from multimodal.inversion.schedule import rate
from multimodal.inversion.spaces import z_dim
from multimodal.inversion.task import Method, Outcome, Task
from multimodal.types import Generator

AFTER_TUNING, ALONE = 12, 100
"""Steps where the search for the pivot tuned every layer already, and where it tuned none."""
BETAS = (0.85, 0.95)
"""Of Adam: it has some tens of steps, so its memory is short."""


RESIDUALS = ("residual", "residual_at")
"""What a layer may hold of one face: features beside its own, and its own where they were found."""


def tuned_generator(generator: Generator, tuned: Mapping[str, Tensor]) -> Generator:
    """The generator with some weights replaced; every other tensor is shared with the original.

    Args:
        generator: an `nn.Module` generator.
        tuned: new values by state-dict key.

    Raises:
        ValueError: not a module, an unknown key, a wrong shape, or numbers that are not finite.
    """
    module = _as_module(generator)
    shapes = {key: tuple(p.shape) for key, p in module.named_parameters()} | _residuals(module)
    for key, value in tuned.items():
        if key not in shapes:
            raise ValueError(f"tuned weight {key!r} is not a weight of this generator")
        if tuple(value.shape) != shapes[key]:
            raise ValueError(
                f"tuned weight {key} has shape {tuple(value.shape)}, "
                f"this generator's has {shapes[key]}"
            )
        if not bool(value.isfinite().all()):
            raise ValueError(f"tuned weight {key} holds numbers that are not finite")
    twin = shared_copy(module)
    for key, value in tuned.items():
        there = value.to(generator.device, torch.float32)
        assign(twin, key, nn.Parameter(there, requires_grad=False))
    return twin  # type: ignore[return-value]


@torch.no_grad()
def anchored(
    generator: Generator, w_plus: Tensor, tuned: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Changes of weights with what each layer draws of a code itself beside the features that are
    added there, so that these stay only where an edit of the code leaves the layer's own as they
    are (what StyleRes, Pehlivan et al. 2023, section 3, trains a network for).

    Args:
        generator: what is changed.
        w_plus: the code `[1, L, D]` at which the features were found.
        tuned: new values by state-dict key.
    """
    kept = {key: value for key, value in tuned.items() if not key.endswith(".residual_at")}
    added = [key for key in kept if key.endswith(".residual")]
    twin = tuned_generator(generator, {k: v for k, v in kept.items() if k not in added})
    for key in added:
        assert isinstance(twin, StyleGAN2)  # no other family has room for features
        side = kept[key].shape[-1]
        kept[f"{key}_at"] = features_at(twin, w_plus.to(twin.device), side)[0]
    return kept


def _residuals(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of the features that may be added to layers' own (`methods.features`)."""
    slots = ((name, getattr(m, "residual_shape", None)) for name, m in module.named_modules())
    shapes = {name: tuple(shape) for name, shape in slots if shape is not None}
    return {f"{name}.{part}": shape for name, shape in shapes.items() for part in RESIDUALS}


def tune(task: Task, options: PivotalOptions, find_pivot: Method) -> Outcome:
    """Tune the generator around the pivot that `find_pivot(task, options)` returns.

    Returns:
        the pivot with `tuned` weights, the best seen, if any was better than the original's.
    """
    pivot = find_pivot(task, options)
    found = pivot.tuned or {}
    added = {key: value for key, value in found.items() if key.endswith(".residual")}
    with_features = tuned_generator(task.generator, added) if added else task.generator
    search = _Tuning(replace(task, generator=with_features), options, pivot)
    for step in range(search.count):
        if not search.step(step):
            break
    best = search.best
    if best is not None and added:
        best = anchored(task.generator, pivot.latent.w, added | best)
    return Outcome(pivot.latent, pivot.steps + search.steps, best)


class _Tuning:
    """The state of one tuning: a trainable twin, the best weights, the restarts."""

    def __init__(self, task: Task, options: PivotalOptions, pivot: Outcome) -> None:
        self.task, self.options, self.latent = task, options, pivot.latent
        self.original = _as_module(task.generator)
        self.source = torch.Generator().manual_seed(task.seed + 2)
        self.best: dict[str, Tensor] | None = None
        self.begun = dict(pivot.tuned or {})
        self.count = options.steps or (AFTER_TUNING if self.begun else ALONE)
        self.objective = replace(task.objective, fast=True)
        self.lowest, self.lr, self.steps, self.restarts = math.inf, options.lr, 0, 0
        self._begin()

    def _begin(self) -> None:
        names = [k for k, _ in self.original.named_parameters() if _learns(k)]
        self.twin = learning_copy(self.original, names, self.best or self.begun)
        self.weights = {k: p for k, p in self.twin.named_parameters() if p.requires_grad}
        self.adam = torch.optim.Adam(self.weights.values(), lr=self.lr, betas=BETAS)

    @torch.enable_grad()
    def step(self, index: int) -> bool:
        """One step; False when the tuning is over."""
        image = self._draw(self.twin, self.latent.w)
        terms = self.objective(image)
        total = torch.stack(list(terms.values())).sum()
        self.steps += 1
        if not bool(total.isfinite()):
            return self._restart(terms)
        self._remember(index, float(total.detach()))
        reached = self._reached(terms, image)
        self._tell(terms)
        if reached or index + 1 == self.count:
            return False
        if self.options.locality and index % self.options.locality_every == 0:
            total = total + self.options.locality * self._locality()
        for group in self.adam.param_groups:
            group["lr"] = self.lr * rate(index, self.count)
        self.adam.zero_grad(set_to_none=True)
        total.backward()
        self.adam.step()
        return True

    def _draw(self, network: nn.Module, w_plus: Tensor) -> Tensor:
        noise = self.latent.noise
        return network.synthesize(w_plus, noise="const" if noise is None else noise)  # type: ignore[operator]

    def _reached(self, terms: Terms, image: Tensor) -> bool:
        weight = self.objective.weights.perceptual
        if weight and "lpips" in terms:
            return float(terms["lpips"].detach().mean()) <= weight * self.options.threshold
        with torch.no_grad():
            distance = self.objective.lpips(image)
        return distance is not None and float(distance.mean()) <= self.options.threshold

    def _remember(self, index: int, total: float) -> None:
        if total < self.lowest:
            self.lowest = total
            changed = index > 0 or self.best is not None or bool(self.begun)
            self.best = (
                {k: p.detach().clone() for k, p in self.weights.items()} if changed else None
            )

    def _locality(self) -> Tensor:
        """Faces near the pivot should stay what they were (PTI, equations 4 and 5)."""
        width = z_dim(self.task.generator)
        z = torch.randn(1, width, generator=self.source).to(self.task.generator.device)
        with torch.no_grad():
            drawn = self.task.generator.mapping(z)
            away = drawn - self.latent.w
            away = away / away.norm().clamp(min=1e-8)
            neighbour = self.latent.w + self.options.alpha * away
            wanted = self._draw(self.original, neighbour)
        found = self._draw(self.twin, neighbour)
        nearby = replace(self.objective, target=wanted, mask=None)
        return torch.stack(list(nearby(found).values())).sum()

    def _restart(self, terms: Terms) -> bool:
        self.restarts += 1
        self.lr *= 0.5
        self._tell(terms, "a loss was not finite: back to the best weights with half the step")
        self._begin()
        return self.restarts <= self.options.restarts

    def _tell(self, terms: Terms, message: str = "") -> None:
        losses = {name: float(term.detach().mean()) for name, term in terms.items()}
        self.task.tell(self.steps, self.count, losses, message)


def _learns(key: str) -> bool:
    """Not what makes styles of a code: it would only fit the one code that is drawn."""
    return not key.startswith("mapping.") and ".affine." not in key


def _as_module(generator: Generator) -> nn.Module:
    if not isinstance(generator, nn.Module):
        raise ValueError(f"pivotal tuning needs a torch generator, not {type(generator).__name__}")
    return generator
