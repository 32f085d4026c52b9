"""`semblance train-labels`: parts of one's own, from a handful of labelled faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.commands import options as o
from apps.console import report, steps

Folder = Annotated[
    Path, typer.Argument(help="Holds NAME.safetensors and NAME.labels.png of every face.")
]
Out = Annotated[Path, typer.Option(help="The .safetensors to write, for parse --labels.")]
Names = Annotated[str | None, typer.Option(help="Of the numbers 0, 1, ...: background,hat,face.")]
Steps = Annotated[int, typer.Option("--steps", min=1, max=100_000, help="Of the fit.")]


def train_labels(
    folder: Folder,
    out: Out,
    names: Names = None,
    fit: Steps = 300,
    seed: o.Seed = 0,
    model: o.Model = "default",
    device: o.Device = "auto",
    as_json: o.Json = False,
) -> None:
    """Learn to tell parts apart from a few labelled faces (`sample --codes` draws such faces)."""
    from apps.heads.labels import train_labels as learn
    from multimodal.parsing.few import FewOptions

    said = [name.strip() for name in names.split(",")] if names else []
    with steps("learning labels") as on_step:
        done = learn(folder, out, said, model, device, FewOptions(fit, seed=seed), on_step)
    report(done, as_json)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train_labels)
