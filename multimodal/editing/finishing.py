"""From a drawing of an edited face to what a person gets: the photo, changed; or the drawing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from multimodal.faces.native import native_crop
from multimodal.images import to_pil
from multimodal.meant import Meant
from multimodal.types import EditResult, Face, Latent

if TYPE_CHECKING:
    from PIL.Image import Image

    from multimodal.fidelity import Drawn, Subject

PHOTO, DRAWING = "photo", "drawing"
FIDELITIES = (PHOTO, DRAWING)
"""What an edit of a photo gives: the photo with the change in it, or what the generator draws."""
KEPT = 2
"""Photos that are kept prepared."""


@dataclass(frozen=True)
class Finished:
    """Pictures of an edited face.

    Args:
        face: the aligned face.
        photo: the whole photo, or None where there is none.
    """

    face: Image
    photo: Image | None


class Drawer(Protocol):
    """What finishing needs of an editor."""

    def draw(self, face: Face, latent: Latent | None = None) -> Tensor:
        """The picture of a face, or of another code of it."""
        ...

    def photo(self, face: Face, image: Image, rest: Image | None = None) -> Image | None:
        """The whole photo with a drawn face in its place."""
        ...

    def edit(self, face: Face, text: str | None = None, **options: Any) -> EditResult:
        """The face as words say."""
        ...


@dataclass(frozen=True, eq=False)
class Prepared:
    """What is worked out once for a photo."""

    crop: Image
    rest: Latent
    tuned: Mapping[str, Tensor] | None
    drawn: Drawn
    subject: Subject


class Finishing:
    """Finishes pictures; remembers the photos it saw last."""

    def __init__(self) -> None:
        self._kept: list[Prepared] = []

    def __call__(
        self,
        editor: Drawer,
        face: Face,
        drawn: Tensor,
        fidelity: str = PHOTO,
        meant: tuple[Meant, ...] = (),
    ) -> Finished:
        """The pictures of a face that was drawn `[1, 3, R, R]`.

        Raises:
            ValueError: another fidelity.
        """
        if check_fidelity(fidelity) == DRAWING or not is_photo(face):
            image = to_pil(drawn)
            return Finished(image, self._pasted(editor, face, image))
        from multimodal.fidelity import transfer

        ready = self.prepared(editor, face)
        edited = transfer(ready.subject, ready.drawn, drawn, meant)
        return Finished(edited.face, None if face.photo is None else edited.photo)

    def prepared(self, editor: Drawer, face: Face) -> Prepared:
        """The photo of a face, its mesh, and its drawing before any edit."""
        rest = face.rest or face.latent
        for ready in self._kept:
            same = ready.crop is face.crop and ready.rest.w is rest.w
            if same and ready.tuned is face.tuned:
                return ready
        from multimodal.fidelity import drawn_of, subject_of

        drawn = editor.draw(face, rest)
        crop = crop_of(face, drawn.shape[-1])
        subject = subject_of(face.photo or crop, face.transform, crop, drawn.shape[-1])
        read = drawn_of(drawn, subject.small.shape[0])
        ready = Prepared(face.crop or crop, rest, face.tuned, read, subject)
        self._kept = [*self._kept[1 - KEPT :], ready]
        return ready

    def _pasted(self, editor: Drawer, face: Face, image: Image) -> Image | None:
        if face.photo is None:
            return None
        rest = to_pil(editor.draw(face, face.rest or face.latent))
        return editor.photo(face, image, rest)


def check_fidelity(name: str) -> str:
    """The name of a fidelity.

    Raises:
        ValueError: another name.
    """
    if name not in FIDELITIES:
        raise ValueError(f"fidelity {name!r}: choose one of {', '.join(FIDELITIES)}")
    return name


def carried(face: Face, fidelity: str) -> Face:
    """The face as an edit draws it. Where the photo itself is changed, drawings only say how: there
    everybody's generator does, which moves further under a code than a face's own weights let it.
    """
    if face.tuned is None or fidelity != PHOTO or not is_photo(face):
        return face
    return replace(face, tuned=None)


def is_photo(face: Face) -> bool:
    """Did this face come from a picture, or was it drawn?"""
    return face.crop is not None or face.photo is not None


def crop_of(face: Face, side: int) -> Image:
    """The face at its photo's own resolution, at least `side` pixels a side."""
    if face.crop is not None:
        return face.crop
    if face.photo is not None and face.transform is not None:
        return native_crop(face.photo, face.transform, side)
    return face.aligned
