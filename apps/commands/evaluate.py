"""`semblance evaluate`: how good a model is, in figures and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.commands.options import Device, Json, Model, Seed
from apps.console import counter, report, say

Name = Annotated[
    str, typer.Option(help="inversion, text, sound, speed, photos, all the others or none.")
]
Faces = Annotated[int, typer.Option(min=1, help="Held-out faces for what is quick.")]
SlowFaces = Annotated[int, typer.Option(min=0, help="Faces for slow methods; 0 leaves them out.")]
Steps = Annotated[int, typer.Option(min=1, help="Steps of the descents that are compared.")]
Out = Annotated[Path, typer.Option(help="Folder for results.json, report.md, plots and sheets.")]
Judge = Annotated[Path | None, typer.Option(help="File of the judge; default: the bundled one.")]
Data = Annotated[Path | None, typer.Option(help="Evaluation pack; default: the bundled one.")]
Sounds = Annotated[Path | None, typer.Option(help="Folder of more sounds, named by meaning.")]
Photos = Annotated[Path | None, typer.Option(help="Folder of aligned photographs, for photos.")]
Inversion = Annotated[str, typer.Option(help="How faces are inverted before they are edited.")]
Choose = Annotated[
    Path | None,
    typer.Option(help="First measure gains and the best method; write methods.json there."),
]


def evaluate(
    suite: Name = "all",
    out: Out = Path("out/evaluation"),
    model: Model = "default",
    faces: Faces = 50,
    slow_faces: SlowFaces = 4,
    steps: Steps = 100,
    inversion: Inversion = "encoder",
    judge: Judge = None,
    data: Data = None,
    sounds: Sounds = None,
    photos: Photos = None,
    choose: Choose = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure inversion, edits by words and sounds, and speed, on held-out faces.

    Suites may be run one after the other into one folder: the report holds all of them.
    """
    from apps import edits
    from apps.evaluation import run
    from apps.evaluation.setting import Plan

    names = run.chosen_suites(suite)
    plan = Plan(faces, slow_faces, steps, inversion, seed)
    with counter("evaluating") as advance:
        setting = run.make_setting(
            model, lambda: edits.load_editor(model, device), out, plan, judge, data, sounds,
            advance, photos,
        )  # fmt: skip
        written = {} if choose is None else {"methods": run.choose(setting, choose)}
        results = run.evaluate(setting, names)
    say(f"See {out / 'report.md'}")
    report({"out": out, **written, **run.headlines(results, names)}, as_json)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)
