"""`semblance adapt`: a generator taught another look by two texts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from apps.commands.options import Device, Json, Model, Seed
from apps.console import report, steps

GENERATOR = "generator.safetensors"
OF_THE_OLD = ("generator.*", "manifest.json", "MODEL_CARD.md", "about.json", "pictures")
"""Files of a model's folder that are of its generator alone."""

Source = Annotated[str, typer.Argument(help='What the model draws now: "photo".')]
Target = Annotated[str, typer.Argument(help='What it should draw: "sketch".')]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Training steps.")]


def adapt(
    source: Source,
    target: Target,
    out: Annotated[
        Path,
        typer.Option(
            help="The new model: a .safetensors file, or a folder, which gets the model's other "
            "parts (encoder, CLIP, directions, ...) too."
        ),
    ] = Path("out/adapted"),
    training_steps: Steps = 300,
    model: Model = "default",
    device: Device = "auto",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Fine-tune a copy of the generator (StyleGAN-NADA) and save it as a model of its own."""
    from apps.edits import load_editor
    from apps.outputs import with_suffix_of
    from guidance.methods.nada import NadaConfig
    from guidance.methods.nada import adapt as train
    from multimodal.editing.assemble import model_folder
    from multimodal.generators import StyleGAN2, save_generator

    folder = not out.suffix
    if not folder:
        with_suffix_of(out, [".safetensors"], "a model")
    tools = load_editor(model, device).toolkit
    generator = tools.generator
    if not isinstance(generator, StyleGAN2):
        raise ValueError("only a StyleGAN2 can be adapted")
    config = NadaConfig(steps=training_steps, seed=seed)
    with steps("adapting") as on_step:
        adapted = train(generator, tools.clip, source, target, on_step, config)
    if folder:
        copy_parts(model_folder(model), out)
    save_generator(adapted, out / GENERATOR if folder else out)
    report({"source": source, "target": target, "model": str(out)}, as_json)


def copy_parts(source: Path | None, out: Path) -> None:
    """All of a model's folder but its generator, and what is said of it, into a new folder.

    Raises:
        ValueError: the new folder holds something.
    """
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty: choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    if source is not None:
        shutil.copytree(source, out, ignore=shutil.ignore_patterns(*OF_THE_OLD), dirs_exist_ok=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(adapt)
