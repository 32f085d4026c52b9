"""What the studio does with a face, free of any widget: one editor shared by everybody.

The editor holds no one's face; each call takes a `Session` and returns a new one. A lock keeps
calls one at a time, since they share the machine's cores anyway.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image

from apps.edits import EditSpec, edit_face
from apps.studio.lists import specs_of
from apps.studio.memory import give_back
from apps.studio.moves import (
    MOTIONS,
    Channel,
    channel_offset,
    motions,
    style_count,
    with_motion,
)
from apps.studio.session import Session, Step
from guidance.controls.edits import EditList
from guidance.controls.regions import REGIONS
from multimodal.editing.finishing import PHOTO, Finished, carried
from multimodal.editing.places import named_mask
from multimodal.editing.stacking import Applied, meant_by, stacked
from multimodal.images import load_image, save_image
from multimodal.latents import spaces_of
from multimodal.types import EditResult, Face, OnStep, Progress

if TYPE_CHECKING:
    from apps.clips.motion import Motion
    from multimodal import FaceEditor

MAX_CLIP_SECONDS = 20.0
KEPT_SIDE = 2048
"""Photos are scaled to this side before they are remembered, so that memory stays bounded."""


@dataclass(frozen=True)
class Downloads:
    """Files of the current result; None where there is nothing to save."""

    picture: Path
    photo: Path | None
    latent: Path
    edits: Path | None


class Studio:
    """The editor, as the studio's events use it.

    Args:
        editor: a loaded `FaceEditor`.
    """

    def __init__(self, editor: FaceEditor) -> None:
        self.editor = editor
        self.lock = threading.Lock()

    @contextmanager
    def computing(self) -> Iterator[None]:
        """One computation at a time; what it leaves free is given back."""
        with self.lock:
            try:
                yield
            finally:
                give_back()

    # --- what this model offers -------------------------------------------------------------

    def inversions(self) -> list[str]:
        """Inversion methods, the one for the page first."""
        from multimodal.inversion import METHODS

        first = "encoder" if self.editor.encoder is not None else "adam"
        rest = [name for name in METHODS if name != first]
        return [first, *(name for name in rest if self.editor.encoder or name != "encoder")]

    def methods(self) -> list[str]:
        """Guidance methods, "auto" first."""
        from guidance.registry import METHODS

        return ["auto", *METHODS]

    def regions(self) -> list[str]:
        """Named parts of a face."""
        return list(REGIONS)

    def directions(self) -> list[str]:
        """Named directions of this model."""
        return list(self.editor.directions)

    def sliders(self) -> list[str]:
        """Everything the Explore tab slides along: directions, and motions of the picture."""
        return [*self.directions(), *motions(self.editor.generator)]

    def styles(self) -> int:
        """How many style vectors this model has; 0 where it has no S."""
        generator = self.editor.generator
        return style_count(generator) if "s" in spaces_of(generator) else 0

    # --- faces ------------------------------------------------------------------------------

    def photo(self, path: str | Path) -> Image.Image:
        """A bounded, upright RGB picture of an upload.

        Raises:
            ImageError: not a picture, too large, damaged.
        """
        return load_image(path, side=KEPT_SIDE)

    def count_faces(self, path: str | Path) -> int:
        """How many faces a photo shows (1 for a model that takes pictures as they are)."""
        if self.editor.aligner is None:
            return 1
        from multimodal.faces import detect_faces

        return len(detect_faces(self.photo(path), every=True, enlarged=1.0))

    def invert(
        self, path: str | Path, method: str, which: int | None = None, on_step: OnStep | None = None
    ) -> Face:
        """The face in an upload, inverted.

        Raises:
            ValueError: no picture, no face, or an unknown method.
        """
        image = self.photo(path)
        with self.computing():
            return self.editor.invert(image, method, on_step, which)

    def surprise(self, seed: int) -> Face:
        """A face that nobody has."""
        with self.computing():
            return self.editor.sample(seed)

    def generate(self, text: str | None, seed: int) -> Face:
        """A face that nobody has, by a description where there is one."""
        if text is None:
            return self.surprise(seed)
        with self.computing():
            return self.editor.generate(text, seed=seed)

    def open(self, face: Face) -> Session:
        """A new session about a face."""
        with self.computing():
            before = self._at_rest(face, PHOTO)
        return Session(face, before, before, face.latent)

    def shown_as(self, session: Session, fidelity: str) -> Session:
        """The session with its pictures as photos or as drawings."""
        with self.computing():
            before = self._at_rest(session.face, fidelity)
        return self.redraw(replace(session, before=before, fidelity=fidelity))

    def _at_rest(self, face: Face, fidelity: str) -> Finished:
        return self.editor.finish(face, self.editor.draw(face), fidelity, face.latent.meant)

    def reopen(self, face: Face, old: Session | None) -> Session:
        """A new session about a face, with the edits of an old one; nothing is measured anew."""
        fresh = self.open(face)
        if old is None:
            return fresh
        fresh = replace(fresh, near=old.near)
        if old.fidelity != fresh.fidelity:
            fresh = self.shown_as(fresh, old.fidelity)
        steps, undone = (
            tuple(replace(step, scores={}) for step in steps) for steps in (old.steps, old.undone)
        )
        return self.redraw(replace(fresh, steps=steps, undone=undone))

    # --- edits ------------------------------------------------------------------------------

    def edit(self, face: Face, spec: EditSpec, on_step: OnStep | None = None) -> EditResult:
        """One edit of a face."""
        with self.computing():
            return edit_face(self.editor, face, spec, on_step)

    def add(
        self, session: Session, spec: EditSpec, label: str, on_step: OnStep | None = None
    ) -> Session:
        """One more edit on top of those made."""
        current = session.face.with_latent(session.latent)
        result = self.edit(current, spec, on_step)
        strength = result.scores.get("strength", spec.strength)
        step = Step(label, result.offset, strength, spec, region=spec.region)
        step = replace(step, scores=dict(result.scores), notes=result.notes)
        return self.redraw(session.with_step(step))

    def slide(self, session: Session, name: str, strength: float) -> Session:
        """A named direction, or a motion of the picture, at another strength."""
        if name in MOTIONS and name not in self.editor.directions:
            generator = self.editor.generator_for(session.face)
            return self.redraw(with_motion(session, generator, name, strength))
        offset = self.editor.directions[name]
        return self.redraw(session.with_step(Step(name, offset, strength, group=name)))

    def slide_channel(self, session: Session, channel: Channel, strength: float) -> Session:
        """One channel of S at another strength.

        Raises:
            ValueError: there is no such channel.
        """
        offset = channel_offset(self.editor.generator, channel)
        return self.redraw(
            session.with_step(Step(channel.name, offset, strength, group=channel.name))
        )

    def replay(self, session: Session, path: Path, on_step: OnStep | None = None) -> Session:
        """The edits of a list on the face at hand, in place of those made before.

        Raises:
            ValueError: something in the list that this session may not use, see `specs_of`.
        """
        specs = specs_of(path, session)
        found = self.redraw(session.reset())
        for spec in specs:
            label = spec.text or f"♪ {spec.sounds[0].stem}"
            found = self.add(found, spec, label, on_step)
        return found

    def redraw(self, session: Session) -> Session:
        """The session with its picture drawn anew from its steps: one synthesis.

        Steps of one region show inside that region only; the others show everywhere.
        """
        if not session.steps:
            return replace(session, after=session.before, latent=session.face.latent)
        with self.computing(), torch.no_grad():
            edits = self._applied(session)
            face = carried(session.face, session.fidelity)
            latent, picture = stacked(self.editor.generator_for(face), face.latent, edits)
            meant = meant_by(face.latent, edits)
            after = self.editor.finish(face, picture, session.fidelity, meant)
        return replace(session, after=after, latent=latent)

    def _applied(self, session: Session) -> list[Applied]:
        face = session.face
        return [
            Applied(
                step.offset,
                step.strength,
                step.region,
                None if step.region is None else self._mask(face, step.region),
            )
            for step in session.steps
        ]

    def _mask(self, face: Face, region: str) -> torch.Tensor:
        return named_mask(self.editor.toolkit, face, region)

    # --- files ------------------------------------------------------------------------------

    def downloads(self, session: Session) -> Downloads:
        """Write the files a person may take home."""
        folder = session.folder
        folder.mkdir(exist_ok=True)
        words = "; ".join(step.label for step in session.steps)
        picture = save_image(session.after.face, folder / "semblance-face.png", words)
        photo = None
        if session.after.photo is not None:
            photo = save_image(session.after.photo, folder / "semblance-photo.png", words)
        edited = session.face.with_latent(session.latent)
        latent = edited.save(folder / "semblance-latent.safetensors")
        return Downloads(picture, photo, latent, self._edit_list(session))

    def _edit_list(self, session: Session) -> Path | None:
        """The steps that words or a sound made; directions have no place in an edit list."""
        edits = tuple(
            step.spec.as_edit(step.strength) for step in session.steps if step.spec is not None
        )
        return EditList(edits).save(session.folder / "semblance-edits.json") if edits else None

    # --- longer work ------------------------------------------------------------------------

    def hear(self, path: Path) -> Mapping[str, float]:
        """What the sound encoder hears: texts and their shares, most likely first."""
        from apps.hearing import heard

        with self.computing():
            return heard(self.editor, path)

    def heard_note(self, path: Path) -> str | None:
        """What a sound was taken as, in one line; None of ears that know no words."""
        from apps.hearing import told

        with self.computing():
            known = told(self.editor, path)
        return None if known is None else known.summary

    def heard_strip(self, session: Session, path: Path) -> Path | None:
        """What is heard over time as a picture, and None of ears that know no words."""
        from apps.clips.heard_strip import save_strip
        from apps.hearing import over_time

        with self.computing():
            hop, moments = over_time(self.editor, path)
        return save_strip(hop, moments, session.folder / "heard.png") if moments else None

    def edit_photo(
        self,
        path: Path,
        spec: EditSpec | None,
        session: Session | None,
        on_step: OnStep | None = None,
        every: bool = False,
    ) -> tuple[Image.Image, Mapping[str, float]]:
        """One photo of a batch: its largest face, or `every` one, edited by `spec`, or by the
        steps of `session`."""
        if every and spec is not None:
            from apps.several import edit_every_face

            with self.computing():
                made = edit_every_face(self.editor, self.photo(path), spec, self.inversions()[0])
            return made.photo, made.scores
        face = self.invert(path, self.inversions()[0], None, on_step)
        if spec is not None:
            result = self.edit(face, spec, on_step)
            return result.photo or result.after, result.scores
        mine = self.reopen(face, session)
        return mine.after.photo or mine.after.face, {}

    def animate(
        self, session: Session, motion: Motion, kind: str = "mp4", on_step: OnStep | None = None
    ) -> Path:
        """A clip of the edited face; returns its file.

        Raises:
            ValueError: longer than 20 seconds, an unknown kind, a sound that cannot be read.
        """
        from apps.clips.motion import animate

        if motion.seconds > MAX_CLIP_SECONDS:
            raise ValueError(
                f"{motion.seconds:g} s: clips here last {MAX_CLIP_SECONDS:g} s at most"
            )
        if kind not in ("mp4", "gif", "webp"):
            raise ValueError(f"{kind!r} is not a kind of clip: mp4, gif or webp")

        def on_frames(done: int, total: int) -> None:
            if on_step is not None:
                on_step(Progress(done, total))

        session.folder.mkdir(exist_ok=True)
        face = session.face.with_latent(session.latent)
        motion = replace(motion, fidelity=session.fidelity)
        out = session.folder / f"semblance-clip.{kind}"
        with self.computing():
            return animate(self.editor, face, motion, out, on_frames, resumable=False)
