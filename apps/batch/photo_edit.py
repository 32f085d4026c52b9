"""What a batch does to one photo, as plain data that can travel to other machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from apps.batch.batch import Process
from apps.batch.manifest import Item
from apps.edits import EditSpec, edit_face, load_editor
from apps.faces import ALL, load_face, method_of, which_face
from apps.several import edit_every_face
from multimodal.editing.finishing import PHOTO
from multimodal.editing.names import check_edit
from multimodal.images import TAKEN, date_taken
from multimodal.inversion.invert import check_inversion

if TYPE_CHECKING:
    from multimodal import FaceEditor


@dataclass(frozen=True)
class PhotoEdit:
    """An edit and the model that makes it.

    Args:
        spec: what to do; a manifest's row may override parts of it.
        inversion: how photos are inverted.
        model: the model's name or file.
        device: where to compute.
        encoder: another inversion encoder, or None.
        clip: another CLIP, or None.
        aligned: the pictures are FFHQ-aligned crops already.
        face: which face of each photo, "all" for every one; None for the largest.
        keep_date: keep when each photo was taken.
    """

    spec: EditSpec
    inversion: str = "auto"
    model: str = "default"
    device: str = "auto"
    encoder: str | None = None
    clip: str | None = None
    aligned: bool = False
    face: str | None = None
    keep_date: bool = False

    def plan(self) -> dict[str, Any]:
        """What decides the pictures; a batch goes on only under the same plan."""
        rest = {"encoder": self.encoder, "clip": self.clip}
        if self.aligned:
            rest["aligned"] = "yes"
        if self.face is not None:
            rest["face"] = self.face
        if self.keep_date:
            rest["date"] = "kept"
        return {**self.spec.plan(), "inversion": self.inversion, "model": self.model, **rest}

    def load(self) -> Process:
        """Load the model; returns the function that edits one photo.

        Raises:
            ValueError: something no photo could be edited with.
        """
        editor = load_editor(self.model, self.device, self.encoder, self.clip)
        index = None if self.face == ALL else which_face(self.face)
        method = method_of(editor, self.inversion, self.spec.fidelity == PHOTO)
        self._check(editor, method)

        def process(item: Item) -> tuple[Image.Image, Mapping[str, float]]:
            spec = self.spec.overridden(item.overrides)
            if self.face == ALL:
                made = edit_every_face(editor, item.path, spec, method)
                return made.photo, made.scores
            face = load_face(editor, item.path, method, index, seed=spec.seed, aligned=self.aligned)
            result = edit_face(editor, face, spec)
            return result.photo or result.after, result.scores

        def dated(item: Item) -> tuple[Image.Image, Mapping[str, float]]:
            picture, scores = process(item)
            picture.info[TAKEN] = date_taken(item.path)
            return picture, scores

        return dated if self.keep_date else process

    def _check(self, editor: FaceEditor, method: str) -> None:
        """Refuse before the first photo what would fail with every one."""
        check_inversion(method, editor.encoder is not None)
        spec = self.spec
        if spec.edits is None:
            text = None if spec.sounds else spec.text
            check_edit(editor, spec.method, spec.region, spec.keep, spec.layers or None, text)
