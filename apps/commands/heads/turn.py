"""`semblance turn`: a head turned, lit from elsewhere, that looks elsewhere; or as a mesh."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.commands import options as o
from apps.console import report

Out = Annotated[Path | None, typer.Option(help="The picture to write.")]
Yaw = Annotated[float, typer.Option(help="Degrees to the picture's right, -30 to 30.")]
Pitch = Annotated[float, typer.Option(help="Degrees downwards, -20 to 20.")]
Gaze = Annotated[
    str | None, typer.Option(help="Where the eyes turn: degrees right and down, as in 15,-5.")
]
Blink = Annotated[float, typer.Option(help="0 leaves the lids, 1 closes them.")]
Relight = Annotated[
    str | None,
    typer.Option(help="Light from left, right, above, below, front, or degrees, as in 60,-20."),
]
Strength = Annotated[float, typer.Option("--light", help="Strength of that light, 0 to 2.")]
Mesh = Annotated[Path | None, typer.Option(help="Also write the face as a textured mesh, a .glb.")]


def turn(
    photo: o.Photo,
    out: Out = None,
    yaw: Yaw = 0.0,
    pitch: Pitch = 0.0,
    gaze: Gaze = None,
    blink: Blink = 0.0,
    relight: Relight = None,
    strength: Strength = 1.0,
    mesh: Mesh = None,
    face: o.FaceIndex = None,
    aligned: o.IsAligned = False,
    model: o.Model = "default",
    device: o.Device = "auto",
    as_json: o.Json = False,
) -> None:
    """Turn a head, light it from elsewhere, turn or close its eyes; the rest of the photo stays."""
    from apps.heads.turning import pose_of, turn_file

    how = pose_of(yaw, pitch, gaze, blink, relight, strength)
    report(turn_file(photo, how, out, mesh, model, device, face, aligned), as_json)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(turn)
