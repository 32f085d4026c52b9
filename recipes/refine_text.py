"""Fit CLIP's text projection again to a trained image tower: minutes, and no picture is seen twice.

    python -m recipes.refine_text --clip runs/clip/clip --data RENDERS --heldout RENDERS --out OUT

The image tower takes hours and hears one prompt a class a step; the projection of sentences is
small. With the pictures' vectors kept, it can be shown every wording of every class many times. One
wording in `SPARED` is set aside to say when further fitting stops helping words it never saw.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor, nn

from guidance.clip import OpenClip, load_clip, save_clip
from recipes.clip_truth import class_prompts, truth_matrix
from recipes.loop import Run, RunConfig, start
from recipes.train_clip import Renders, contrastive_loss, jittered

SPARED = 6
"""Every so many wordings of a class, one is never learned from."""


@dataclass(frozen=True)
class Wordings:
    """Pooled sentences of every class of one attribute.

    Args:
        attribute: its name.
        classes: their names.
        learned: sentences `[P, 384]` of each class.
        spared: those set aside, of each class.
    """

    attribute: str
    classes: tuple[str, ...]
    learned: tuple[Tensor, ...]
    spared: tuple[Tensor, ...]


def read_wordings(clip: OpenClip) -> list[Wordings]:
    """All wordings of all attributes with two classes or more."""
    out = []
    for attribute, classes in class_prompts().items():
        if len(classes) < 2:
            continue
        learned, spared = [], []
        for texts in classes.values():
            pooled = clip.pooled(list(dict.fromkeys(texts))).float().cpu()
            aside = torch.arange(len(pooled)) % SPARED == SPARED - 1
            learned.append(pooled[~aside])
            spared.append(pooled[aside])
        out.append(Wordings(attribute, tuple(classes), tuple(learned), tuple(spared)))
    return out


@torch.no_grad()
def see(clip: OpenClip, renders: Renders, batch: int = 64) -> Tensor:
    """Unit vectors of all pictures, `[N, E]`."""
    parts = [
        clip.encode_image(renders.images(np.arange(i, min(i + batch, len(renders)))))
        for i in range(0, len(renders), batch)
    ]
    return torch.cat(parts).float().cpu()


def class_indices(renders: Renders, wordings: list[Wordings]) -> Tensor:
    """Class of every picture in every attribute `[N, attributes]`, -1 where it shows none."""
    index = [{c: i for i, c in enumerate(w.classes)} for w in wordings]
    rows = [
        [of.get(known.get(w.attribute, ""), -1) for of, w in zip(index, wordings, strict=True)]
        for known in renders.known
    ]
    return torch.tensor(rows)


def drawn(pools: tuple[Tensor, ...], source: torch.Generator) -> Tensor:
    """One sentence of each pool, stacked."""
    return torch.stack([p[int(torch.randint(len(p), (1,), generator=source))] for p in pools])


def prompt_loss(
    proj: nn.Module,
    seen: Tensor,
    known: Tensor,
    wordings: list[Wordings],
    scale: float,
    source: torch.Generator,
) -> Tensor:
    """Mean cross entropy of pictures `[B, E]` among one jittered wording of every class."""
    losses = []
    for column, words in enumerate(wordings):
        sentences = jittered(drawn(words.learned, source), source)
        said = F.normalize(proj(sentences), dim=-1)
        target = known[:, column]
        if bool((target >= 0).any()):
            losses.append(F.cross_entropy(scale * seen @ said.T, target, ignore_index=-1))
    return torch.stack(losses).mean()


@torch.no_grad()
def spared_accuracy(
    proj: nn.Module, seen: Tensor, known: Tensor, wordings: list[Wordings], draws: int = 12
) -> float:
    """Mean accuracy over the attributes by wordings that were set aside, drawn at random."""
    source, found = torch.Generator().manual_seed(0), []
    for column, words in enumerate(wordings):
        pools = tuple(s if len(s) else k for s, k in zip(words.spared, words.learned, strict=True))
        shown = known[:, column] >= 0
        for _ in range(draws if bool(shown.any()) else 0):
            said = F.normalize(proj(drawn(pools, source)), dim=-1)
            hits = (seen[shown] @ said.T).argmax(dim=1) == known[shown, column]
            found.append(float(hits.float().mean()))
    return sum(found) / max(len(found), 1)


def refine(
    run: Run, clip: OpenClip, renders: Renders, batch: int = 256, lr: float = 1e-3
) -> dict[str, float]:
    """Fit the projection in place; the state that reads spared wordings best is kept.

    Returns:
        accuracy by spared wordings before and after.
    """
    model: Any = clip.model
    proj = copy.deepcopy(model.text.proj).float().train().requires_grad_(True)
    renders.read(clip, run.config.out / "captions.pt")
    wordings, seen = read_wordings(clip), see(clip, renders)
    known, scale = class_indices(renders, wordings), float(model.logit_scale.exp())
    probe = torch.randperm(len(seen), generator=torch.Generator().manual_seed(0))[:2000]
    first = best = spared_accuracy(proj, seen[probe], known[probe], wordings)
    kept = copy.deepcopy(proj.state_dict())
    adam = torch.optim.AdamW(proj.parameters(), lr, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, lr, total_steps=run.config.steps + 1)
    run.start_clock()
    for step in range(run.config.steps):
        source = torch.Generator().manual_seed(run.config.seed * 1_000_003 + step)
        rows = torch.randint(len(seen), (batch,), generator=source)
        few = rows[:64]
        captions = [renders.captions[int(i)] for i in few]
        truth = truth_matrix([renders.known[int(i)] for i in few], captions)
        said = F.normalize(proj(jittered(renders.sentences[few], source)), dim=-1)
        losses = {
            "contrastive": contrastive_loss(seen[few], said, truth, torch.tensor(scale)),
            "prompts": 4 * prompt_loss(proj, seen[rows], known[rows], wordings, scale, source),
        }
        adam.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        adam.step()
        schedule.step()
        run.step, run.images = step, run.images + batch
        run.log({k: v.detach() for k, v in losses.items()})
        if step % 100 == 99 or step == run.config.steps - 1:
            found = spared_accuracy(proj, seen[probe], known[probe], wordings)
            run.log({"spared": found}, force=True)
            if found > best:
                best, kept = found, copy.deepcopy(proj.state_dict())
    model.text.proj.load_state_dict(kept)
    return {"spared_before": first, "spared_after": best}


def main(
    clip: Annotated[Path, typer.Option(help="a trained CLIP's folder")],
    data: Annotated[list[Path], typer.Option(help="renders to fit on; may be given again")],
    out: Annotated[Path, typer.Option(help="folder of the log and the finished CLIP")],
    heldout: Annotated[Path | None, typer.Option(help="renders to judge on")] = None,
    steps: Annotated[int, typer.Option(help="steps of the fit")] = 1500,
    seed: int = 0,
) -> None:
    """Fit the text projection, write the CLIP and judge it."""
    from recipes.evaluate_clip import evaluate, report

    run = start(RunConfig(out, steps, seed=seed), accelerator="cpu")
    trained = load_clip(clip, "cpu")
    found = refine(run, trained, Renders(data, trained.image_size))
    run.log({**found}, force=True)
    save_clip(trained, out / "clip")
    if heldout is not None:
        report(evaluate(trained, heldout), out / "clip.json")


if __name__ == "__main__":
    typer.run(main)
