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
Matte = Annotated[
    bool,
    typer.Option("--matte", help="How much of each pixel belongs to the region; cuts it out too."),
]
Learnt = Annotated[
    Path | None, typer.Option("--labels", help="Parts of your own, learnt by train-labels.")
]


def parse(
    photo: Photo,
    out: Out,
    overlay: Overlay = False,
    region: Part = None,
    matte: Matte = False,
    labels: Learnt = None,
    model: Model = "default",
    device: Device = "auto",
    face: FaceIndex = None,
    as_json: Json = False,
) -> None:
    """Tell skin, hair, brows, eyes, lips, glasses and more apart in a photo.

    The mask has the photo's size. Pixel values are the numbers of the classes, shown in colours.
    """
    from apps.parsing import check_out, cutout_path, overlay_path, parse_file

    check_out(out)
    if labels is not None:
        from apps.heads.labels import parse_by_labels

        if matte or overlay:
            raise ValueError("--matte and --overlay are for the model's own classes, not --labels")
        report({**parse_by_labels(photo, labels, out, model, device, face, region)}, as_json)
        return
    summary = parse_file(photo, out, model, device, face, region, overlay, matte)
    if matte:
        summary["cutout"] = str(cutout_path(out))
    if overlay:
        summary["overlay"] = str(overlay_path(out))
    report({**summary, "out": str(out)}, as_json)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(parse)
