"""`semblance demo`: a sample face changed by words and by a sound, to see that everything works."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.commands.options import Device, Json
from apps.console import report, say, steps

if TYPE_CHECKING:
    from multimodal import FaceEditor

PROMPT = "an old person with grey hair"


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("out/demo"),
    text: Annotated[str, typer.Option(help="What the face should look like.")] = PROMPT,
    photo: Annotated[Path | None, typer.Option(help="Your photo instead of the sample.")] = None,
    sound: Annotated[Path | None, typer.Option(help="Your sound instead of the laugh.")] = None,
    model: Annotated[str | None, typer.Option(help="A model's name; default: the bundle.")] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Edit a sample face by text and by sound; writes before/after pictures and a sheet."""
    from apps.edits import TINY_NOTE, EditSpec, bundled_model, load_editor
    from apps.faces import load_face
    from apps.samples import faces, sounds

    name = model or bundled_model()
    if name == "tiny":
        say(TINY_NOTE)
    editor = load_editor(name, device)
    with steps("inverting the face") as on_step:
        face = load_face(editor, photo or faces()[0], on_step=on_step)
    heard = sound or sounds()[0]
    specs = {"text": EditSpec(text=text), "sound": EditSpec(sounds=(heard,))}
    specs["mix"] = EditSpec(text=text, sounds=(heard,))
    if editor.toolkit.sound is None:
        say("This model does not hear: only the text edit is made.")
        specs = {"text": specs["text"]}
    labels = {"text": text, "sound": heard.stem, "mix": f"{text} + {heard.stem}"}
    written = write_edits(editor, face, specs, labels, out)
    say("Look at these:")
    report({"model": name, **written}, as_json)


def write_edits(
    editor: FaceEditor, face: Any, specs: dict[str, Any], labels: dict[str, str], out: Path
) -> dict[str, Any]:
    """Make each edit; write before, after and a sheet of all."""
    from apps.edits import edit_face
    from apps.sheet import strip
    from multimodal.images import save_image

    before = face.crop or face.aligned
    written: dict[str, Any] = {"before": save_image(before, out / "before.png", "the face before")}
    pictures, captions = [before], ["before"]
    scores: dict[str, Any] = {}
    for name, spec in specs.items():
        with steps(f"editing by {name}") as on_step:
            result = edit_face(editor, face, spec, on_step)
        written[name] = save_image(result.after, out / f"after-{name}.png", labels[name])
        if result.photo is not None:
            path = out / f"photo-{name}.png"
            written[f"{name} in the photo"] = save_image(result.photo, path, labels[name])
        pictures.append(result.after)
        captions.append(labels[name])
        scores[name] = dict(result.scores)
    written["sheet"] = save_image(strip(pictures, captions), out / "sheet.png")
    return {**written, "scores": scores}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)
