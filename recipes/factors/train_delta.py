"""Train the delta network (DeltaEdit) on pairs of a generator's pictures, and on words for steps
whose meaning is known (`--no-words`: on pictures only, as published).

python -m recipes.factors.train_delta --model MODEL --out OUT --minutes 5
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
import typer
from torch import Tensor

from guidance.common import conv_indices, style_sizes
from guidance.controls.control import ATTRIBUTES_NAME, Attributes
from guidance.methods.delta import (
    FILE_NAME,
    DeltaConfig,
    DeltaNetwork,
    delta_loss,
    save_delta,
    step_pairs,
)
from multimodal.types import OnStep, Progress, Toolkit
from recipes.factors.delta_words import WordMoves, word_moves
from recipes.loop import Run, RunConfig, start

WORDED = 0.5
"""Share of the pairs whose change is told in words."""


@dataclass(frozen=True)
class StepPairs:
    """Faces and the same faces moved: S `[N, C]` and CLIP embeddings `[N, E]`, before and after."""

    styles: Tensor
    moved: Tensor
    seen: Tensor
    moved_seen: Tensor


def collect(
    toolkit: Toolkit, count: int, seed: int = 0, on_step: OnStep | None = None
) -> StepPairs:
    """Draw `count` pairs, sixteen at a time, along the model's named directions where it has
    some."""
    batch, parts = 16, []
    known = named_directions(toolkit)
    moves = torch.stack(list(known.values())) if known else None
    total = -(-count // batch)
    for step in range(total):
        parts.append(step_pairs(toolkit, batch, seed * 1_000_003 + step, moves=moves))
        if on_step is not None:
            on_step(Progress(step + 1, total, {}, "drawing pairs"))
    styles, moved, seen, moved_seen = (torch.cat(p)[:count] for p in zip(*parts, strict=True))
    return StepPairs(styles, moved, seen, moved_seen)


def named_directions(toolkit: Toolkit) -> dict[str, Tensor]:
    """The directions `[L, D]` of the model's folder by name; none where it has none."""
    known = None if toolkit.folder is None else Path(toolkit.folder) / ATTRIBUTES_NAME
    return dict(Attributes.load(known).directions) if known and known.is_file() else {}


def new_delta(toolkit: Toolkit, pairs: StepPairs, seed: int = 0) -> DeltaNetwork:
    """An untrained network that knows mean and deviation of the style channels."""
    sizes = style_sizes(toolkit.generator)
    convs = tuple(sizes[i] for i in conv_indices(len(sizes)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = DeltaNetwork(DeltaConfig(toolkit.clip.dim, convs))
    network.mean.copy_(pairs.styles.mean(0))
    network.std.copy_(pairs.styles.std(0).clamp_min(1e-3))
    return network


def train(
    run: Run,
    network: DeltaNetwork,
    pairs: StepPairs,
    words: WordMoves | None = None,
    batch: int = 64,
) -> None:
    """Train until the run's steps or minutes are used up; checkpoints and resumes by itself.

    Args:
        run: steps, clock, log.
        network: what learns.
        pairs: of pictures.
        words: where given, `WORDED` of a batch are steps named by words instead.
        batch: pairs a step.
    """
    fabric = run.fabric
    model, adam = fabric.setup(
        network, torch.optim.AdamW(network.parameters(), lr=5e-4, betas=(0.5, 0.9))
    )
    parts = {"network": network, "adam": adam}
    run.resume(parts)
    run.start_clock()
    for step in run.steps(parts, batch):
        source = torch.Generator().manual_seed(run.config.seed + 7919 * step)
        rows = torch.randint(len(pairs.styles), (batch,), generator=source)
        sign = torch.rand(batch, 1, generator=source) < 0.5  # every pair in both directions
        before, after = _either(pairs.styles[rows], pairs.moved[rows], sign)
        seen, moved_seen = _either(pairs.seen[rows], pairs.moved_seen[rows], sign)
        change, step_taken = F.normalize(moved_seen - seen, dim=-1), after - before
        if words is not None:
            told = round(batch * WORDED)
            change[:told], step_taken[:told] = words.draw(told, source)
        # Changes between texts are never quite those between pictures: noise makes it robust.
        change = F.normalize(
            change + 0.5 * torch.randn(change.shape, generator=source) / change.shape[1] ** 0.5, -1
        )
        tensors = [t.to(fabric.device) for t in (before, seen, change, step_taken)]
        predicted = model(*tensors[:3])
        loss = delta_loss(predicted, tensors[3] / network.std)
        adam.zero_grad(set_to_none=True)
        fabric.backward(loss)
        adam.step()
        run.log({"loss": loss.detach()})


def _either(first: Tensor, second: Tensor, swap: Tensor) -> tuple[Tensor, Tensor]:
    return torch.where(swap, second, first), torch.where(swap, first, second)


@torch.no_grad()
def calibrate(network: DeltaNetwork, pairs: StepPairs, words: WordMoves | None = None) -> float:
    """Set and return the network's gain: what makes its changes as long as the true ones were, of
    those that words name where there are such."""
    rows = slice(0, min(512, len(pairs.styles)))
    count = len(pairs.styles[rows])
    change = F.normalize(pairs.moved_seen[rows] - pairs.seen[rows], dim=-1)
    steps = pairs.moved[rows] - pairs.styles[rows]
    if words is not None:
        change, steps = words.draw(count, torch.Generator().manual_seed(0))
    device = network.gain.device
    made = network(pairs.styles[rows].to(device), pairs.seen[rows].to(device), change.to(device))
    true = steps.to(device) / network.std
    gain = float(true.norm(dim=1).mean() / made.norm(dim=1).mean().clamp_min(1e-6))
    network.gain.fill_(gain)
    return gain


def main(
    model: Annotated[Path, typer.Option(help="bundle folder: generator and CLIP")],
    out: Annotated[Path, typer.Option(help="folder of checkpoints and the result")],
    minutes: Annotated[float, typer.Option(help="time limit of the training")] = 5.0,
    steps: Annotated[int, typer.Option(help="optimiser steps in all")] = 4000,
    pairs: Annotated[int, typer.Option(help="picture pairs")] = 6000,
    words: Annotated[bool, typer.Option(help="learn from words for the directions too")] = True,
    seed: int = 0,
) -> None:
    """Train the delta network of a model folder."""
    from recipes.factors.directions import load_parts

    toolkit = load_parts(model)
    run = start(RunConfig(out, steps, minutes, seed))
    found = collect(toolkit, pairs, seed)
    network = new_delta(toolkit, found, seed)
    moves = word_moves(toolkit, named_directions(toolkit)) if words else None
    train(run, network, found, moves)
    calibrate(network, found, moves)
    if run.fabric.is_global_zero:
        save_delta(network, out / FILE_NAME, {"pairs": pairs, "images": run.images, "seed": seed})


if __name__ == "__main__":
    typer.run(main)
