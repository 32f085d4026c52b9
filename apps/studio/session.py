"""What the studio remembers of one person: a face, the edits made to it, and those undone.

Sessions are values: every event makes a new one, so a slow event can never mix two people's faces.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image

from apps.edits import EditSpec
from apps.studio.door.home import HOME
from multimodal.editing.finishing import PHOTO, Finished
from multimodal.images import save_image
from multimodal.types import Face, Latent, Offset

MAX_STEPS = 30


def new_folder() -> Path:
    """A folder for files of one person or request; those of long ago are removed."""
    return HOME.new_folder()


def marked(image: Image.Image, description: str) -> str:
    """A picture as a file to show, which says that it was edited by AI, and how."""
    return str(save_image(image, new_folder() / "face.png", description))


def forget_all() -> None:
    """Remove what all sessions of this process wrote."""
    HOME.remove()


@dataclass(frozen=True)
class Step:
    """One edit in the history.

    Args:
        label: what a person reads: the words, the sound's name, the slider's name.
        offset: what it changes at strength 1.
        strength: how far.
        spec: what was asked for, or None for a slider.
        region: the part of the face it shows in, or None for everywhere.
        group: steps of one group replace each other (a slider moved again), or None.
        scores: figures of the edit as it was made; none for a slider.
        notes: how its words were understood.
    """

    label: str
    offset: Offset
    strength: float
    spec: EditSpec | None = None
    region: str | None = None
    group: str | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Session:
    """One person's work.

    Args:
        face: the inverted face.
        before: the face before any step, and the whole photo where there is one.
        after: the same with all steps.
        latent: the code of `after`.
        steps: edits, in order.
        undone: edits taken back, the last first.
        fidelity: "photo" shows the photo changed, "drawing" what the generator draws.
        near: the face is shown, not the whole photo.
        folder: where its downloads are written.
    """

    face: Face
    before: Finished
    after: Finished
    latent: Latent
    steps: tuple[Step, ...] = ()
    undone: tuple[Step, ...] = ()
    fidelity: str = PHOTO
    near: bool = False
    folder: Path = field(default_factory=new_folder)

    @property
    def pictures(self) -> tuple[Image.Image, Image.Image]:
        """What is shown, before and after: the whole photo where there is one, or the face."""
        shown = [
            finished.face if self.near or finished.photo is None else finished.photo
            for finished in (self.before, self.after)
        ]
        return shown[0], shown[1]

    @property
    def scores(self) -> Mapping[str, float]:
        """Figures of the last edit."""
        return self.steps[-1].scores if self.steps else {}

    def with_step(self, step: Step) -> Session:
        """With one more edit; it takes the place of an earlier one of its group.

        Raises:
            ValueError: there are 30 edits already.
        """
        kept = [old for old in self.steps if step.group is None or old.group != step.group]
        if len(kept) >= MAX_STEPS:
            raise ValueError(f"There are {MAX_STEPS} edits already; undo some or start over.")
        return replace(self, steps=(*kept, step), undone=())

    def with_strength(self, strength: float) -> Session:
        """With the last edit at another strength, at which nothing was measured yet."""
        if not self.steps:
            return self
        last = replace(self.steps[-1], strength=strength, scores={})
        return replace(self, steps=(*self.steps[:-1], last))

    def undo(self) -> Session:
        """Without the last edit."""
        if not self.steps:
            return self
        return replace(self, steps=self.steps[:-1], undone=(*self.undone, self.steps[-1]))

    def redo(self) -> Session:
        """With the edit that was undone last."""
        if not self.undone:
            return self
        return replace(self, steps=(*self.steps, self.undone[-1]), undone=self.undone[:-1])

    def reset(self) -> Session:
        """Without any edit."""
        return replace(self, steps=(), undone=())


def forget(session: Session | None) -> None:
    """Remove what a session wrote."""
    if session is not None:
        shutil.rmtree(session.folder, ignore_errors=True)
