"""Train the conditional flow (StyleFlow) on codes of renders in pairs, whose factors are exact.

python -m recipes.factors.train_flow --model MODEL --pairs renders --out OUT --minutes 5
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor

from guidance.methods.factor_moves import FILE_NAME as FACTORS
from guidance.methods.factor_moves import FactorMoves
from guidance.methods.flow import FILE_NAME, ConditionalFlow, FlowConfig, flow_loss, save_flow
from multimodal.types import Encoder, OnStep, Progress
from recipes.data import Faces
from recipes.factors.attributes import attribute_matrix
from recipes.loop import Run, RunConfig, start

SAME = 1.0
"""Weight of the distance between the noises of two renders of one head."""
RIDGE = 3.0
"""Of the regression that gives the flow's linear part."""
HELD = 0.1
"""Share of the heads that nothing is fitted to."""


@dataclass(frozen=True)
class Codes:
    """Two renders of each head: codes `[N, 2, L, D]` and factors `[N, 2, A]`."""

    w: Tensor
    factors: Tensor

    def split(self) -> tuple[Codes, Codes]:
        """Those to learn from, and the last tenth, to be judged by."""
        held = max(1, round(HELD * len(self.w)))
        return Codes(self.w[:-held], self.factors[:-held]), Codes(
            self.w[-held:], self.factors[-held:]
        )


@torch.no_grad()
def codes_of(
    faces: Faces, encoder: Encoder, batch: int = 8, on_step: OnStep | None = None
) -> Codes:
    """The encoder's codes of all renders in pairs, with their factors.

    Raises:
        ValueError: the renders are no pairs of the same head.
    """
    rows = faces.column("factors")
    if len(rows) < 4 or len(rows) % 2 or any(a["seed"] != b["seed"] for a, b in _pairs(rows)):
        raise ValueError(f"{faces.folder} does not hold renders in pairs (--vary pair)")
    parts = []
    for start_at in range(0, len(rows), batch):
        part = faces.batch(np.arange(start_at, min(start_at + batch, len(rows))))
        parts.append(encoder(part).cpu())
        if on_step is not None:
            on_step(Progress(len(parts), -(-len(rows) // batch), {}, "reading renders"))
    w = torch.cat(parts)
    factors = torch.from_numpy(attribute_matrix(rows))
    return Codes(w.view(-1, 2, *w.shape[1:]), factors.view(-1, 2, factors.shape[1]))


def new_flow(codes: Codes, weight: Tensor, seed: int = 0, **shape: int) -> ConditionalFlow:
    """An untrained flow whose linear part fits the codes: the known directions, and what a ridge
    regression finds beside them.

    Args:
        codes: to learn from.
        weight: the model's directions of factors, `[D, A]`.
        seed: of weights and splits.
        shape: other fields of `FlowConfig`.
    """
    w, factors = codes.w.mean(dim=2).flatten(0, 1), codes.factors.flatten(0, 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        flow = ConditionalFlow(FlowConfig(w.shape[1], factors.shape[1], seed=seed, **shape))
    # Differences within a pair are due to the factors alone: they count beside the codes.
    change, step = factors[1::2] - factors[0::2], w[1::2] - w[0::2]
    left = step - change @ weight.T
    gram = change.T @ change + RIDGE * torch.eye(change.shape[1])
    linear = weight + torch.linalg.solve(gram, change.T @ left).T
    rest = w - factors @ linear.T
    flow.linear.data.copy_(linear)
    flow.mean.copy_(rest.mean(dim=0))
    flow.std.copy_(rest.std(dim=0).clamp(min=1e-3))
    return flow


def train(
    run: Run, flow: ConditionalFlow, codes: Codes, batch: int = 64, rate: float = 5e-4
) -> None:
    """Train until the run's steps or minutes are used up; checkpoints and resumes by itself.

    Args:
        run: steps, clock, log.
        flow: what learns.
        codes: to learn from.
        batch: heads a step.
        rate: of learning, at first; it falls to a fiftieth.
    """
    fabric = run.fabric
    model, adam = fabric.setup(flow, torch.optim.AdamW(flow.parameters(), lr=rate))
    parts = {"flow": flow, "adam": adam}
    run.resume(parts)
    run.start_clock()
    for step in run.steps(parts, batch):
        source = torch.Generator().manual_seed(run.config.seed + 7919 * step)
        heads = torch.randint(len(codes.w), (batch,), generator=source)
        loss, same = losses(model, codes, heads, source, flow.std)
        for group in adam.param_groups:
            group["lr"] = rate * max(0.02, 1 - run.share_done())
        adam.zero_grad(set_to_none=True)
        fabric.backward(loss + SAME * same)
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
        adam.step()
        run.log({"likelihood": loss.detach(), "same": same.detach()})


def losses(
    flow: torch.nn.Module, codes: Codes, heads: Tensor, source: torch.Generator, std: Tensor
) -> tuple[Tensor, Tensor]:
    """The likelihood of some heads' codes, and how far the noises of their two renders lie apart.

    A code is the mean of a random span of rows, as edits move spans of rows, with a little noise:
    a few thousand codes do not fill 512 dimensions.
    """
    layers = codes.w.shape[2]
    first = int(torch.randint(layers, (1,), generator=source))
    last = int(torch.randint(first + 1, layers + 1, (1,), generator=source))
    whole = float(torch.rand(1, generator=source)) < 0.5
    w = codes.w[heads].mean(dim=2) if whole else codes.w[heads][:, :, first:last].mean(dim=2)
    w = (w + 0.2 * std.cpu() * torch.randn(w.shape, generator=source)).to(std)
    factors = codes.factors[heads].to(std)
    noise, volume = flow(w.flatten(0, 1), factors.flatten(0, 1))
    likely = (0.5 * noise.square().sum(dim=1) - volume).mean() / noise.shape[1]
    one, other = noise[0::2], noise[1::2]
    return likely, 0.5 * (one - other).square().mean()


@torch.no_grad()
def judged(flow: ConditionalFlow, held: Codes, weight: Tensor) -> dict[str, float]:
    """On heads that nothing was fitted to: the likelihood, and how much of the change between two
    renders is explained (1: all) by the flow, and by the directions alone."""
    w, factors = held.w.mean(dim=2), held.factors
    noise, _ = flow(w[:, 0], factors[:, 0])
    true = w[:, 1] - w[:, 0]
    made = flow.inverse(noise, factors[:, 1]) - w[:, 0]
    plain = (factors[:, 1] - factors[:, 0]) @ weight.T
    size = true.square().sum()
    return {
        "likelihood": float(flow_loss(flow, w.flatten(0, 1), factors.flatten(0, 1))),
        "explained": float(1 - (made - true).square().sum() / size),
        "explained_by_directions": float(1 - (plain - true).square().sum() / size),
    }


def _pairs(rows: list[dict[str, object]]) -> list[tuple[dict[str, object], dict[str, object]]]:
    return list(zip(rows[0::2], rows[1::2], strict=True))


def main(
    model: Annotated[Path, typer.Option(help="model folder, with encoder and factors")],
    pairs: Annotated[Path, typer.Option(help="renders in pairs (recipes.render --vary pair)")],
    out: Annotated[Path, typer.Option(help="folder of checkpoints and the result")],
    minutes: Annotated[float, typer.Option(help="time limit of the training")] = 5.0,
    steps: Annotated[int, typer.Option(help="optimiser steps in all")] = 6000,
    seed: int = 0,
) -> None:
    """Train the flow of a model folder."""
    from multimodal.editing.assemble import assemble

    parts = assemble(model, "cpu")
    if parts.encoder is None or parts.toolkit.folder is None:
        raise ValueError(f"model {str(model)!r} has no encoder of its own")
    weight = FactorMoves.load(Path(parts.toolkit.folder) / FACTORS).weight
    run = start(RunConfig(out, steps, minutes, seed))
    kept = out / "codes.pt"
    if not kept.is_file():
        found = codes_of(Faces(pairs, 256), parts.encoder)
        torch.save({"w": found.w, "factors": found.factors}, kept)
    learn, held = Codes(**torch.load(kept, weights_only=True)).split()
    flow = new_flow(learn, weight, seed)
    train(run, flow, learn)
    if run.fabric.is_global_zero:
        figures = judged(flow.cpu(), held, weight)
        run.log(dict(figures), force=True)
        save_flow(flow, out / FILE_NAME, {"heads": len(learn.w), "seed": seed, **figures})


if __name__ == "__main__":
    typer.run(main)
