"""What the judge and the identity network say of perfect edits, as a yardstick for real ones.

    python -m recipes.evaluate.evaluate_perfect --judge \
        multimodal/bundle/default/judge.safetensors --heads 12 --out runs/perfect.json

The renderer draws held-out heads twice: as they are, and with just those factors changed that a
prompt asks for. Nothing else differs, so no editor can be asked to do better. An old face is not
recognised as its younger self by a network that was trained on photos, and hardly anybody behind
glasses; what identity an edit can keep is read here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor

from apps.evaluation.measures.goals import PROMPTS, Wish, flipped
from guidance.controls.control import IDENTITY_FLOOR
from multimodal.files.weights import atomic
from multimodal.recognition.dlib_resnet import load_dlib_face
from multimodal.recognition.judge import Judge, load_judge
from multimodal.types import ImageEmbedder
from recipes.factors.classes import CLASSES
from recipes.render.factors import Factors, sample_factors
from recipes.render.scene import render

Row = dict[str, Any]
UNDONE: dict[tuple[str, str], dict[str, Any]] = {
    ("beard", "none"): {"beard_style": "none", "beard_amount": 0.0},
    ("bald", "yes"): {"hair_style": "bald"},
}
"""Changes that `CLASSES` does not spell out: it begins with a plain face."""


def changed(head: Factors, wish: Wish) -> Factors:
    """The head as a prompt wants it, by the first class that it names; beards go from women and
    children, as everywhere in the renderer."""
    goal = wish.goals[0]
    key = (goal.attribute, goal.classes[0])
    change = UNDONE[key] if key in UNDONE else CLASSES[key][1]
    new = replace(head, **change)
    if new.sex <= 0.5 or new.age < 18:
        return replace(new, **UNDONE["beard", "none"])
    return new


def picture(head: Factors, resolution: int) -> Tensor:
    """A rendered head, `[1, 3, R, R]` in [-1, 1]."""
    pixels = torch.from_numpy(np.ascontiguousarray(render(head, resolution).image))
    return pixels.permute(2, 0, 1)[None].float() / 127.5 - 1


@torch.no_grad()
def edits(
    head: Factors, judge: Judge, identity: ImageEmbedder, resolution: int, wishes: Sequence[Wish]
) -> Iterator[Row]:
    """A row for every prompt that asks something new of a head."""
    before = picture(head, resolution)
    known, reading = identity(before), judge.read(before)
    for wish in wishes:
        if not wish.applies(judge.config, reading):
            continue
        after = picture(changed(head, wish), resolution)
        seen, alike = judge.read(after), float((identity(after) * known).sum())
        success = wish.fulfilled(judge.config, seen)
        yield {
            "prompt": wish.text,
            "success": success,
            "identity": alike,
            "kept": alike >= IDENTITY_FLOOR,
            "good": success and alike >= IDENTITY_FLOOR,
            "flipped": len(flipped(judge.config, reading, seen, wish.related)),
        }


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Means over edits, and how many there were."""
    names = [name for name in rows[0] if name != "prompt"]
    return {"n": len(rows)} | {n: float(np.mean([row[n] for row in rows])) for n in names}


def main(
    judge: Annotated[Path, typer.Option(help="file of the judge")],
    out: Annotated[Path, typer.Option(help="file of the figures")],
    heads: Annotated[int, typer.Option(min=1, help="held-out heads")] = 12,
    resolution: Annotated[int, typer.Option(help="side of the renders")] = 256,
    seed: Annotated[int, typer.Option(help="of the first head")] = 0,
) -> None:
    """Write means over all edits, and by prompt."""
    reading, identity = load_judge(judge), load_dlib_face()
    rows = [
        row
        for number in range(heads)
        for row in edits(
            sample_factors(seed + number, "heldout"), reading, identity, resolution, PROMPTS
        )
    ]
    texts = [wish.text for wish in PROMPTS if any(row["prompt"] == wish.text for row in rows)]
    by_prompt = {text: means([row for row in rows if row["prompt"] == text]) for text in texts}
    with atomic(out) as part:
        part.write_text(json.dumps({"all": means(rows), "by_prompt": by_prompt}, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
