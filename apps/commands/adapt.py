"""`semblance adapt`: a generator taught another look by two texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.commands.options import Device, Json, Model, Seed
from apps.console import report, steps

Source = Annotated[str, typer.Argument(help='What the model draws now: "photo".')]
Target = Annotated[str, typer.Argument(help='What it should draw: "sketch".')]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Training steps.")]


def adapt(
    source: Source,
    target: Target,
    out: Annotated[Path, typer.Option(help="The new model: a .safetensors file.")] = Path(
        "out/adapted.safetensors"
    ),
    training_steps: Steps = 300,
    model: Model = "default",
    device: Device = "auto",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Fine-tune a copy of the generator (StyleGAN-NADA) and save it as a model of its own."""
    from apps.edits import load_editor
    from apps.outputs import with_suffix_of
    from guidance.nada import NadaConfig
    from guidance.nada import adapt as train
    from multimodal.generators import StyleGAN2, save_generator

    with_suffix_of(out, [".safetensors"], "a model")
    tools = load_editor(model, device).toolkit
    generator = tools.generator
    if not isinstance(generator, StyleGAN2):
        raise ValueError("only a StyleGAN2 can be adapted")
    config = NadaConfig(steps=training_steps, seed=seed)
    with steps("adapting") as on_step:
        adapted = train(generator, tools.clip, source, target, on_step, config)
    save_generator(adapted, out)
    report({"source": source, "target": target, "model": str(out)}, as_json)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(adapt)
