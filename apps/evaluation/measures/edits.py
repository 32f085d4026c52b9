"""One edit, measured: did it do what was asked, is it still the same person, what else changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.clips.motion import SLOW_METHODS
from apps.evaluation.measures.goals import Wish, flipped
from apps.evaluation.samples import Sample
from apps.evaluation.setting import Row, Setting
from guidance.controls.control import IDENTITY_FLOOR
from guidance.methods.mapper import mapper_path
from multimodal.editing.choosing import AUTO_ORDER, pick_method
from multimodal.editing.finishing import DRAWING

if TYPE_CHECKING:
    from PIL import Image

    from multimodal.recognition.judge import Reading
    from multimodal.types import EditResult, Face

FIGURES = (
    *("success", "kept", "good", "identity", "flipped", "clip_after", "clip_gain"),
    *("direction", "lpips", "seconds"),
)
"""Columns of an edit's row that are averaged."""

ABOUT = (
    "`success`: the judge sees what was asked and did not before; `kept`: identity cosine of "
    f"{IDENTITY_FLOOR:.2f} or more; `good`: both; `flipped`: unrelated attributes that changed, "
    "a face; `clip_after`, `clip_gain`: CLIP similarity to the target, and how much of it is new; "
    "`direction`: directional similarity; `lpips`: distance to the face before."
)


@dataclass(frozen=True)
class Subject:
    """A face to edit, and how the judge reads it before.

    Args:
        sample: where it comes from.
        face: inverted.
        before: its reconstruction.
        reading: of the reconstruction.
    """

    sample: Sample
    face: Face
    before: Image.Image
    reading: Reading


def subjects(setting: Setting, samples: Sequence[Sample]) -> list[Subject]:
    """The samples, inverted and read."""
    found = []
    for index, sample in enumerate(samples):
        setting.advance(index, len(samples), "inverting faces")
        face = setting.face(sample)
        before = setting.editor.reconstruct(face)
        found.append(Subject(sample, face, before, setting.read(before)))
    return found


def faces_of(setting: Setting) -> tuple[list[Subject], list[Subject]]:
    """The faces for slow methods, and all faces, those first."""
    slow = subjects(setting, setting.renders(slow=True))
    known = {subject.sample.name for subject in slow}
    rest = [sample for sample in setting.renders() if sample.name not in known]
    return slow, [*slow, *subjects(setting, rest)]


def methods(setting: Setting) -> list[str]:
    """The guidance methods whose files the model has; then optimisation, where faces are planned
    for it or there is nothing else."""
    folder = setting.editor.toolkit.folder
    made = getattr(setting.editor, "guidances", {})
    quick = [
        name
        for name, file in AUTO_ORDER
        if name in made or (folder is not None and (Path(folder) / file).is_file())
    ]
    return [*quick, "optimize"] if setting.plan.slow_faces or not quick else quick


def is_slow(method: str) -> bool:
    """Does an edit by it take many seconds?"""
    return method in SLOW_METHODS


def has_mapper(setting: Setting, text: str) -> bool:
    """Does the model hold a mapper that was trained for this prompt?"""
    folder = setting.editor.toolkit.folder
    return folder is not None and mapper_path(folder, text).is_file()


def auto(setting: Setting) -> str:
    """What the model's "auto" means."""
    return pick_method(setting.editor.toolkit)


def measured(
    setting: Setting, subject: Subject, wish: Wish, method: str, **wanted: Any
) -> tuple[Row, EditResult]:
    """Make one edit and measure it.

    Args:
        setting: the parts.
        subject: the face.
        wish: what is asked for; judged by its goals.
        method: a guidance method.
        wanted: `text=` or `sound=`, and options of the method.

    Returns:
        the row of figures, and the edit.
    """
    result = setting.editor.edit(
        subject.face, method=method, seed=setting.plan.seed, fidelity=DRAWING, **wanted
    )
    after = setting.read(result.after)
    return _row(setting, subject, wish, method, result, after), result


def _row(
    setting: Setting,
    subject: Subject,
    wish: Wish,
    method: str,
    result: EditResult,
    after: Reading,
) -> Row:
    config, scores = setting.judge.config, result.scores
    success = wish.fulfilled(config, after) if wish.goals else None
    identity = scores.get("identity")
    kept = None if identity is None else identity >= IDENTITY_FLOOR
    changed = flipped(config, subject.reading, after, wish.related)
    return {
        "face": subject.sample.name,
        "prompt": wish.text,
        "method": method,
        "success": success,
        "kept": kept,
        "good": None if success is None or kept is None else success and kept,
        "identity": identity,
        "flipped": len(changed),
        "what_flipped": changed,
        "share_before": wish.share(config, subject.reading),
        "share_after": wish.share(config, after),
        "clip_after": scores["clip_after"],
        "clip_gain": scores["clip_after"] - scores["clip_before"],
        "direction": scores["direction"],
        "lpips": scores.get("lpips"),
        "seconds": scores["seconds"],
    }


def with_auto(setting: Setting, rows: list[Row]) -> list[Row]:
    """The rows, those of the method that "auto" means once more under its name."""
    chosen = auto(setting)
    again = [{**row, "method": f"auto (= {chosen})"} for row in rows if row["method"] == chosen]
    return [*rows, *again]


def fitting(setting: Setting, subject: Subject, wishes: Sequence[Wish]) -> Iterator[Wish]:
    """The wishes that make sense on a face and are not fulfilled there yet."""
    for wish in wishes:
        if wish.applies(setting.judge.config, subject.reading):
            yield wish
