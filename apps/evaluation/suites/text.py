"""Edits by words: every prompt on every face by every method, and edits in both orders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from apps.evaluation.measures import edits
from apps.evaluation.measures.consistency import ABOUT as CONSISTENCY
from apps.evaluation.measures.consistency import consistency
from apps.evaluation.measures.distances import ABOUT as DISTANCES
from apps.evaluation.measures.distances import edited_distances
from apps.evaluation.measures.edits import FIGURES, Subject
from apps.evaluation.measures.goals import PROMPTS, Wish
from apps.evaluation.pictures import Grid, bars, kept
from apps.evaluation.setting import Row, Setting, Suite, Table, means

if TYPE_CHECKING:
    from PIL import Image

    from multimodal.types import EditResult

SHOWN_FACES, SHOWN_PROMPTS = 6, 9
MAPPER = "mapper"


@dataclass
class Found:
    """What the edits gave so far: rows, pictures by method, and two sheets."""

    rows: list[Row] = field(default_factory=list)
    drawn: dict[str, list[Image.Image]] = field(default_factory=dict)
    by_prompt: Grid = field(default_factory=Grid)
    by_face: Grid = field(default_factory=Grid)
    shown: dict[str, str] = field(default_factory=dict)

    def add(self, subject: Subject, wish: Wish, row: Row, result: EditResult, auto: str) -> None:
        """Keep an edit; the first face of every prompt, and the first faces, are shown."""
        self.rows.append(row | {"heldout": wish.heldout})
        self.drawn.setdefault(row["method"], []).append(result.after)
        name = subject.sample.name
        if self.shown.setdefault(wish.text, name) == name:
            self.by_prompt.add(wish.text, "", subject.before)
            self.by_prompt.add(wish.text, row["method"], result.after)
        if row["method"] == auto:
            self._show(subject, wish, result)

    def _show(self, subject: Subject, wish: Wish, result: EditResult) -> None:
        name, known = subject.sample.name, self.by_face
        if (name in known or len(known) < SHOWN_FACES) and known.width(name) <= SHOWN_PROMPTS:
            known.add(name, "", subject.before)
            known.add(name, wish.text, result.after)


def run(setting: Setting, wishes: Sequence[Wish] = PROMPTS) -> Suite:
    """The suite: tables by method, wording and prompt; order of edits; set distances."""
    slow, faces = edits.faces_of(setting)
    found, chosen = Found(), edits.auto(setting)
    for method in [*edits.methods(setting), MAPPER]:
        some = slow if edits.is_slow(method) else faces
        for subject, wish, row, result in _edits(setting, some, wishes, method):
            found.add(subject, wish, row, result, chosen)
    return Suite("text", _tables(setting, faces, found, wishes), _pictures(setting, found))


def _edits(
    setting: Setting, faces: Sequence[Subject], wishes: Sequence[Wish], method: str
) -> Iterator[tuple[Subject, Wish, Row, EditResult]]:
    """Every edit of a method that makes sense; a mapper only where one was trained."""
    if method == MAPPER:
        wishes = [wish for wish in wishes if edits.has_mapper(setting, wish.text)]
    for index, subject in enumerate(faces):
        setting.advance(index, len(faces), f"text edits by {method}")
        for wish in edits.fitting(setting, subject, wishes):
            row, result = edits.measured(setting, subject, wish, method, text=wish.text)
            yield subject, wish, row, result


def _tables(
    setting: Setting, faces: list[Subject], found: Found, wishes: Sequence[Wish]
) -> list[Table]:
    rows = edits.with_auto(setting, found.rows)
    size = (
        f"{len(faces)} held-out renders ({setting.plan.slow_faces} for optimisations), "
        f"{len(wishes)} prompts; faces that have it already are left out."
    )
    before = [subject.before for subject in faces]
    wording = "`heldout`: words that no training caption has."
    return [
        Table("by method", f"{size} {edits.ABOUT}", means(rows, ("method",), FIGURES)),
        Table("by wording", wording, means(rows, ("method", "heldout"), FIGURES)),
        Table("by prompt", "The same by prompt.", means(rows, ("prompt", "method"), FIGURES)),
        Table("order of edits", CONSISTENCY, consistency(setting, faces)),
        Table("set distances", DISTANCES, edited_distances(setting, before, found.drawn)),
        Table("every edit", "", rows, detail=True),
    ]


def _pictures(setting: Setting, found: Found) -> list[tuple[str, Path]]:
    by_method = means(edits.with_auto(setting, found.rows), ("method",), FIGURES)
    plot = bars(setting.out / "text.png", by_method, "method", ("success", "good", "identity"))
    prompts = found.by_prompt.save(setting.out / "text-prompts.png", "text edits by prompt")
    faces = found.by_face.save(setting.out / "text-faces.png", "text edits by face")
    return kept(
        [
            ("Success, success with identity kept, and identity.", plot),
            ("One face a prompt, by every method.", prompts),
            ("Faces by prompts, as `auto` edits them.", faces),
        ]
    )
