"""Judge a CLIP on held-out renders: zero-shot classes by held-out wordings, caption retrieval."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor

from multimodal.types import ClipModel
from recipes.clip.clip_truth import facts
from recipes.data import Faces
from recipes.render.factors import Factors
from recipes.render.words.captions import captions, zero_shot_prompts

ONE_VERSUS_REST = {
    "bald": ("hair_style", "bald"),
    "smile": ("expression", "smile"),
    "angry": ("expression", "angry"),
    "surprised": ("expression", "surprised"),
}


@torch.no_grad()
def embed_images(clip: ClipModel, images: Tensor, batch: int = 64) -> Tensor:
    """Unit vectors `[N, E]` of pictures `[N, 3, R, R]`."""
    return torch.cat([clip.encode_image(part).cpu() for part in images.split(batch)])


def evaluate(clip: ClipModel, heldout: Path, limit: int = 1000) -> dict[str, float]:
    """Balanced accuracies and retrieval on held-out renders.

    `sex`, `age`, ... are the mean over classes of the share classified right by the class's prompts
    (`_heldout`: wordings never trained on; `_train`: known ones). `r@1` is how often a caption
    with held-out wordings finds its picture among 100, `r@1_true` any picture it fully describes.
    """
    faces = Faces(heldout)
    count = min(limit, len(faces))
    seen = embed_images(clip, faces.batch(np.arange(count)))
    factors = [Factors.from_dict(row) for row in faces.column("factors")[:count]]
    known = [facts(f) for f in factors]
    scores: dict[str, float] = {"pictures": float(count)}
    for attribute, classes in zero_shot_prompts().items():
        for split in ("train", "heldout"):
            prompts = {c: getattr(p, split) for c, p in classes.items()}
            prompts = {c: p for c, p in prompts.items() if p}
            if len(prompts) > 1:
                found = zero_shot(clip, seen, prompts)
                scores |= _accuracies(attribute, split, found, list(prompts), known)
    return scores | _retrieval(clip, seen, factors)


@torch.no_grad()
def zero_shot(clip: ClipModel, seen: Tensor, prompts: Mapping[str, tuple[str, ...]]) -> Tensor:
    """Index of the nearest class `[N]` of pictures' unit vectors."""
    means = [F.normalize(clip.encode_text(texts).mean(0), dim=0) for texts in prompts.values()]
    return (seen @ torch.stack(means).cpu().T).argmax(dim=1)


def _accuracies(
    attribute: str, split: str, found: Tensor, classes: list[str], known: list[dict[str, str]]
) -> dict[str, float]:
    truth = [k.get(attribute) for k in known]
    rows = [i for i, t in enumerate(truth) if t in classes]
    right: dict[str, list[bool]] = {c: [] for c in classes}
    for i in rows:
        right[str(truth[i])].append(classes[int(found[i])] == truth[i])
    shares = [float(np.mean(r)) for r in right.values() if r]
    out = {f"{attribute}_{split}": float(np.mean(shares))} if shares else {}
    out[f"{attribute}_{split}_plain"] = float(np.mean([x for r in right.values() for x in r]))
    for name, (owner, value) in ONE_VERSUS_REST.items():
        if owner == attribute and value in classes:
            said = [classes[int(found[i])] == value for i in rows]
            true = [truth[i] == value for i in rows]
            out[f"{name}_{split}"] = _balanced(said, true)
    return out


def _balanced(said: list[bool], true: list[bool]) -> float:
    a, b = np.asarray(said), np.asarray(true)
    parts = [float((a[b == v] == v).mean()) for v in (True, False) if (b == v).any()]
    return float(np.mean(parts))


def _retrieval(clip: ClipModel, seen: Tensor, factors: list[Factors]) -> dict[str, float]:
    texts = [max(captions(f, 8, f.seed, "heldout"), key=len) for f in factors]
    said = torch.cat(
        [clip.encode_text(texts[i : i + 128]).cpu() for i in range(0, len(texts), 128)]
    )
    hits = []
    for first in range(0, len(texts) - 99, 100):
        rows = slice(first, first + 100)
        best = (said[rows] @ seen[rows].T).argmax(dim=1)
        hits.append((best == torch.arange(100)).float().mean())
    return {"r@1": float(torch.stack(hits).mean())} if hits else {}


def report(scores: Mapping[str, float], path: Path) -> None:
    """Write the figures as JSON, and show them."""
    from rich import print_json

    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(dict(scores), indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, path)
    print_json(data=dict(scores))


def main(
    clip: Annotated[Path, typer.Option(help="CLIP folder")],
    heldout: Annotated[Path, typer.Option(help="held-out renders")],
    out: Annotated[Path, typer.Option(help="JSON file of the figures")],
    limit: int = 1000,
) -> None:
    """Judge a CLIP folder on held-out renders."""
    from guidance.clip import load_clip

    report(evaluate(load_clip(clip), heldout, limit), out)


if __name__ == "__main__":
    typer.run(main)
