"""Pivotal tuning (Roich et al. 2021, "Pivotal Tuning for Latent-based Editing of Real Images").

The code stays, the generator moves a little until it draws this very face there. What is returned
is only the changed weights; `tuned_generator` shares every other tensor with the original.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from multimodal.inversion.objective import Terms
from multimodal.inversion.options import PivotalOptions
from multimodal.inversion.spaces import z_dim
from multimodal.inversion.task import Method, Outcome, Task
from multimodal.types import Generator


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
    twin = _shared_copy(module)
    for key, value in tuned.items():
        there = value.to(generator.device, torch.float32)
        _assign(twin, key, nn.Parameter(there, requires_grad=False))
    return twin  # type: ignore[return-value]


def _residuals(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of the features that may be added to layers' own (`methods.features`)."""
    slots = ((name, getattr(m, "residual_shape", None)) for name, m in module.named_modules())
    return {f"{name}.residual": tuple(shape) for name, shape in slots if shape is not None}


def tune(task: Task, options: PivotalOptions, find_pivot: Method) -> Outcome:
    """Tune the generator around the pivot that `find_pivot(task, options)` returns.

    Returns:
        the pivot with `tuned` weights, the best seen, if any was better than the original's.
    """
    pivot = find_pivot(task, options)
    search = _Tuning(task, options, pivot)
    for step in range(options.steps):
        if not search.step(step):
            break
    return Outcome(pivot.latent, pivot.steps + search.steps, search.best)


class _Tuning:
    """The state of one tuning: a trainable twin, the best weights, the restarts."""

    def __init__(self, task: Task, options: PivotalOptions, pivot: Outcome) -> None:
        self.task, self.options, self.latent = task, options, pivot.latent
        self.original = _as_module(task.generator)
        self.source = torch.Generator().manual_seed(task.seed + 2)
        self.best: dict[str, Tensor] | None = None
        self.lowest, self.lr, self.steps, self.restarts = math.inf, options.lr, 0, 0
        self._begin()

    def _begin(self) -> None:
        self.twin = _trainable(self.original, self.best)
        self.weights = {k: p for k, p in self.twin.named_parameters() if p.requires_grad}
        self.adam = torch.optim.Adam(self.weights.values(), lr=self.lr)

    @torch.enable_grad()
    def step(self, index: int) -> bool:
        """One step; False when the tuning is over."""
        image = self._draw(self.twin, self.latent.w)
        terms = self.task.objective(image)
        total = torch.stack(list(terms.values())).sum()
        self.steps += 1
        if not bool(total.isfinite()):
            return self._restart(terms)
        self._remember(index, float(total.detach()))
        reached = self._reached(image)
        self._tell(terms)
        if reached or index + 1 == self.options.steps:
            return False
        if self.options.locality and index % self.options.locality_every == 0:
            total = total + self.options.locality * self._locality()
        self.adam.zero_grad(set_to_none=True)
        total.backward()
        self.adam.step()
        return True

    def _draw(self, network: nn.Module, w_plus: Tensor) -> Tensor:
        noise = self.latent.noise
        return network.synthesize(w_plus, noise="const" if noise is None else noise)  # type: ignore[operator]

    def _reached(self, image: Tensor) -> bool:
        with torch.no_grad():
            distance = self.task.objective.lpips(image)
        return distance is not None and float(distance.mean()) <= self.options.threshold

    def _remember(self, index: int, total: float) -> None:
        if total < self.lowest:
            self.lowest = total
            changed = index > 0 or self.best is not None
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
        nearby = replace(self.task.objective, target=wanted, mask=None)
        return torch.stack(list(nearby(found).values())).sum()

    def _restart(self, terms: Terms) -> bool:
        self.restarts += 1
        self.lr *= 0.5
        self._tell(terms, "a loss was not finite: back to the best weights with half the step")
        self._begin()
        return self.restarts <= self.options.restarts

    def _tell(self, terms: Terms, message: str = "") -> None:
        losses = {name: float(term.detach().mean()) for name, term in terms.items()}
        self.task.tell(self.steps, self.options.steps, losses, message)


def _as_module(generator: Generator) -> nn.Module:
    if not isinstance(generator, nn.Module):
        raise ValueError(f"pivotal tuning needs a torch generator, not {type(generator).__name__}")
    return generator


def _shared_copy(module: nn.Module) -> nn.Module:
    """A copy of the module tree that shares every tensor."""
    tensors = [*module.parameters(), *module.buffers()]
    return copy.deepcopy(module, {id(tensor): tensor for tensor in tensors})


def _trainable(original: nn.Module, start: Mapping[str, Tensor] | None) -> nn.Module:
    """A copy whose synthesis weights are its own and learn; mapping and buffers are shared."""
    twin = _shared_copy(original)
    for key, parameter in list(twin.named_parameters()):
        if not key.startswith("mapping."):
            value = parameter.detach() if start is None else start[key]
            _assign(twin, key, nn.Parameter(value.clone(), requires_grad=True))
    return twin


def _assign(module: nn.Module, key: str, parameter: nn.Parameter) -> None:
    path, _, name = key.rpartition(".")
    setattr(module.get_submodule(path), name, parameter)
