"""`semblance train-mapper`: a network for one prompt, so that its edits cost nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.commands import options as o
from apps.console import report, steps


def train_mapper(
    text: Annotated[str, typer.Argument(help="What faces should look like.")],
    neutral: o.Neutral = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write; default: with the model's own.")
    ] = None,
    iterations: Annotated[int, typer.Option("--steps", min=1, help="Training steps.")] = 600,
    batch: Annotated[int, typer.Option(min=1, max=256, help="Faces a step.")] = 4,
    seed: o.Seed = 0,
    model: o.Model = "default",
    clip: o.Clip = None,
    device: o.Device = "auto",
    as_json: o.Json = False,
) -> None:
    """Train StyleCLIP's latent mapper for one prompt; run it again to resume."""
    from apps.edits import load_editor
    from apps.outputs import with_suffix_of
    from guidance.methods.mapper import SUFFIXES, MapperTraining, mapper_path
    from guidance.methods.mapper import train_mapper as train
    from guidance.targets import NEUTRAL

    if out is not None:
        with_suffix_of(out, SUFFIXES, "a mapper")
    editor = load_editor(model, device, None, clip)
    tools = editor.toolkit
    if out is None and tools.folder is None:
        raise ValueError("this model has no folder of its own: say where with --out")
    target = out or mapper_path(tools.own or tools.folder or Path(), text)
    config = MapperTraining(steps=iterations, batch=batch, seed=seed)
    wanted, now = editor.embed(text=text), editor.embed(text=neutral or NEUTRAL)
    with steps("training") as on_step:
        train(editor.toolkit, wanted, now, target, config, on_step)
    report({"text": text, "mapper": target, "steps": iterations}, as_json)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train_mapper)
