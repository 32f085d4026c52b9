"""A study from a folder: who made which picture stays in the folder, the page knows numbers alone.

    faces/ours/anna.png  faces/theirs/anna.png  faces/reference/anna.png

Each folder is a method; pictures of one name show the same person. `reference` is what they are
held against.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from multimodal.files.weights import WeightsError, atomic, read_json

REFERENCE, PLAN = "reference", "study.json"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
MOST = 600
"""Pictures of a study: it is one page."""
FORMAT = "semblance study 1"
SCORES = range(1, 6)
KINDS: dict[str, str] = {
    "mos": "How good is this picture?",
    "dmos": "How much worse is the right picture than the left one?",
    "choice": "Which of these three keeps the person best?",
}
"""Kinds of studies and the question that each asks unless another is given: mean opinion score and
degradation score (ITU-T P.800 and P.910), and a forced choice of three."""


@dataclass(frozen=True)
class Question:
    """One question of a page.

    Args:
        methods: whose pictures are shown, in the order of `study.json`.
        name: of the pictures.
        reference: is there one to hold them against?
    """

    methods: tuple[str, ...]
    name: str
    reference: bool

    def paths(self, folder: Path) -> list[Path]:
        """The pictures, the reference last."""
        shown = (*self.methods, REFERENCE) if self.reference else self.methods
        return [folder / method / self.name for method in shown]


@dataclass(frozen=True)
class Study:
    """What is asked.

    Args:
        kind: "mos", "dmos" or "choice".
        questions: in order; a page shuffles them.
    """

    kind: str
    questions: tuple[Question, ...]

    @property
    def key(self) -> str:
        """Stands for the study in people's answers."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    def save(self, folder: Path) -> Path:
        """Write `study.json`, without which answers cannot be read."""
        rows = [[list(q.methods), q.name, q.reference] for q in self.questions]
        path = folder / PLAN
        with atomic(path) as part:
            text = json.dumps({"format": FORMAT, "kind": self.kind, "questions": rows}, indent=1)
            part.write_text(text + "\n", encoding="utf-8")
        return path

    @staticmethod
    def load(folder: Path) -> Study:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: the folder has no study.
            ValueError: something else is in it.
        """
        try:
            values = read_json(folder / PLAN)
            if values.get("format") != FORMAT or values.get("kind") not in KINDS:
                raise WeightsError(f"{folder / PLAN} is not a study")
            return Study(values["kind"], tuple(_question(row) for row in values["questions"]))
        except (KeyError, TypeError, IndexError) as error:
            raise WeightsError(f"{folder / PLAN} is not a study: {error}") from error


def plan_study(folder: Path, kind: str) -> Study:
    """The questions about a folder of methods' folders.

    Args:
        folder: holds a folder a method, and perhaps `reference`.
        kind: "mos" asks about each picture, "dmos" about each beside its reference, "choice" about
            three at a time.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: an unknown kind, or pictures that it cannot be made of.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    found = {path.name: _names(path) for path in sorted(folder.iterdir()) if path.is_dir()}
    reference = found.pop(REFERENCE, set())
    found = {method: names for method, names in found.items() if names}
    if not found:
        raise ValueError(f"{folder} holds no folders of pictures, one a method")
    questions = _questions(found, reference, kind)
    if not questions:
        raise ValueError(_lacking(kind, folder))
    count = sum(len(q.paths(folder)) for q in questions)
    if count > MOST:
        raise ValueError(f"{count} pictures would be shown; a page has {MOST} at most")
    return Study(kind, tuple(questions))


def _questions(found: Mapping[str, set[str]], reference: set[str], kind: str) -> list[Question]:
    names = sorted(set().union(*found.values()))
    if kind == "choice":
        asked = [name for name in names if sum(name in own for own in found.values()) >= 3]
        questions = []
        for index, name in enumerate(asked):
            trios = list(combinations([m for m, own in found.items() if name in own], 3))
            questions.append(Question(trios[index % len(trios)], name, name in reference))
        return questions
    pairs = [(method, name) for name in names for method, own in found.items() if name in own]
    if kind == "dmos":
        return [Question((m,), n, True) for m, n in pairs if n in reference]
    return [Question((m,), n, False) for m, n in pairs]


def _lacking(kind: str, folder: Path) -> str:
    if kind == "dmos":
        return f"{folder / REFERENCE} holds no pictures of the methods' names to compare with"
    return f"{folder} has no picture that three methods made (the same file name in three folders)"


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix.lower() in SUFFIXES}


def _question(row: Any) -> Question:
    methods, name, reference = row
    return Question(tuple(str(m) for m in methods), str(name), bool(reference))
