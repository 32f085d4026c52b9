"""Fit CLIP's text projection again to a trained image tower: minutes, and no picture is seen twice.

    python -m recipes.clip.refine_text --clip runs/clip/clip --data RENDERS --heldout RENDERS \
        --out OUT

The image tower takes hours and hears one prompt a class a step; the projection of sentences is
small. With the pictures' vectors kept, it can be shown every wording of every class many times:
each must lie nearest to the mean picture of its class. Captions keep it from forgetting how
classes add up. A first fit leaves out some wordings in `SPARED`, and says how well such are
understood; the fit that is kept learns from all of them.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor, nn

from guidance.clip import OpenClip, load_clip, save_clip
from recipes.clip.clip_truth import truth_matrix
from recipes.clip.train_clip import Renders, contrastive_loss, jittered
from recipes.loop import Run, RunConfig, start
from recipes.words.clip_words import class_wordings

SPARED = 6
"""Every so many wordings of a class, one is left out of the first fit."""
DRAWN = 3
"""Sentences of every class a step."""
WORDS = 4.0
"""Weight of the wordings against the captions."""

Wording = Tensor
"""The forms of one wording, pooled: `[F, 384]`."""


@dataclass(frozen=True)
class Wordings:
    """Pooled sentences of every class of one attribute, and its mean pictures.

    Args:
        attribute: its name.
        pictures: mean vector of the pictures of every class, `[C, E]`.
        classes: the wordings of each.
    """

    attribute: str
    pictures: Tensor
    classes: tuple[tuple[Wording, ...], ...]

    def part(self, spared: bool) -> Wordings:
        """With the wordings that are set aside, or the others; all in classes with very few."""
        kept = (
            tuple(w for i, w in enumerate(ws) if (i % SPARED == SPARED - 1) == spared) or ws
            for ws in self.classes
        )
        return replace(self, classes=tuple(kept))


def read_wordings(clip: OpenClip, seen: Tensor, known: list[dict[str, str]]) -> list[Wordings]:
    """All wordings of all attributes of which pictures show two classes or more.

    Args:
        clip: reads the sentences.
        seen: unit vectors of pictures, `[N, E]`.
        known: the classes that each picture shows.
    """
    out = []
    for attribute, wordings in class_wordings().items():
        shows = [k.get(attribute) for k in known]
        rows = {c: [i for i, shown in enumerate(shows) if shown == c] for c in wordings}
        rows = {c: found for c, found in rows.items() if found}
        if len(rows) < 2:
            continue
        pictures = torch.stack([seen[found].mean(dim=0) for found in rows.values()])
        out.append(Wordings(attribute, pictures, tuple(_pooled(clip, wordings[c]) for c in rows)))
    return out


def _pooled(clip: OpenClip, wordings: tuple[tuple[str, ...], ...]) -> tuple[Wording, ...]:
    texts = [text for forms in wordings for text in forms]
    parts = [clip.pooled(texts[i : i + 128]).float().cpu() for i in range(0, len(texts), 128)]
    return torch.cat(parts).split([len(forms) for forms in wordings])


@torch.no_grad()
def see(clip: OpenClip, renders: Renders, batch: int = 64) -> Tensor:
    """Unit vectors of all pictures, `[N, E]`."""
    parts = [
        clip.encode_image(renders.images(np.arange(i, min(i + batch, len(renders)))))
        for i in range(0, len(renders), batch)
    ]
    return torch.cat(parts).float().cpu()


def drawn(wordings: tuple[Wording, ...], source: torch.Generator) -> Tensor:
    """Forms of `DRAWN` random wordings, stacked."""
    forms = [wordings[_random(len(wordings), source)] for _ in range(DRAWN)]
    return torch.stack([form[_random(len(form), source)] for form in forms])


def _random(below: int, source: torch.Generator) -> int:
    return int(torch.randint(below, (1,), generator=source))


def wording_loss(
    proj: nn.Module,
    wordings: list[Wordings],
    scale: float,
    source: torch.Generator,
) -> Tensor:
    """Mean cross entropy of drawn sentences among the mean pictures of their attribute."""
    sentences = [drawn(forms, source) for words in wordings for forms in words.classes]
    said = F.normalize(proj(jittered(torch.cat(sentences), source)), dim=-1)
    losses, first = [], 0
    for words in wordings:
        target = torch.arange(len(words.classes)).repeat_interleave(DRAWN)
        mine = said[first : first + len(target)]
        first += len(target)
        losses.append(F.cross_entropy(scale * mine @ words.pictures.T, target))
    return torch.stack(losses).mean()


def caption_loss(
    proj: nn.Module, seen: Tensor, renders: Renders, scale: float, source: torch.Generator
) -> Tensor:
    """InfoNCE of pictures and their captions, 96 of `seen [N, E]`."""
    few = torch.randint(len(seen), (96,), generator=source)
    captions = [renders.captions[int(i)] for i in few]
    truth = truth_matrix([renders.known[int(i)] for i in few], captions)
    said = F.normalize(proj(jittered(renders.sentences[few], source)), dim=-1)
    return contrastive_loss(seen[few], said, truth, torch.tensor(scale))


@torch.no_grad()
def understood(proj: nn.Module, wordings: list[Wordings]) -> float:
    """Share of the wordings set aside that lie nearest to their class's pictures: the mean over
    classes, then over attributes."""
    found = []
    for words in wordings:
        shares = []
        for index, aside in enumerate(words.part(spared=True).classes):
            said = F.normalize(proj(torch.cat(aside)), dim=-1)
            nearest = (said @ words.pictures.T).argmax(dim=1)
            shares.append(float((nearest == index).float().mean()))
        found.append(sum(shares) / len(shares))
    return sum(found) / max(len(found), 1)


def fit(
    run: Run,
    proj: nn.Module,
    seen: Tensor,
    renders: Renders,
    wordings: list[Wordings],
    scale: float,
    lr: float,
) -> None:
    """Fit the projection in place to the run's steps."""
    adam = torch.optim.AdamW(proj.parameters(), lr, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, lr, total_steps=run.config.steps + 1)
    for step in range(run.config.steps):
        source = torch.Generator().manual_seed(run.config.seed * 1_000_003 + step)
        losses = {
            "captions": caption_loss(proj, seen, renders, scale, source),
            "wordings": WORDS * wording_loss(proj, wordings, scale, source),
        }
        adam.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        adam.step()
        schedule.step()
        run.step = step
        run.log({name: loss.detach() for name, loss in losses.items()})


def refine(run: Run, clip: OpenClip, renders: Renders, lr: float = 1e-3) -> dict[str, float]:
    """Fit the projection of a CLIP in place; where a fit without the spared wordings understands
    fewer of them than before, the projection stays as it is.

    Returns:
        the share of spared wordings understood before, and after.
    """
    model: Any = clip.model
    renders.read(clip, run.config.out / "captions.pt")
    seen, scale = see(clip, renders), float(model.logit_scale.exp())
    wordings = read_wordings(clip, seen, renders.known)
    proj = copy.deepcopy(model.text.proj).float().train().requires_grad_(True)
    found = {"spared_before": understood(proj, wordings)}
    run.start_clock()
    trial = copy.deepcopy(proj)
    fit(run, trial, seen, renders, [w.part(spared=False) for w in wordings], scale, lr)
    found["spared_after"] = understood(trial, wordings)
    if found["spared_after"] < found["spared_before"]:
        return {**found, "spared_after": found["spared_before"]}
    fit(run, proj, seen, renders, wordings, scale, lr)
    model.text.proj.load_state_dict(proj.state_dict())
    return found


def main(
    clip: Annotated[Path, typer.Option(help="a trained CLIP's folder")],
    data: Annotated[list[Path], typer.Option(help="renders to fit on; may be given again")],
    out: Annotated[Path, typer.Option(help="folder of the log and the finished CLIP")],
    heldout: Annotated[Path | None, typer.Option(help="renders to judge on")] = None,
    steps: Annotated[int, typer.Option(help="steps of the fit")] = 800,
    seed: int = 0,
) -> None:
    """Fit the text projection, write the CLIP and judge it."""
    from recipes.evaluate.evaluate_clip import evaluate, report

    run = start(RunConfig(out, steps, seed=seed), accelerator="cpu")
    trained = load_clip(clip, "cpu")
    found = refine(run, trained, Renders(data, trained.image_size))
    run.log({**found}, force=True)
    save_clip(trained, out / "clip")
    if heldout is not None:
        report(evaluate(trained, heldout), out / "clip.json")


if __name__ == "__main__":
    typer.run(main)
