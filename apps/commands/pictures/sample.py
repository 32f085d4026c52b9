"""`semblance sample`: faces of nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.commands.groups import grouped
from apps.commands.options import Device, Json, Model, Seed
from apps.console import counter, report
from apps.drawing import Kind, Motion, draw, sampled

MAX_COUNT = 100_000
_BATCH = 8


@grouped
def sample(
    motion: Motion,
    kind: Kind,
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")],
    count: Annotated[int, typer.Option(min=1, max=MAX_COUNT, help="How many.")] = 8,
    truncation: Annotated[float, typer.Option(min=0, max=1, help="1 is all variety.")] = 0.7,
    codes: Annotated[
        bool, typer.Option("--codes", help="Also save each face's code beside its picture.")
    ] = False,
    model: Model = "default",
    device: Device = "auto",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Draw faces that nobody has; the same seed draws the same faces."""
    from apps.edits import load_editor
    from multimodal.images import save_image, to_pil
    from multimodal.types import Face, Latent

    editor = load_editor(model, device)
    generator = editor.generator
    latents = sampled(editor, count, seed, truncation, kind).w
    paths = []
    with counter("drawing") as advance:
        for start in range(0, count, _BATCH):
            pictures = draw(generator, latents[start : start + _BATCH], motion)
            for offset, picture in enumerate(pictures):
                path = out / f"sample-{seed}-{start + offset:04}.png"
                image = to_pil(picture)
                paths.append(str(save_image(image, path, "AI-generated face")))
                if codes:
                    code = Latent(latents[start + offset : start + offset + 1])
                    Face(code, image).save(path.with_suffix(".safetensors"))
            advance(len(paths), count, "")
    report({"count": count, "seed": seed, "out": str(out), "pictures": paths}, as_json)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(sample)
