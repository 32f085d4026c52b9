"""What the studio does with a face, free of any widget: one editor shared by everybody.

The editor holds no one's face; each call takes a `Session` and returns a new one. A lock keeps
calls one at a time, since they share the machine's cores anyway.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from apps.edits import EditSpec, edit_face
from apps.studio.session import Session, Step
from guidance.common import apply_offset, draw
from multimodal.images import load_image, save_image, to_pil
from multimodal.types import EditResult, Face, Latent, OnStep

if TYPE_CHECKING:
    from multimodal import FaceEditor

MAX_PHOTO_PIXELS = 24_000_000
KEPT_SIDE = 2048
"""Photos are scaled to this side before they are remembered, so that memory stays bounded."""


@dataclass(frozen=True)
class Downloads:
    """Files of the current result."""

    picture: Path
    photo: Path | None
    latent: Path


class Studio:
    """The editor, as the studio's events use it.

    Args:
        editor: a loaded `FaceEditor`.
    """

    def __init__(self, editor: FaceEditor) -> None:
        self.editor = editor
        self.lock = threading.Lock()

    def photo(self, path: str | Path) -> Image.Image:
        """A bounded, upright RGB picture of an upload.

        Raises:
            ImageError: not a picture, too large, damaged.
        """
        image = load_image(path, max_pixels=MAX_PHOTO_PIXELS)
        image.thumbnail((KEPT_SIDE, KEPT_SIDE), Image.Resampling.LANCZOS)
        return image

    def invert(
        self, path: str | Path, method: str, which: int | None = None, on_step: OnStep | None = None
    ) -> Face:
        """The face in an upload, inverted.

        Raises:
            ValueError: no picture, no face, or an unknown method.
        """
        image = self.photo(path)
        with self.lock:
            return self.editor.invert(image, method=method, face=which, on_step=on_step)

    def surprise(self, seed: int) -> Face:
        """A face that nobody has."""
        with self.lock, torch.no_grad():
            latent = self.editor.generator.sample(1, seed, 0.7)
            picture = to_pil(draw(self.editor.generator, latent))
        return Face(latent, picture)

    def open(self, face: Face) -> Session:
        """A new session about a face."""
        with self.lock:
            before = self.editor.reconstruct(face)
        return Session(face, before, before, face.latent)

    def edit(self, face: Face, spec: EditSpec, on_step: OnStep | None = None) -> EditResult:
        """One edit of a face."""
        with self.lock:
            return edit_face(self.editor, face, spec, on_step)

    def add(
        self, session: Session, spec: EditSpec, label: str, on_step: OnStep | None = None
    ) -> Session:
        """One more edit on top of those made."""
        current = session.face.with_latent(session.latent)
        result = self.edit(current, spec, on_step)
        step = Step(label, spec.plan(), result.offset, spec.strength)
        return replace(self.redraw(session.with_step(step)), scores=dict(result.scores))

    def redraw(self, session: Session) -> Session:
        """The session with its picture drawn anew from its steps: one synthesis."""
        latent = session.face.latent
        generator = self.editor.generator_of(session.face)
        with self.lock, torch.no_grad():
            for step in session.steps:
                latent = apply_offset(generator, latent, step.offset, step.strength)
            after = to_pil(draw(generator, latent)) if session.steps else session.before
        return replace(session, after=after, latent=latent)

    def downloads(self, session: Session) -> Downloads:
        """Write the files a person may take home."""
        folder = session.folder
        words = "; ".join(step.label for step in session.steps)
        picture = save_image(session.after, folder / "semblance-face.png", words)
        whole = self.pasted(session)
        photo = whole and save_image(whole, folder / "semblance-photo.png", words)
        latent = folder / "semblance-latent.safetensors"
        session.face.with_latent(session.latent).save(latent)
        return Downloads(picture, photo, latent)

    def pasted(self, session: Session) -> Image.Image | None:
        """The whole photo with the edited face in it, or None without a photo."""
        if session.face.photo is None:
            return None
        return self.editor.paste(session.face, session.after)
