"""Faces from disk, as the apps take them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from multimodal.editing.fitting import check_code
from multimodal.faces.detect import CLEAR
from multimodal.files.paths import existing_file
from multimodal.types import Face, OnStep

if TYPE_CHECKING:
    from multimodal import FaceEditor

LATENT_SUFFIX = ".safetensors"
ALL = "all"


def which_face(given: str | None) -> int | None:
    """The index that `--face` names; None for the largest.

    Raises:
        ValueError: no number, or "all" where one face is wanted.
    """
    if given is None:
        return None
    if given == ALL:
        raise ValueError("--face all is for edit and batch; here choose one face by its number")
    if not given.isdecimal() or len(given) > 4:
        raise ValueError(f"--face {given}: give a number from 0, or all")
    return int(given)


def notes_of(face: Face) -> tuple[str, ...]:
    """What a person should know about how a face was found."""
    about, notes = face.report, []
    if int(about.get("faces", 1)) > 1:
        notes.append(
            f"{about['faces']} faces found, number {about['face']} is taken (0 is the largest): "
            "`semblance faces` numbers them, --face N or --face all takes others"
        )
    if float(about.get("certainty", 1.0)) < CLEAR:
        notes.append(
            f"this may be no face: it was found with a certainty of {about['certainty']:g}, a "
            "clear face has 0.5 or more"
        )
    return tuple(notes)


def method_of(editor: FaceEditor, asked: str, quick: bool) -> str:
    """An inversion method for "auto": the encoder, in a second, where the photo itself is edited
    and the code need only say how the face changes; else a descent after it, whose
    code yields more to drawn edits than a face's own weights do."""
    if asked != "auto":
        return asked
    return "encoder" if quick and editor.encoder is not None else "hybrid"


def load_face(
    editor: FaceEditor,
    path: Path,
    method: str = "hybrid",
    face_index: int | None = None,
    on_step: OnStep | None = None,
    seed: int = 0,
    aligned: bool = False,
) -> Face:
    """A saved face, or a photo inverted; `aligned`: the picture is an FFHQ crop already.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no face in it, or a face of another model.
    """
    existing_file(path, "photo or saved face")
    if path.suffix.lower() != LATENT_SUFFIX:
        return editor.invert(path, method, on_step, face_index, aligned=aligned, seed=seed)
    face = Face.load(path)
    check_code(editor.generator, face.latent, path.name)
    return face
