"""`semblance models`: what there is, what a file holds, fetch, convert."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from apps.commands.options import Json
from apps.console import report, say

app = typer.Typer(help="List, inspect, fetch and convert models.", no_args_is_help=True)


@app.command(name="list")
def list_models(as_json: Json = False) -> None:
    """The models that can be named."""
    from multimodal.generators import MODELS

    if not as_json:
        report({name: f"{spec.about} [{spec.licence}]" for name, spec in MODELS.items()}, False)
        return
    rows = [
        {"name": spec.name, "about": spec.about, "licence": spec.licence, "url": spec.url}
        for spec in MODELS.values()
    ]
    report({"models": rows}, True)


@app.command()
def inspect(
    path: Annotated[str, typer.Argument(help="A checkpoint, or a model's name.")],
    as_json: Json = False,
) -> None:
    """Say what a checkpoint holds, without running anything from it."""
    from multimodal.generators import inspect as read

    report(asdict(read(path)), as_json)


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="A model's name.")], as_json: Json = False
) -> None:
    """Fetch a model into the cache."""
    from multimodal.generators import MODELS
    from multimodal.generators.checkpoints import resolve
    from multimodal.generators.registry import find_model

    spec = find_model(name)
    if spec.url is None and spec.folder is None:
        report({"name": name, "about": MODELS[name].about, "path": "made in memory"}, as_json)
        return
    if spec.url is not None:
        say(f"fetching {spec.url} ({spec.licence})")
    report({"name": name, "licence": spec.licence, "path": resolve(name)}, as_json)


@app.command()
def convert(
    source: Annotated[str, typer.Argument(help="A checkpoint, or a model's name.")],
    target: Annotated[Path, typer.Argument(help=".safetensors, .pt (rosinality) or .pth.")],
    as_json: Json = False,
) -> None:
    """Write a checkpoint in another format; the target's suffix chooses it."""
    from multimodal.generators import convert as write

    report({"source": source, "target": write(source, target)}, as_json)


def register(parent: typer.Typer) -> None:
    """Add the group of commands."""
    parent.add_typer(app, name="models")
