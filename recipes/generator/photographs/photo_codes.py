"""Fit where a model draws photographs: the Gaussian of its encoder's codes of them.

    python -m recipes.generator.photographs.photo_codes --photos portraits \
        --model runs/photographs --out multimodal/bundle/default

Faces that nobody has are then drawn from it (`semblance sample --look photo`). It learns from the
portraits that training learnt from, no held-out ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor

from multimodal.generators.photo_codes import PhotoCodes
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder
from recipes.checkpoint import load_run
from recipes.generator.looking import looked
from recipes.generator.photographs.portraits import held_back, read_index, read_pictures
from recipes.generator.photographs.train import HELD_BACK

BATCH = 16


@torch.no_grad()
def seen_codes(generator: StyleGAN2, encoder: BundleEncoder, pictures: Tensor) -> Tensor:
    """Codes `[N, L, D]` of uint8 pictures `[N, 3, R, R]`, by one call of the encoder."""

    def draw(w_plus: Tensor) -> Tensor:
        return generator.synthesize(w_plus[:, : generator.num_layers], noise="none")

    parts = pictures.split(BATCH)
    found = torch.cat([looked(encoder, draw, part.float() / 127.5 - 1) for part in parts])
    return found[:, : generator.num_layers]


def main(
    photos: Annotated[Path, typer.Option(help="folder of aligned portraits with an index.csv")],
    model: Annotated[Path, typer.Option(help="folder of the model, or of its training")],
    out: Annotated[Path, typer.Option(help="folder to write to")],
    axes: Annotated[int, typer.Option(min=1, help="how many axes are kept")] = 64,
    leave_out: Annotated[list[str] | None, typer.Option(help="a source of portraits")] = None,
) -> None:
    """Fit and write."""
    generator, encoder = load_run(model)
    learnt, _ = held_back(read_index(photos, "train", leave_out or ()), HELD_BACK)
    found = seen_codes(generator, encoder, read_pictures(learnt, generator.resolution))
    path = PhotoCodes.fit(found, axes).save(out)
    typer.echo(f"{path}: {axes} axes of {len(found)} codes")


if __name__ == "__main__":
    typer.run(main)
