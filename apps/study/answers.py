"""People's answers as a table: each method's figure with its two-sided confidence interval."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from apps.study.plan import SCORES, Study
from multimodal.files.weights import atomic, read_json

CONFIDENCE = 0.95
MAX_FILES = 10_000


@dataclass(frozen=True)
class Figure:
    """What people think of a method.

    Args:
        method: its folder's name.
        figure: "mos", "dmos" (1 to 5, more is better) or "chosen" (share of its showings, 1/3 is
            chance).
        value: the mean, or the share.
        low, high: ends of the two-sided 95% interval: Student's over people's own means where
            there are two people or more, Wilson's for shares; empty where one person tells nothing.
        answers: how many.
        people: how many.
    """

    method: str
    figure: str
    value: float
    low: float
    high: float
    answers: int
    people: int


def read_answers(study: Study, given: Iterable[Path]) -> dict[str, dict[int, int]]:
    """Each person's answers by question.

    Args:
        study: what was asked.
        given: files of answers, or folders of them.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another study's answers, one person twice, or an answer that was not offered.
    """
    found: dict[str, dict[int, int]] = {}
    for path in _files(given):
        values = read_json(path)
        if values.get("study") != study.key:
            raise ValueError(f"{path.name} holds no answers to this study")
        person = str(values.get("person"))[:80]
        if person in found:
            raise ValueError(f"{path.name} holds the answers of one person a second time")
        found[person] = _checked(study, values.get("answers"), path.name)
    if not any(found.values()):
        raise ValueError("there are no answers")
    return found


def figures(study: Study, answers: dict[str, dict[int, int]]) -> list[Figure]:
    """A row a method, best first."""
    given: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for person, own in answers.items():
        for index, value in own.items():
            for place, method in enumerate(study.questions[index].methods):
                chosen = int(value == place) if study.kind == "choice" else value
                given[method][person].append(chosen)
    rows = [_figure(study.kind, method, people) for method, people in given.items()]
    return sorted(rows, key=lambda row: (-row.value, row.method))


def save_table(rows: Sequence[Figure], path: Path) -> Path:
    """Write the figures as CSV."""
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [field.name for field in fields(Figure)])
        table.writeheader()
        for row in rows:
            values = {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(row).items()}
            table.writerow({k: "" if v != v else v for k, v in values.items()})
    return path


def mean_interval(people: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Student's two-sided interval of the mean over people's own means; two NaN for one person."""
    means = np.array([np.mean(own) for own in people])
    if len(means) < 2:
        return math.nan, math.nan
    from scipy.stats import t

    half = t.ppf((1 + CONFIDENCE) / 2, len(means) - 1) * means.std(ddof=1) / math.sqrt(len(means))
    return float(means.mean() - half), float(means.mean() + half)


def share_interval(hits: int, count: int) -> tuple[float, float]:
    """Wilson's two-sided interval of a share (Wilson 1927)."""
    from scipy.stats import norm

    z = float(norm.ppf((1 + CONFIDENCE) / 2))
    share, room = hits / count, 1 + z * z / count
    middle = (share + z * z / (2 * count)) / room
    half = z / room * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def _figure(kind: str, method: str, people: dict[str, list[int]]) -> Figure:
    every = [value for own in people.values() for value in own]
    if kind == "choice":
        share = sum(every) / len(every)
        ends = share_interval(sum(every), len(every))
        return Figure(method, "chosen", share, *ends, len(every), len(people))
    own = list(people.values())
    mean = float(np.mean([np.mean(scores) for scores in own]))
    return Figure(method, kind, mean, *mean_interval(own), len(every), len(people))


def _checked(study: Study, answers: Any, source: str) -> dict[int, int]:
    if not isinstance(answers, dict):
        raise ValueError(f"{source} holds no answers")
    offered = range(3) if study.kind == "choice" else SCORES
    found = {}
    for name, value in answers.items():
        index = int(name) if name.isdecimal() and len(name) < 8 else -1
        if not 0 <= index < len(study.questions):
            raise ValueError(f"{source} answers question {name[:20]!r}, which was not asked")
        if type(value) is not int or value not in offered:
            raise ValueError(f"{source}: {value!r:.40} is no answer to question {name}")
        found[index] = value
    return found


def _files(given: Iterable[Path]) -> list[Path]:
    files: list[Path] = []
    for path in given:
        files += sorted(path.glob("*.json")) if path.is_dir() else [path]
    if len(files) > MAX_FILES:
        raise ValueError(f"{len(files)} files of answers are more than {MAX_FILES}")
    return files
