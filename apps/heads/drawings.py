"""Drawings turned into faces, as files: what `semblance draw` writes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from apps.outputs import with_suffix_of
from multimodal.editing.drawing import CONDITIONS, DrawOptions, draw_faces
from multimodal.files.paths import existing_file
from multimodal.images import SUFFIXES, load_image, save_image
from multimodal.types import OnStep

if TYPE_CHECKING:
    from multimodal import FaceEditor

MOST = 4096


def check_drawing(drawing: Path, out: Path, kind: str) -> None:
    """Refuse what cannot be drawn, before a model is loaded.

    Raises:
        FileNotFoundError: no such drawing.
        ValueError: an unknown kind, or an output that is no picture.
    """
    with_suffix_of(out, SUFFIXES, "a picture")
    if kind not in CONDITIONS:
        raise ValueError(f"--as {kind!r} is not one of {', '.join(CONDITIONS)}")
    existing_file(drawing, "drawing")
    read_drawing(drawing)


def read_drawing(path: Path) -> Image.Image:
    """A picture with its transparency and its palette, which tell what was drawn.

    Raises:
        ValueError: no picture, or too large a one.
    """
    if path.suffix.lower() != ".png":
        return load_image(path, side=MOST)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=["PNG"]) as image:
                if max(image.size) > MOST:
                    raise ValueError(f"it has a side of over {MOST} pixels")
                image.load()
                return image.copy()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{path.name} cannot be read as a drawing: {error}") from error


def draw_file(
    editor: FaceEditor,
    drawing: Path,
    out: Path,
    kind: str,
    text: str | None = None,
    seed: int = 0,
    search: int = 60,
    codes: bool = False,
    on_step: OnStep | None = None,
) -> dict[str, Any]:
    """Write a face as it was drawn, and its code beside it if asked; returns the report.

    Raises:
        ValueError: nothing drawn, or a model that lacks what the kind needs.
    """
    options = DrawOptions(steps=search)
    found = draw_faces(
        editor, read_drawing(drawing), kind, text, seed=seed, options=options, on_step=on_step
    )
    save_image(found.face.aligned, out, f"AI-generated face from a {kind}")
    told = {"out": str(out), **found.report}
    if codes:
        told["code"] = str(found.face.save(out.with_suffix(".safetensors")))
    return told
