"""`semblance draw`: faces from strokes of colour, a sketch, or a map of parts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.commands import options as o
from apps.commands.groups import ModelChoice, grouped
from apps.console import report, steps

Drawing = Annotated[Path, typer.Argument(help="What you drew, a picture.", show_default=False)]
Out = Annotated[Path, typer.Option(help="The picture to write; several get numbers.")]
As = Annotated[str, typer.Option("--as", help="What it is: scribble, sketch or labels.")]
Count = Annotated[int, typer.Option(min=1, max=64, help="How many faces, seed by seed.")]
Search = Annotated[int, typer.Option("--steps", min=0, max=10_000, help="Of the search.")]
Code = Annotated[bool, typer.Option("--codes", help="Also save each face's code, to edit it.")]


@grouped
def draw(
    drawing: Drawing,
    out: Out,
    kind: As = "scribble",
    text: o.Text = None,
    count: Count = 1,
    search: Search = 60,
    codes: Code = False,
    seed: o.Seed = 0,
    *,
    model: ModelChoice,
    as_json: o.Json = False,
) -> None:
    """Draw faces as you drew them, another one for every seed; words say the rest."""
    from apps.heads.drawings import check_drawing, draw_file

    check_drawing(drawing, out, kind)
    editor, rows = model.load(), []
    for number in range(count):
        path = out if count == 1 else out.with_name(f"{out.stem}-{number + 1}{out.suffix}")
        with steps("drawing") as on_step:
            rows.append(
                draw_file(editor, drawing, path, kind, text, seed + number, search, codes, on_step)
            )
    report(rows[0] if count == 1 else {"faces": rows}, as_json)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(draw)
