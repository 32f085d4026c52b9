"""Inversion by linear programs (Lei et al. 2019, "Inverting Deep Generative Models, One Layer at a
Time", section 3).

A ReLU layer `y = max(0, W x + b)` says of its input: equality where y is positive, `W x + b <= 0`
where it is 0. Slack variables make the program solvable where no x fits exactly, and their sum is
minimised (the paper's l1 program, equation 6); with an x that fits, it is found exactly. Layers are
undone from the picture back to z.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from multimodal.inversion.options import check_bounds
from multimodal.inversion.task import Outcome, Task
from multimodal.types import Latent

SLIGHT = 1e-5
"""A miss this small is rounding: pictures are float32."""
EDGE = 1 - 1e-6
"""Pictures are kept this far inside (-1, 1) before tanh is undone."""


@dataclass(frozen=True)
class ProgramOptions:
    """Linear programs.

    Args:
        largest: refuse layers of more inputs or outputs; a program grows with their product.
        tolerance: outputs below it count as 0.
    """

    largest: int = 4096
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        check_bounds(largest=(self.largest, 1, 1_000_000), tolerance=(self.tolerance, 0, 1))


@dataclass(frozen=True)
class AffineLayer:
    """`W x + b`, and whether a ReLU follows.

    Args:
        weight: `[m, n]`.
        bias: `[m]`.
        relu: whether its output is cut at 0.
    """

    weight: np.ndarray
    bias: np.ndarray
    relu: bool = True


def undo_layer(
    layer: AffineLayer,
    output: np.ndarray,
    positive: bool,
    tolerance: float = 1e-6,
    direct: bool = True,
) -> tuple[np.ndarray, float]:
    """The input `[n]` of a layer whose output `[m]` is known.

    Args:
        layer: what is undone.
        output: what it gave.
        positive: the input comes from a ReLU itself, so that it is not negative.
        tolerance: outputs below it count as 0 (with a ReLU).
        direct: look first whether the equations alone have a solution that meets everything; it is
            the program's optimum then, and much sooner there.

    Returns:
        the input, and the sum of what could not be met: 0 where an input fits exactly.

    Raises:
        ValueError: the solver found no solution.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix, hstack, identity, vstack

    rows, size = layer.weight.shape
    active = output > tolerance if layer.relu else np.ones(rows, dtype=bool)
    if direct and active.sum() >= size:
        found = _by_equations(layer, output, active, positive)
        if found is not None:
            return found
    matrix, slack = csr_matrix(layer.weight), identity(rows, format="csr")
    target = np.where(active, output, 0.0) - layer.bias
    upper = hstack([matrix, -slack])  # W x + b - y <= t, where y is 0 as well
    lower = hstack([-matrix[active], -slack[active]])  # y - W x - b <= t, where y is positive
    found = linprog(
        c=np.concatenate([np.zeros(size), np.ones(rows)]),
        A_ub=vstack([upper, lower], format="csr"),
        b_ub=np.concatenate([target, -target[active]]),
        bounds=[(0 if positive else None, None)] * size + [(0, None)] * rows,
        method="highs",
    )
    if found.x is None:
        raise ValueError(f"no linear program's solution for a layer of {rows}: {found.message}")
    return found.x[:size], float(found.fun)


def _by_equations(
    layer: AffineLayer, output: np.ndarray, active: np.ndarray, positive: bool
) -> tuple[np.ndarray, float] | None:
    """What solves the equations of the active rows, where it fits all the rest as well."""
    weight, target = layer.weight[active], (output - layer.bias)[active]
    found = np.linalg.lstsq(weight, target, rcond=None)[0]
    found = np.maximum(found, 0) if positive and found.min() > -SLIGHT else found
    missed = layer.weight @ found + layer.bias - np.where(active, output, 0)
    missed = np.where(active, np.abs(missed), np.maximum(missed, 0))
    fits = missed.max() <= SLIGHT * max(1.0, float(np.abs(output).max()))
    return (found, float(missed.sum())) if fits and (not positive or found.min() >= 0) else None


def undo_network(
    layers: Sequence[AffineLayer],
    output: np.ndarray,
    tolerance: float = 1e-6,
    on_layer: Callable[[int, float], None] | None = None,
) -> tuple[np.ndarray, list[float]]:
    """The input of a chain of layers, from the last back to the first, and each layer's slack."""
    slacks = []
    for index in range(len(layers) - 1, -1, -1):
        positive = index > 0 and layers[index - 1].relu
        output, slack = undo_layer(layers[index], output, positive, tolerance)
        slacks.append(slack)
        if on_layer is not None:
            on_layer(len(layers) - index, slack)
    return output, slacks


def by_programs(task: Task, options: ProgramOptions) -> Outcome:
    """Undo a generator of ReLU layers and a tanh (DCGAN, WGAN).

    Raises:
        ValueError: another kind of generator, or layers too large for a linear program.
    """
    parts = getattr(task.generator, "affine_stages", None)
    if parts is None:
        family = getattr(task.generator, "family", "this generator")
        raise ValueError(f"linear programs need a generator of ReLU layers (dcgan, wgan): {family}")
    layers = [_dense(part, shape, options) for part, shape in parts()]
    layers[-1] = AffineLayer(layers[-1].weight, layers[-1].bias, relu=False)
    picture = task.objective.target.cpu().double().clamp(-EDGE, EDGE).atanh()

    def told(index: int, slack: float) -> None:
        task.tell(index, len(layers), {"slack": slack})

    code, slacks = undo_network(layers, picture.flatten().numpy(), options.tolerance, told)
    z = torch.from_numpy(code).float().to(task.generator.device)
    return Outcome(Latent(z.view(1, 1, -1)), len(layers), told={"slack": sum(slacks)})


def _dense(
    part: Callable[[Tensor], Tensor], shape: tuple[int, ...], options: ProgramOptions
) -> AffineLayer:
    """The matrix of an affine function of `[B, *shape]`, found by probing."""
    size = int(np.prod(shape))
    if size > options.largest:
        raise ValueError(f"a layer of {size} inputs is too large for a linear program: {shape}")
    with torch.no_grad():
        bias = part(torch.zeros(1, *shape)).flatten()
        if bias.numel() > options.largest:
            raise ValueError(
                f"a layer of {bias.numel()} outputs is too large for a linear program "
                f"(largest={options.largest})"
            )
        columns = [part(p.view(-1, *shape)).flatten(1) for p in torch.eye(size).split(256)]
    weight = (torch.cat(columns) - bias).t()
    return AffineLayer(weight.double().numpy(), bias.double().numpy())
