"""`semblance faces`: which faces a photo shows, with the numbers that `--face` takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.commands import options as o
from apps.console import report, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from multimodal.faces import DetectedFace

LONGEST = 2000
"""Long side of the numbered picture."""

Out = Annotated[
    Path | None, typer.Option(help="The numbered picture; default: PHOTO-faces.jpg, here.")
]


def faces(photo: o.Photo, out: Out = None, as_json: o.Json = False) -> None:
    """List the faces in a photo, and draw their numbers on a copy of it."""
    from apps.outputs import save_plain, with_suffix_of
    from multimodal.faces import detect_faces, pick_face
    from multimodal.images import SUFFIXES, load_image

    target = with_suffix_of(out or Path(f"{photo.stem[:200]}-faces.jpg"), SUFFIXES, "a picture")
    if target.resolve() == photo.resolve():
        raise ValueError(f"--out {target} would overwrite what is read")
    picture = load_image(photo)
    found = detect_faces(picture, every=True)
    pick_face(found)
    save_plain(numbered(picture, found), target)
    rows = [_row(index, face) for index, face in enumerate(found)]
    if as_json:
        report({"photo": photo, "out": target, "faces": rows}, True)
        return
    for row in rows:
        left, top, right, bottom = row["box"]
        print(
            f"{row['face']:>3}  {right - left} x {bottom - top} px at {left}, {top}"
            f"  certainty {row['certainty']:.2f}"
        )
    say(f"{len(rows)} found; their numbers are in {target}")


def numbered(photo: Image.Image, found: Sequence[DetectedFace]) -> Image.Image:
    """A copy of the photo, small enough to look at, with a box and a number at every face."""
    from PIL import ImageDraw, ImageFont

    scale = min(1.0, LONGEST / max(photo.size))
    copy = photo.resize((max(1, round(photo.width * scale)), max(1, round(photo.height * scale))))
    draw = ImageDraw.Draw(copy)
    for index, face in enumerate(found):
        left, top, right, bottom = (value * scale for value in face.box)
        size = int(min(max((bottom - top) * 0.3, 12), 48))
        font = ImageFont.load_default(size=size)
        draw.rectangle((left, top, right, bottom), outline="black", width=max(3, size // 6))
        draw.rectangle((left, top, right, bottom), outline="white", width=max(1, size // 12))
        corner = (max(left, 0), max(top - size * 1.2, 0))
        draw.rectangle(draw.textbbox(corner, str(index), font=font), fill="black")
        draw.text(corner, str(index), fill="white", font=font)
    return copy


def _row(index: int, face: DetectedFace) -> dict[str, Any]:
    box = [round(value) for value in face.box]
    return {"face": index, "box": box, "certainty": round(face.score, 2)}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(faces)
