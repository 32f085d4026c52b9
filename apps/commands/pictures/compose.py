"""`semblance compose`: one face made of two photos, or a larger picture around a tight one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from apps.commands import options as o
from apps.commands.groups import FaceChoice, ModelChoice, grouped
from apps.console import report, steps

Out = Annotated[Path, typer.Option(help="The picture to write.")]
Other = Annotated[Path | None, typer.Argument(help="The photo whose face gives something.")]
Mode = Annotated[
    str, typer.Option(help="mix, cross, hair-shape, hair-colour, diffuse; uncrop takes one photo.")
]
Margin = Annotated[float, typer.Option(help="For uncrop: added on every side, in sides.")]
Search = Annotated[int, typer.Option("--steps", min=1, max=10_000, help="diffuse and uncrop.")]
UNCROP = "uncrop"


@grouped
def compose(
    photo: o.Photo,
    out: Out,
    mode: Mode,
    other: Other = None,
    region: o.Region = None,
    mask: o.Mask = None,
    layers: o.Layers = None,
    strength: o.Strength = 1.0,
    margin: Margin = 0.35,
    search: Search = 60,
    *,
    which: FaceChoice,
    model: ModelChoice,
    as_json: o.Json = False,
) -> None:
    """Put two faces together: a part of another, its hair, its colours, a piece made one."""
    from apps.edits import names
    from apps.outputs import with_suffix_of
    from multimodal.editing.composing import MODES, Place
    from multimodal.editing.composing import compose as put_together
    from multimodal.images import SUFFIXES, save_image

    with_suffix_of(out, SUFFIXES, "a picture")
    if mode not in (*MODES, UNCROP):
        raise ValueError(f"mode {mode!r} is not one of {', '.join((*MODES, UNCROP))}")
    if (other is None) != (mode == UNCROP):
        raise ValueError(f"mode {mode!r} takes {'one photo' if mode == UNCROP else 'two photos'}")
    editor = model.load()
    if other is None:
        _uncropped(editor, photo, out, margin, search, as_json)
        return
    first, second = which.find(editor, photo), which.find(editor, other)
    place = Place(region or MODES[mode].region, mask) if mask is None else Place(None, mask)
    with steps("composing") as on_step:
        made = put_together(
            editor, first, second, mode, place, layers=names(layers) or None, strength=strength,
            steps=search, seed=which.seed, on_step=on_step,
        )  # fmt: skip
    whole = made.after if made.photo is None else made.photo
    path = save_image(whole, out, f"composed by AI: {mode}")
    report({"out": path, "mode": mode, "scores": dict(made.scores)}, as_json)


def _uncropped(
    editor: Any, photo: Path, out: Path, margin: float, search: int, as_json: bool
) -> None:
    from multimodal.editing.composing import uncrop
    from multimodal.images import save_image

    with steps("drawing around it") as on_step:
        found = uncrop(editor, photo, margin, search, on_step=on_step)
    path = save_image(found.photo, out, "uncropped by AI")
    report({"out": path, "mode": UNCROP, **found.restored.report}, as_json)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(compose)
