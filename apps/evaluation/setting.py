"""What the suites share: the parts they work with, their tables, and means over rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from apps.evaluation.samples import Pack, Sample, spread

if TYPE_CHECKING:
    from multimodal import FaceEditor
    from multimodal.recognition.judge import Judge, Reading
    from multimodal.types import Face

Row = dict[str, Any]
Advance = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Args:
        faces: renders for what takes a fraction of a second each.
        slow_faces: renders for what takes many seconds each; 0 leaves such methods out.
        steps: of the descents that are compared.
        inversion: how faces are inverted before they are edited.
        seed: everything random follows from it.
        repeats: of a timing; the median counts.
    """

    faces: int = 50
    slow_faces: int = 4
    steps: int = 100
    inversion: str = "encoder"
    seed: int = 0
    repeats: int = 3

    def __post_init__(self) -> None:
        for name, least in (("faces", 1), ("slow_faces", 0), ("steps", 1), ("repeats", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} {getattr(self, name)} must be {least} or more")


@dataclass(frozen=True)
class Setting:
    """What a suite works with.

    Args:
        editor: the model.
        judge: sees whether an edit did what was asked.
        pack: faces.
        sounds: sound files.
        out: folder of results.
        plan: how much is measured.
        model: the model's name or path, as `from_pretrained` takes it.
        load: makes a fresh editor of the same model.
        advance: told of progress (done, planned, what).
        photos: folder of photographs, or None.
    """

    editor: FaceEditor
    judge: Judge
    pack: Pack
    sounds: tuple[Path, ...]
    out: Path
    plan: Plan = Plan()
    model: str = "default"
    load: Callable[[], FaceEditor] | None = None
    advance: Advance = lambda done, total, note: None
    photos: Path | None = None
    _faces: dict[str, Face] = field(default_factory=dict, repr=False)

    def renders(self, slow: bool = False) -> list[Sample]:
        """The held-out renders to use, spread over the pack."""
        plan = self.plan
        count = min(plan.slow_faces, plan.faces) if slow else plan.faces
        return spread(self.pack.renders, count)

    def portraits(self, slow: bool = False) -> list[Sample]:
        """The portraits to use; half as many where it is slow."""
        plan = self.plan
        count = (min(plan.slow_faces, plan.faces) + 1) // 2 if slow else plan.faces
        return spread(self.pack.portraits, count)

    def face(self, sample: Sample) -> Face:
        """The sample inverted the way edits are measured; done once."""
        if sample.name not in self._faces:
            method = self.plan.inversion
            if method == "encoder" and self.editor.encoder is None:
                method = "hybrid"
            self._faces[sample.name] = self.editor.invert(
                sample.image, method, aligned=True, seed=self.plan.seed
            )
        return self._faces[sample.name]

    def read(self, image: Image.Image) -> Reading:
        """The judge's reading of a picture."""
        from multimodal.images import to_tensor

        return self.judge.read(to_tensor(image))


@dataclass(frozen=True)
class Table:
    """Rows of figures.

    Args:
        name: short, unique in its suite.
        about: one sentence that says what is measured, and on what.
        rows: one dictionary each; the first one's keys are the columns.
        detail: left out of the report, kept in `results.json`.
    """

    name: str
    about: str
    rows: list[Row]
    detail: bool = False


@dataclass(frozen=True)
class Suite:
    """What a suite found.

    Args:
        name: of the suite.
        tables: its figures.
        pictures: plots and sheets, with what they show.
    """

    name: str
    tables: list[Table]
    pictures: list[tuple[str, Path]] = field(default_factory=list)


def means(rows: Iterable[Row], keys: Sequence[str], figures: Sequence[str]) -> list[Row]:
    """One row for each combination of `keys`, in order of appearance: `n` and the mean of each
    figure over the rows that have it."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(key) for key in keys), []).append(row)
    out = []
    for values, members in groups.items():
        line: Row = dict(zip(keys, values, strict=True)) | {"n": len(members)}
        for name in figures:
            known = [float(m[name]) for m in members if m.get(name) is not None]
            line[name] = sum(known) / len(known) if known else None
        out.append(line)
    return out
