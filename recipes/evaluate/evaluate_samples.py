"""How near to photographs the faces of nobody are: kernel distances, and a sheet of them.

    python -m recipes.evaluate.evaluate_samples --photos portraits --out out/samples --model default

The distance (Binkowski et al. 2018) is one of EfficientNet-Lite0's features, at a truncation of
0.7, between samples of either look and the held-out portraits. Beside it stands that of
photographs from each other (the portraits of the training, the held-out ones), the least to be had.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor
from torchvision.utils import make_grid

from multimodal import FaceEditor
from multimodal.images import save_image, to_pil
from multimodal.metrics import FeatureExtractor, kernel_distance
from recipes.generator.photographs.portraits import Portrait, read_index, read_pictures

BATCH, SHOWN, TRUNCATION = 16, 64, 0.7


@torch.no_grad()
def drawn(editor: FaceEditor, look: str, count: int, seed: int = 0) -> Tensor:
    """Samples `[count, 3, R, R]` in [-1, 1]."""
    codes = editor.sampled(count, seed, TRUNCATION, look).w
    pictures = [editor.generator.synthesize(part).clamp(-1, 1) for part in codes.split(BATCH)]
    return torch.cat(pictures).cpu()


@torch.no_grad()
def seen(extract: FeatureExtractor, pictures: Tensor) -> np.ndarray:
    """Features `[N, F]` of pictures `[N, 3, R, R]` in [-1, 1]."""
    return np.concatenate([extract(part).cpu().numpy() for part in pictures.split(BATCH)])


def photographs(portraits: list[Portrait], count: int) -> Tensor:
    """At most `count` of them, spread over all, `[N, 3, 256, 256]` in [-1, 1]."""
    some = np.linspace(0, len(portraits) - 1, min(count, len(portraits))).astype(int)
    return read_pictures([portraits[i] for i in some], 256).float() / 127.5 - 1


def main(
    photos: Annotated[Path, typer.Option(help="folder of aligned portraits with an index.csv")],
    out: Annotated[Path, typer.Option(help="folder for the sheets")],
    model: Annotated[str, typer.Option(help="name or folder of a model")] = "default",
    count: Annotated[int, typer.Option(min=64, help="samples of each look")] = 512,
) -> None:
    """Write `samples-LOOK.png`, print the distances as JSON."""
    editor = FaceEditor.from_pretrained(model, device="cpu")
    extract = FeatureExtractor("efficientnet-lite0")
    there = seen(extract, photographs(read_index(photos, "heldout"), count))
    others = seen(extract, photographs(read_index(photos, "train"), count))
    found = {"photographs": kernel_distance(others, there)}
    for look in ("render",) if editor.photographs is None else ("photo", "render"):
        pictures = drawn(editor, look, count)
        found[look] = kernel_distance(seen(extract, pictures), there)
        sheet = to_pil(make_grid(pictures[:SHOWN], nrow=8, padding=2)[None])
        save_image(sheet, out / f"samples-{look}.png", "AI-generated faces")
    typer.echo(json.dumps(found, indent=1))


if __name__ == "__main__":
    typer.run(main)
