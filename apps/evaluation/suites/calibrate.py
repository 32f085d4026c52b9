"""Which method, and how hard: what a model's `methods.json` says to "auto"."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from apps.evaluation.measures import edits
from apps.evaluation.measures.edits import Subject
from apps.evaluation.measures.goals import PROMPTS, Wish, flipped
from apps.evaluation.samples import spread
from apps.evaluation.setting import Row, Setting, means
from guidance.common import apply_offset, draw
from guidance.controls.control import IDENTITY_FLOOR
from guidance.methods.delta import DeltaOptions
from guidance.methods.directions import DirectionConfig
from guidance.methods.factors import FactorOptions
from guidance.methods.text_encoder import TextEncoderOptions
from guidance.registry import METHODS
from multimodal.editing.choosing import AUTO_FILE, model_options
from multimodal.editing.finishing import DRAWING
from multimodal.files.weights import atomic
from multimodal.images import to_pil
from multimodal.types import Offset

FACES = 16
FACTORS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""Multiples of a method's own default that are tried."""

GAINS: dict[str, tuple[str, float]] = {
    "factors": ("gain", FactorOptions().gain),
    "flow": ("gain", FactorOptions().gain),
    "direction": ("alpha", DirectionConfig().alpha),
    "delta": ("gain", DeltaOptions().gain),
    "text-encoder": ("gain", TextEncoderOptions().gain),
}
"""The option that scales a method's change, and its default."""

FIGURES = ("success", "good", "identity", "flipped")


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Args:
        auto: the method that "auto" means.
        options: of each quick method, its measured gain, and what the model sets besides.
        table: a row for each method and gain.
    """

    auto: str
    options: dict[str, dict[str, Any]]
    table: list[Row]

    def save(self, folder: Path) -> Path:
        """Write `methods.json`."""
        content = {"auto": self.auto, "options": self.options, "table": self.table}
        with atomic(folder / AUTO_FILE) as part:
            part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        return folder / AUTO_FILE


def calibrate(setting: Setting, wishes: Sequence[Wish] = PROMPTS) -> Choice:
    """Try every quick method at several gains on held-out faces, and choose.

    The gain of a method: the one at which most edits do what was asked and keep the identity
    cosine at 0.80 too; where no identity is measured, at which most do what was asked. The method:
    the same between methods at their gains, fewer flipped attributes in a tie.
    """
    faces = edits.subjects(setting, spread(setting.renders(), FACES))
    table: list[Row] = []
    for method in [name for name in edits.methods(setting) if name in GAINS]:
        rows: list[Row] = []
        for index, subject in enumerate(faces):
            setting.advance(index, len(faces), f"calibrating {method}")
            for wish in edits.fitting(setting, subject, wishes):
                rows += _tried(setting, subject, wish, method)
        table += means(rows, ("method", "option", "value"), FIGURES)
    tools = setting.editor.toolkit
    return choose(table, {name: model_options(tools, name) for name in METHODS})


def choose(table: list[Row], known: Mapping[str, Mapping[str, Any]] | None = None) -> Choice:
    """The best gain of each method in the table, and the best method; "optimize" without any.

    Args:
        table: a row for each method and gain.
        known: options by method that a model sets already; they stay, but for the gains.
    """
    best: list[Row] = []
    for method in dict.fromkeys(row["method"] for row in table):
        best.append(max((row for row in table if row["method"] == method), key=_merit))
    options = {name: dict(settings) for name, settings in (known or {}).items() if settings}
    for row in best:
        options.setdefault(row["method"], {})[row["option"]] = row["value"]
    return Choice(max(best, key=_merit)["method"] if best else "optimize", options, table)


def _merit(row: Row) -> tuple[float, float]:
    figure = row["success"] if row["identity"] is None else row["good"]
    return figure or 0.0, -(row["flipped"] or 0.0)


def _tried(setting: Setting, subject: Subject, wish: Wish, method: str) -> list[Row]:
    """One edit at every gain: a row each."""
    option, base = GAINS[method]
    gain: dict[str, Any] = {option: base}
    result = setting.editor.edit(
        subject.face,
        fidelity=DRAWING,
        text=wish.text,
        method=method,
        seed=setting.plan.seed,
        **gain,
    )
    return [
        {"method": method, "option": option, "value": round(base * factor, 4)}
        | _judged(setting, subject, wish, result.offset, factor)
        for factor in FACTORS
    ]


@torch.no_grad()
def _judged(setting: Setting, subject: Subject, wish: Wish, offset: Offset, factor: float) -> Row:
    """Success, identity and flips of an offset at a factor."""
    generator, tools = setting.editor.generator, setting.editor.toolkit
    latent = apply_offset(generator, subject.face.latent, offset, factor)
    image = draw(generator, latent)
    reading = setting.read(to_pil(image))
    success = wish.fulfilled(setting.judge.config, reading)
    row: Row = {
        "success": success,
        "flipped": len(flipped(setting.judge.config, subject.reading, reading, wish.related)),
        "identity": None,
        "good": None,
    }
    if tools.identity is not None:
        before = draw(generator, subject.face.latent)
        cosine = float((tools.identity(image) * tools.identity(before)).sum())
        row |= {"identity": cosine, "good": success and cosine >= IDENTITY_FLOOR}
    return row
