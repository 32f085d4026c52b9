"""What the studio's tools do, free of any widget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from apps.edits import EditSpec
from apps.studio.checks import Painted
from apps.studio.service import Studio
from apps.studio.session import Session, new_folder
from multimodal.editing.composing import MODES, Place, compose
from multimodal.editing.drawing import DrawOptions, QuickFaces, draw_faces, square
from multimodal.editing.restoring import restore_photo
from multimodal.heads import Pose, Solid, pose, solid_of
from multimodal.heads.gltf import save_glb
from multimodal.images import load_image, save_image
from multimodal.parsing.files import model_parser
from multimodal.types import OnStep

if TYPE_CHECKING:
    from multimodal.parsing import FaceParser

MOST_PAINTED = 2048
"""Longest side of a canvas that is read."""


@dataclass(frozen=True)
class Made:
    """Files of a tool's result."""

    picture: Path
    mesh: Path | None = None


class Tools:
    """The tools over one studio.

    Args:
        studio: its editor, and its queue.
    """

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._solid: tuple[Image.Image, Solid] | None = None
        self._quick: QuickFaces | None = None

    def turn(self, session: Session, how: Pose) -> Made:
        """The photo as it is shown, its head turned or lit; and the head's mesh.

        Raises:
            ValueError: nothing to turn, or no face whose shape can be found.
        """
        if how.still:
            raise ValueError("Move a slider, or choose where light comes from.")
        after, folder = session.after, new_folder()
        photo = after.face if after.photo is None else after.photo
        with self.studio.computing():
            solid = self._solid_of(photo, aligned=after.photo is None)
            picture = save_image(pose(solid, how).photo, folder / "turned.png", "head turned by AI")
            return Made(picture, save_glb(solid, folder / "face.glb"))

    def mend(
        self, painted: Painted | None, task: str, steps: int, on_step: OnStep | None = None
    ) -> Made:
        """A photo restored; where it was painted on, it is filled.

        Raises:
            ValueError: no photo, no hole to fill, no face.
        """
        if painted is None or painted.under is None:
            raise ValueError("Upload a photo to the canvas first.")
        photo = self.studio.photo(painted.under)
        mask = None
        if task == "inpaint":
            mask = mask_of(painted)
            if mask is None:
                raise ValueError("Paint over what is missing first.")
        with self.studio.computing():
            editor = self.studio.editor
            found = restore_photo(editor, photo, task, mask=mask, steps=steps, on_step=on_step)
        return Made(save_image(found.photo, new_folder() / "mended.png", f"restored by AI: {task}"))

    def join(
        self,
        session: Session,
        other: str | None,
        mode: str,
        region: str | None,
        strength: float,
        on_step: OnStep | None = None,
    ) -> Made:
        """The face with something of another.

        Raises:
            ValueError: no other photo, no face in it, or a mode that needs a region.
        """
        if other is None:
            raise ValueError("Choose the other photo first.")
        theirs = self.studio.invert(other, self.studio.inversions()[0], on_step=on_step)
        place = Place(region or MODES[mode].region)
        with self.studio.computing():
            face = session.face.with_latent(session.latent)
            made = compose(
                self.studio.editor, face, theirs, mode, place, strength=strength, on_step=on_step,
                fidelity=session.fidelity,
            )  # fmt: skip
        whole = made.after if made.photo is None else made.photo
        return Made(save_image(whole, new_folder() / "joined.png", f"composed by AI: {mode}"))

    def draw(
        self,
        painted: Painted | None,
        kind: str,
        text: str | None,
        seed: int,
        steps: int,
        on_step: OnStep | None = None,
    ) -> Session:
        """A session about the face that was drawn.

        Raises:
            ValueError: nothing drawn, or a model that lacks what the kind needs.
        """
        picture = painting_of(painted)
        if picture is None:
            raise ValueError("Draw something on the canvas first.")
        with self.studio.computing():
            options = DrawOptions(steps=steps)
            found = draw_faces(
                self.studio.editor, picture, kind, text, seed=seed, options=options, on_step=on_step
            )
        return self.studio.open(found.face)

    def sketch(self, painted: Painted | None, kind: str, seed: int) -> Image.Image | None:
        """The face for what is drawn so far, without a search; None: nothing is."""
        picture = painting_of(painted)
        if picture is None:
            return None
        with self.studio.computing():
            if self._quick is None or self._quick.seed != seed:
                self._quick = QuickFaces(self.studio.editor, seed)
            return self._quick(square(picture), kind)

    def film(
        self,
        film: str | None,
        text: str | None,
        strength: float,
        advance: Callable[[int, int, str], None],
    ) -> Path:
        """A film with its faces changed.

        Raises:
            ValueError: no film or words, no face in it.
        """
        from apps.clips.filming import Filming, edit_film

        if film is None:
            raise ValueError("Choose a film first.")
        if text is None:
            raise ValueError("Say what the face should look like.")
        spec = EditSpec(text=text, strength=strength)
        out = new_folder() / "film.mp4"
        with self.studio.computing():
            method = self.studio.inversions()[0]
            edit_film(self.studio.editor, Path(film), out, Filming(spec, method), advance)
        return out

    def _solid_of(self, photo: Image.Image, aligned: bool) -> Solid:
        """The head in a photo; the last one is remembered, for sliders move often."""
        if self._solid is None or self._solid[0] is not photo:
            parser: Any = self.studio.editor.toolkit.parser or _default_parser()
            self._solid = (photo, solid_of(photo, parser, aligned=aligned))
        return self._solid[1]


def mask_of(painted: Painted) -> Image.Image | None:
    """Where something was painted, white; None where nothing was."""
    picture = painting_of(painted)
    return None if picture is None else picture.getchannel("A").point(lambda a: 255 * (a > 40))


def painting_of(painted: Painted | None) -> Image.Image | None:
    """What was painted, transparent elsewhere; None where nothing was.

    Raises:
        ValueError: a layer that is no picture, or too large a one.
    """
    found: Image.Image | None = None
    for source in () if painted is None else painted.layers:
        layer = _layer(source)
        if found is not None and found.size != layer.size:
            layer = layer.resize(found.size)
        found = layer if found is None else Image.alpha_composite(found, layer)
    return found if found is not None and np.asarray(found)[..., 3].any() else None


def _layer(source: Path | bytes) -> Image.Image:
    load_image(source, max_pixels=MOST_PAINTED**2)  # the bounded reader decides what is opened
    file = BytesIO(source) if isinstance(source, bytes) else source
    with Image.open(file, formats=["PNG", "WEBP"]) as image:
        return image.convert("RGBA")


def _default_parser() -> FaceParser:
    return model_parser("default")
