"""`semblance parse`: which part of a face every pixel of a photo shows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.commands.options import Device, FaceIndex, Json, Model, Photo
from apps.console import report

Out = Annotated[Path, typer.Option(help="The mask, a PNG: one colour a class, or grey.")]
Overlay = Annotated[
    bool, typer.Option("--overlay", help="Also write the photo with the classes laid over it.")
]
Part = Annotated[
    str | None,
    typer.Option("--region", help="A soft grey mask of these alone: hair, or lips,mouth,teeth."),
]


def parse(
    photo: Photo,
    out: Out,
    overlay: Overlay = False,
    region: Part = None,
    model: Model = "default",
    device: Device = "auto",
    face: FaceIndex = None,
    as_json: Json = False,
) -> None:
    """Tell skin, hair, brows, eyes, lips, glasses and more apart in a photo.

    The mask has the photo's size. Pixel values are the numbers of the classes, shown in colours.
    """
    from apps.parsing import check_out, overlay_path, parse_file

    check_out(out)
    summary = parse_file(photo, out, model, device, face, region, overlay)
    if overlay:
        summary["overlay"] = str(overlay_path(out))
    report({**summary, "out": str(out)}, as_json)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(parse)
