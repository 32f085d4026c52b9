"""What a photo-true edit takes: `python -m benchmarks.photos --model default`.

Prints one Markdown table: the first edit of a photo, and another strength of it, at two sizes of
the face's crop, beside one plain drawing of the same face.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from apps.samples import faces
from benchmarks.edits import ONCE, timed
from benchmarks.memory import peak
from benchmarks.table import HEADER, Figure, markdown
from multimodal import FaceEditor
from multimodal.images import load_image
from multimodal.types import Face

PROMPTS = ("a smiling person", "red hair")
SIDES = (1024, 2048)


def photo_of(editor: FaceEditor, side: int) -> Face:
    """A sample photo, enlarged so that the face's crop has about so many pixels a side."""
    photo = load_image(faces()[0])
    found = editor.invert(photo, "encoder")
    own = photo.width if found.transform is None else found.transform.side
    size = (round(photo.width * side / own), round(photo.height * side / own))
    return editor.invert(photo.resize(size), "encoder")


def figures(editor: FaceEditor, sides: Sequence[int], repeats: int = 5) -> Iterator[Figure]:
    """Two lines a size and prompt: the first edit after inversion, and another strength.

    Args:
        editor: of the model.
        sides: of the crop, in pixels.
        repeats: of everything quick.
    """
    for side in sides:
        face = photo_of(editor, side)
        drawing = timed(partial(editor.draw, face), repeats)
        for prompt in PROMPTS:
            work = f'"{prompt}" at {side} px'
            edit = partial(_first, editor, face, prompt)
            offset = editor.edit(face, text=prompt).offset
            first, held = timed(edit, 1), peak(edit)
            yield Figure(f"first edit, {work}", first, ONCE, drawing, held, "scores included")
            again = timed(partial(editor.apply, face, offset, 0.7), repeats)
            yield Figure(f"another strength, {work}", again, ONCE, drawing)


def _first(editor: FaceEditor, face: Face, prompt: str) -> object:
    """An edit of a face that was not edited before: nothing is kept of it."""
    crop = None if face.crop is None else face.crop.copy()
    return editor.edit(replace(face, crop=crop), text=prompt)


def main(arguments: list[str] | None = None) -> None:
    """Parse the options, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="default")
    parser.add_argument("--sides", nargs="*", type=int, default=list(SIDES))
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args(arguments)
    editor = FaceEditor.from_pretrained(asked.model)
    found = figures(editor, asked.sides, asked.repeats)
    print(markdown(HEADER, (figure.cells() for figure in found)))


if __name__ == "__main__":
    main()
