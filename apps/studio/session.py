"""What the studio remembers of one person: a face, the edits made to it, and those undone.

Sessions are values: every event makes a new one, so a slow event can never mix two people's faces.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image

from apps.edits import EditSpec
from multimodal.types import Face, Latent, Offset

MAX_STEPS = 30
FOLDER_SECONDS = 2 * 3600


def new_folder() -> Path:
    """A folder for files of one person or request; those of long ago are removed."""
    home = Path(tempfile.gettempdir()) / f"semblance-studio-{os.getpid()}"
    home.mkdir(mode=0o700, exist_ok=True)
    for old in home.iterdir():
        if time.time() - old.stat().st_mtime > FOLDER_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(dir=home))


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
    """

    label: str
    offset: Offset
    strength: float
    spec: EditSpec | None = None
    region: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Session:
    """One person's work.

    Args:
        face: the inverted face.
        before: its reconstruction.
        after: the picture with all steps.
        latent: the code of `after`.
        steps: edits, in order.
        undone: edits taken back, the last first.
        scores: figures of the last edit.
        folder: where its downloads are written.
    """

    face: Face
    before: Image.Image
    after: Image.Image
    latent: Latent
    steps: tuple[Step, ...] = ()
    undone: tuple[Step, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    folder: Path = field(default_factory=new_folder)

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
        """With the last edit at another strength."""
        if not self.steps:
            return self
        last = replace(self.steps[-1], strength=strength)
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
