"""`semblance edit` and `semblance generate`: a face by words and sounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.commands import options as o
from apps.commands.groups import FaceChoice, ModelChoice, Wish, grouped
from apps.console import report, say, steps, warn_of_sound

if TYPE_CHECKING:
    from PIL import Image

    from apps.edits import EditSpec
    from apps.outputs import Keeping
    from multimodal import FaceEditor
    from multimodal.types import EditResult, Face

SHEET_STRENGTHS = (-1.0, 0.5, 1.0, 1.5)

Sheet = Annotated[bool, typer.Option("--sheet", help="Also write a labelled before/after strip.")]
Crop = Annotated[bool, typer.Option("--crop", help="Write the aligned face, not the whole photo.")]
Out = Annotated[Path, typer.Option(help="The picture to write.")]


@grouped
def edit(
    photo: o.Photo,
    out: Out,
    wish: Wish,
    mask: o.Mask = None,
    said: o.Say = None,
    sheet: Sheet = False,
    crop: Crop = False,
    keep_date: o.KeepDate = False,
    bits: o.Bits = 8,
    *,
    which: FaceChoice,
    model: ModelChoice,
    as_json: o.Json = False,
) -> None:
    """Change the face in a photo (or in a saved latent) by words, a sound or both."""
    from apps.edits import edit_face
    from apps.faces import ALL
    from apps.outputs import Keeping, save_json, sibling, with_suffix_of
    from apps.threads import import_meanwhile
    from multimodal.editing.finishing import PHOTO
    from multimodal.images import save_image

    wish = wish if said is None else _spoken(wish, said)
    spec = wish.spec(which.seed, mask)
    keep = Keeping(photo, bits, keep_date)
    with_suffix_of(out, keep.suffixes, "a picture")
    beside = _report_beside(out, [photo, wish.edits, mask, *spec.sounds])
    for path in spec.sounds:
        warn_of_sound(path)
    editor = model.load()
    import_meanwhile("open_clip")
    if which.face == ALL:
        if sheet or crop or which.aligned:
            raise ValueError("--face all edits a photo: leave out --sheet, --crop and --aligned")
        summary = _edit_all(editor, keep, out, spec, which)
        save_json(beside, summary)
        report(summary, as_json)
        return
    found = which.find(editor, photo, spec.fidelity == PHOTO)
    with steps("editing") as on_step:
        result = edit_face(editor, found, spec, on_step)
    whole = result.after if crop or result.photo is None else result.photo
    written: dict[str, Any] = {"out": keep.save(whole, out, spec.about, not crop)}
    if sheet:
        strip = sheet_of(editor, found, result, spec)
        written["sheet"] = save_image(strip, sibling(out, "-sheet.png"))
    summary = {**written, "scores": dict(result.scores), "inversion": dict(found.report)}
    if result.notes:
        summary["notes"] = list(result.notes)
    for note in result.notes:
        say(note)
    save_json(beside, summary)
    report(summary, as_json)


def _edit_all(
    editor: FaceEditor, keep: Keeping, out: Path, spec: EditSpec, which: FaceChoice
) -> dict[str, Any]:
    """Edit every face of a photo and write it; returns what to report."""
    from apps.console import counter
    from apps.faces import method_of
    from apps.several import edit_every_face
    from multimodal.editing.finishing import PHOTO

    method = method_of(editor, which.inversion, spec.fidelity == PHOTO)
    with counter("editing faces") as advance:
        made = edit_every_face(
            editor, keep.source, spec, method, lambda done, total: advance(done, total, "")
        )
    rows = [
        {"face": index, "scores": dict(result.scores), "inversion": dict(face.report)}
        for index, (face, result) in enumerate(zip(made.faces, made.results, strict=True))
    ]
    saved = keep.save(made.photo, out, spec.about)
    return {"out": saved, "scores": made.scores, "faces": rows}


def _spoken(wish: Wish, recording: Path) -> Wish:
    """The wish with the words of a recording, which are shown first.

    Raises:
        ValueError: words are written too, or none were understood.
    """
    from apps.speech.wishes import told_wish, wish_for_edit

    if wish.text is not None or wish.edits is not None:
        raise ValueError("give a spoken wish with --say, or words with --text, not both")
    found = wish_for_edit(recording)
    say(told_wish(found))
    return replace(wish, text=found.text)


def _report_beside(out: Path, inputs: Sequence[Path | None]) -> Path:
    """Where the report goes.

    Raises:
        ValueError: the picture would overwrite what is read.
    """
    read = [path.resolve() for path in inputs if path is not None]
    if out.resolve() in read:
        raise ValueError(f"--out {out} would overwrite what is read")
    from apps.outputs import sibling

    beside = sibling(out, ".json")
    if beside.resolve() not in read and _is_ours(beside):
        return beside
    other = sibling(out, "-report.json")
    if other.resolve() in read or not _is_ours(other):
        raise ValueError(f"{other} is in the way of the report: choose another --out")
    return other


def _is_ours(path: Path) -> bool:
    """Whether nothing is lost by writing a report there: there is none, or an older one."""
    from multimodal.files.weights import read_json

    if not path.exists():
        return True
    try:
        return {"out", "scores"} <= read_json(path).keys()
    except (ValueError, OSError):
        return False


def sheet_of(editor: FaceEditor, face: Face, result: EditResult, spec: EditSpec) -> Image.Image:
    """A labelled strip: the face before, and the edit at several strengths."""
    from apps.sheet import strip

    pictures, labels = [result.before], ["before"]
    if spec.edits is not None:
        return strip([*pictures, result.after], [*labels, "after"])
    used = result.scores["strength"]  # less than asked for, where the person is to be kept
    for share in SHEET_STRENGTHS:
        strength = share * used
        if share == 1.0:
            pictures.append(result.after)
        else:
            where = {"region": spec.region, "mask": spec.mask, "fidelity": spec.fidelity}
            pictures.append(editor.apply(face, result.offset, strength, **where))
        labels.append(f"{spec.text or 'sound'} {strength:+.1f}")
    return strip(pictures, labels)


def generate(
    text: Annotated[str, typer.Argument(help='A description: "a bald man with a beard".')],
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("out/generated"),
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many faces.")] = 4,
    seed: o.Seed = 0,
    model: o.Model = "default",
    device: o.Device = "auto",
    as_json: o.Json = False,
) -> None:
    """Draw faces that nobody has, by a description."""
    from apps.edits import load_editor
    from multimodal.images import save_image

    editor = load_editor(model, device)
    paths = []
    for index in range(count):
        face = editor.generate(text, seed=seed + index)
        path = out / f"generated-{seed + index}.png"
        paths.append(str(save_image(editor.reconstruct(face), path, f"AI-generated: {text}")))
        face.save(path.with_suffix(".safetensors"))
        say(f"{index + 1}/{count} {path}")
    report({"text": text, "pictures": paths}, as_json)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(edit)
    app.command()(generate)
