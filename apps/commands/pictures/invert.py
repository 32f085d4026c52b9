"""`semblance invert`: a photo to its latent and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.commands.options import (
    Device,
    Encoder,
    FaceIndex,
    IsAligned,
    Json,
    Model,
    Photo,
    Seed,
    Settings,
    named_values,
)
from apps.console import report, steps

Out = Annotated[Path, typer.Option(help="Folder for the latent, pictures and report.")]
Method = Annotated[str, typer.Option(help="encoder, quick, hybrid, pivotal, adam, cma ...")]


def invert(
    photo: Photo,
    out: Out,
    method: Method = "hybrid",
    model: Model = "default",
    encoder: Encoder = None,
    device: Device = "auto",
    face: FaceIndex = None,
    mask: Annotated[
        Path | None, typer.Option(help="Match only where this picture of the crop is white.")
    ] = None,
    settings: Settings = None,
    aligned: IsAligned = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Find the latent of the face in a photo.

    Writes latent.safetensors, aligned.png, reconstruction.png and report.json.
    """
    from apps.edits import load_editor
    from apps.outputs import save_json, save_plain
    from multimodal.images import save_image

    editor = load_editor(model, device, encoder)
    options = named_values(settings)
    if mask is not None:
        options["mask"] = mask
    with steps("inverting") as on_step:
        found = editor.invert(photo, method, on_step, face, aligned=aligned, seed=seed, **options)
    save_plain(found.aligned, out / "aligned.png")
    save_image(editor.reconstruct(found), out / "reconstruction.png", "AI reconstruction")
    found.save(out / "latent.safetensors")
    summary = {**found.report, "method": method, "model": Path(model).name, "photo": photo.name}
    save_json(out / "report.json", summary)
    report({**summary, "out": str(out)}, as_json)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(invert)
