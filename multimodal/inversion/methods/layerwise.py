"""Inversion layer by layer (Bau et al. 2019, "Seeing What a GAN Cannot Generate", section 3.2).

The generator is cut into layers `r_i = g_i(r_{i-1})`. A small net inverts each of them on the
generator's own samples (equation 3: left inverse 1, right inverse 0.01); the chain of nets is
fine-tuned as one encoder (equation 4); its code is then descended from, together with a change of
the features of one layer that is kept small (equations 6-8). What differs: the nets are trained for
each call, shorter than the paper's; and the code alone is returned, the picture with the layer's
change is only measured (`mse_with_layer`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.inversion.options import PICTURE, Weights, check_bounds
from multimodal.inversion.task import Outcome, Task
from multimodal.types import Latent

RIGHT = 0.01
"""Weight of the right inverse."""
Layer = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class LayerOptions:
    """Layer by layer.

    Args:
        layer_steps: of Adam on each net.
        joint_steps: of Adam on all of them.
        steps: of Adam on the code and a layer's features.
        batch: samples a step.
        hidden: channels inside a net.
        lr: of the nets.
        code_lr: of the code.
        layer: whose features may change, from the code on; None takes the middle one.
        small: weight of that change's mean square.
        weights: of the loss.
    """

    layer_steps: int = 200
    joint_steps: int = 200
    steps: int = 100
    batch: int = 8
    hidden: int = 64
    lr: float = 1e-3
    code_lr: float = 0.03
    layer: int | None = None
    small: float = 1.0
    weights: Weights = PICTURE

    def __post_init__(self) -> None:
        check_bounds(
            layer_steps=(self.layer_steps, 1, 100_000),
            joint_steps=(self.joint_steps, 0, 100_000),
            steps=(self.steps, 0, 100_000),
            batch=(self.batch, 1, 1024),
            hidden=(self.hidden, 1, 4096),
            lr=(self.lr, 1e-8, 1),
            code_lr=(self.code_lr, 1e-8, 10),
            small=(self.small, 0, 1e6),
        )


def layer_by_layer(task: Task, options: LayerOptions) -> Outcome:
    """Invert by the nets of all layers, then descend.

    Raises:
        ValueError: a family that cannot be taken apart, or a layer it does not have.
    """
    layers = stages_of(task)
    middle = len(layers) // 2 if options.layer is None else options.layer
    if not 1 <= middle < len(layers):
        raise ValueError(f"layer {middle} is not in 1..{len(layers) - 1}")
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(task.seed)
        nets = train(task, layers, options)
    with torch.no_grad():
        code = run(nets[::-1], task.objective.target)
    best, errors = _descend(task, layers, options, code, middle)
    trained = len(layers) * options.layer_steps + options.joint_steps
    return Outcome(Latent(best), trained + options.steps, told=errors)


def stages_of(task: Task) -> list[Layer]:
    """The generator's layers; `ValueError` where it cannot be taken apart."""
    stages = getattr(task.generator, "stages", None)
    if stages is None:
        family = getattr(task.generator, "family", "this generator")
        raise ValueError(f"{family} cannot be taken apart layer by layer: its layers share w")
    found: list[Layer] = stages()
    return found


def run(layers: Sequence[Layer], x: Tensor) -> Tensor:
    """`x` through all layers in turn."""
    return reduce(lambda value, layer: layer(value), layers, x)


def train(task: Task, layers: list[Layer], options: LayerOptions) -> list[nn.Module]:
    """A net that inverts each layer, then all together."""
    total = len(layers) * options.layer_steps + options.joint_steps
    with torch.no_grad():
        shapes = _features(task, layers, 1, 0)
    nets = [
        inverter(shapes[i], shapes[i + 1], options.hidden).to(task.generator.device)
        for i in range(len(layers))
    ]
    done = 0
    for i, (layer, net) in enumerate(zip(layers, nets, strict=True)):
        optimizer = torch.optim.Adam(net.parameters(), lr=options.lr)
        for step in range(options.layer_steps):
            with torch.no_grad():
                drawn = _features(task, layers[: i + 1], options.batch, step)
            before, after = drawn[i], drawn[i + 1]
            guessed = net(after)
            loss = F.l1_loss(guessed, before) + RIGHT * F.l1_loss(layer(guessed), after)
            done = _advance(task, optimizer, loss, done, total, f"layer {i + 1}")
    together = [parameter for net in nets for parameter in net.parameters()]
    optimizer = torch.optim.Adam(together, lr=options.lr)
    for step in range(options.joint_steps):
        with torch.no_grad():
            drawn = _features(task, layers, options.batch, options.layer_steps + step)
        guessed = run(nets[::-1], drawn[-1])
        loss = F.l1_loss(guessed, drawn[0]) + RIGHT * F.l1_loss(run(layers, guessed), drawn[-1])
        done = _advance(task, optimizer, loss, done, total, "all layers")
    return [net.eval().requires_grad_(False) for net in nets]


def inverter(before: Tensor, after: Tensor, hidden: int) -> nn.Module:
    """A small net from a layer's output to its input, for samples of both."""
    if before.ndim == 3:  # the code itself
        size, count = after[0].numel(), before.shape[2]
        inner = nn.Linear(size, 4 * hidden)
        return nn.Sequential(
            nn.Flatten(), inner, nn.LeakyReLU(0.2), nn.Linear(4 * hidden, count),
            nn.Unflatten(1, (1, count)),
        )  # fmt: skip
    stride = after.shape[-1] // before.shape[-1]
    return nn.Sequential(
        nn.Conv2d(after.shape[1], hidden, 3, stride=stride, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(hidden, before.shape[1], 3, padding=1),
    )


def _features(task: Task, layers: Sequence[Layer], count: int, step: int) -> list[Tensor]:
    """The code and every layer's output for random codes."""
    found = [task.generator.sample(count, task.seed + 1 + step, 1.0).w]
    for layer in layers:
        found.append(layer(found[-1]))
    return found


def _advance(
    task: Task, optimizer: torch.optim.Optimizer, loss: Tensor, done: int, total: int, what: str
) -> int:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    task.tell(done + 1, total, {what: float(loss.detach())})
    return done + 1


def _descend(
    task: Task, layers: list[Layer], options: LayerOptions, code: Tensor, middle: int
) -> tuple[Tensor, dict[str, float]]:
    """Refine the code and the features after `middle` layers; returns the best code."""
    code = code.detach().clone().requires_grad_(True)
    with torch.no_grad():
        change = torch.zeros_like(run(layers[:middle], code)).requires_grad_(True)
        figures = {"mse_of_nets": float(task.objective.mse(run(layers, code)))}
    optimizer = torch.optim.Adam([code, change], lr=options.code_lr)
    best, lowest, nearest = code.detach().clone(), float("inf"), float("inf")
    for step in range(options.steps):
        with torch.enable_grad():
            alone = run(layers, code)
            moved = run(layers[middle:], run(layers[:middle], code) + change)
            terms = [*task.objective(alone).values(), *task.objective(moved).values()]
            total = torch.stack(terms).sum() + options.small * change.square().mean()
            gradients = torch.autograd.grad(total, (code, change))
        own = float(task.objective.mse(alone.detach()))
        nearest = min(nearest, float(task.objective.mse(moved.detach())))
        if own < lowest:
            best, lowest = code.detach().clone(), own
        code.grad, change.grad = gradients
        optimizer.step()
        task.tell(step + 1, options.steps, {"mse": own})
    if options.steps:
        figures["mse_with_layer"] = nearest
    return best, figures
