"""How long an edit takes by each method: `python -m benchmarks.edits --model default`.

Prints one Markdown table: an edit of a face and a change of its strength, both beside one
plain drawing of the same face, which no edit can do without.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.evaluation.suites import speed
from benchmarks.memory import peak
from benchmarks.table import HEADER, Figure, markdown
from multimodal import FaceEditor
from multimodal.editing.choosing import AUTO_ORDER
from multimodal.types import EditResult, Face

PROMPT = "a smiling person"
ONCE = "one drawing"
SLOW = ("optimize",)
"""Methods that descend anew for every edit: timed once, after one
that does not count."""


@dataclass(frozen=True)
class Bench:
    """An editor with a face to edit.

    Args:
        editor: of the model.
        face: of the generator.
        repeats: of everything quick.
    """

    editor: FaceEditor
    face: Face
    repeats: int = 5

    def edit(self, method: str) -> EditResult:
        """One edit."""
        return self.editor.edit(self.face, text=PROMPT, method=method)

    def figures(self, method: str, drawing: float) -> list[Figure]:
        """An edit and a change of strength beside `drawing`, the seconds of one drawing."""
        offset = self.edit(method).offset
        held = peak(lambda: self.edit(method))
        seconds = timed(lambda: self.edit(method), 1 if method in SLOW else self.repeats)
        again = timed(lambda: self.editor.apply(self.face, offset, 0.7), self.repeats)
        return [
            Figure(f"edit by `{method}`", seconds, ONCE, drawing, held, "scores included"),
            Figure(f"another strength of `{method}`", again, ONCE, drawing),
        ]


def figures(editor: FaceEditor, methods: Sequence[str], repeats: int = 5) -> Iterator[Figure]:
    """Two lines a method: an edit, and a change of strength.

    Args:
        editor: of the model.
        methods: names of guidance methods it has.
        repeats: of everything quick.
    """
    bench = Bench(editor, editor.sample(0), repeats)
    drawing = timed(lambda: editor.draw(bench.face), repeats)
    for method in methods:
        yield from bench.figures(method, drawing)


def methods_of(editor: FaceEditor) -> list[str]:
    """The methods whose files a model has, and optimisation, which needs none."""
    folder = editor.toolkit.folder
    held = [m for m, file in AUTO_ORDER if folder and (Path(folder) / file).is_file()]
    return [*held, *SLOW]


def timed(action: Callable[[], object], repeats: int) -> float:
    """Median seconds of an action, after one call that does not count."""
    action()
    return speed.timed(action, repeats)


def main(arguments: list[str] | None = None) -> None:
    """Parse the options, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="default")
    parser.add_argument("--methods", nargs="*", help="default: all that the model has")
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args(arguments)
    editor = FaceEditor.from_pretrained(asked.model)
    found = figures(editor, asked.methods or methods_of(editor), asked.repeats)
    print(markdown(HEADER, (figure.cells() for figure in found)))


if __name__ == "__main__":
    main()
