"""`semblance restore`: what a picture has lost, drawn again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.commands import options as o
from apps.commands.groups import ModelChoice, grouped
from apps.console import report, steps

Task = Annotated[str, typer.Option(help="inpaint, upscale, colour, denoise, deblur or jpeg.")]
Out = Annotated[Path, typer.Option(help="The picture to write; several get numbers.")]
Hole = Annotated[Path | None, typer.Option(help="For inpaint: a picture, white where to draw.")]
Scale = Annotated[int, typer.Option(min=2, max=16, help="For upscale: how many times larger.")]
Noise = Annotated[float, typer.Option(help="For denoise: its deviation in levels.")]
Radius = Annotated[float, typer.Option(help="For deblur: the blur's deviation in pixels.")]
Quality = Annotated[int, typer.Option(help="For jpeg: the quality it was saved with.")]
How = Annotated[str, typer.Option(help="code, sphere, progressive or several.")]
Count = Annotated[int, typer.Option(min=1, max=64, help="How many answers, seed by seed.")]
Search = Annotated[int, typer.Option("--steps", min=1, max=10_000, help="Of the search.")]
Aligned = Annotated[bool, typer.Option("--aligned", help="The picture is an aligned face already.")]


@grouped
def restore(
    photo: o.Photo,
    out: Out,
    task: Task,
    mask: Hole = None,
    scale: Scale = 8,
    noise: Noise = 25.0,
    radius: Radius = 3.0,
    quality: Quality = 10,
    method: How = "code",
    count: Count = 1,
    search: Search = 120,
    face: o.FaceIndex = None,
    aligned: Aligned = False,
    seed: o.Seed = 0,
    *,
    model: ModelChoice,
    as_json: o.Json = False,
) -> None:
    """Mend a picture: fill a hole, enlarge, colour, clean, sharpen; what was not lost stays."""
    from apps.outputs import with_suffix_of
    from multimodal.editing.restoring import restore_photo
    from multimodal.images import SUFFIXES, save_image
    from multimodal.restoration import degradation

    with_suffix_of(out, SUFFIXES, "a picture")
    of_task: dict[str, dict[str, float]] = {
        "upscale": {"scale": scale},
        "denoise": {"noise": noise},
        "deblur": {"radius": radius},
        "jpeg": {"quality": quality},
    }
    settings = of_task.get(task, {})
    if task != "inpaint":
        degradation(task, **settings)  # a wrong task is told before a model is loaded
    editor, rows = model.load(), []
    for number in range(count):
        with steps("restoring") as on_step:
            found = restore_photo(
                editor, photo, task, method, mask=mask, settings=settings, face_index=face,
                aligned=aligned, seed=seed + number, on_step=on_step, steps=search,
            )  # fmt: skip
        path = out if count == 1 else out.with_name(f"{out.stem}-{number + 1}{out.suffix}")
        save_image(found.photo, path, f"restored by AI: {task}")
        rows.append({"out": str(path), **found.restored.report})
    report(rows[0] if count == 1 else {"answers": rows}, as_json)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(restore)
