"""One edit for every face of a photo, one after the other, each on top of those before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from apps.edits import EditSpec, edit_face
from multimodal.images import ImageSource, load_image

if TYPE_CHECKING:
    from PIL.Image import Image

    from multimodal import FaceEditor
    from multimodal.types import EditResult, Face

MAX_FACES = 64
"""Faces of one photo that are edited; a photo of a stadium has more than anybody would wait for."""


@dataclass(frozen=True)
class EveryFace:
    """What became of a photo's faces.

    Args:
        photo: the whole picture with all edits.
        faces: as they were before, in the order of their edits, the largest first.
        results: their edits.
    """

    photo: Image
    faces: tuple[Face, ...]
    results: tuple[EditResult, ...]

    @property
    def scores(self) -> dict[str, float]:
        """The mean of every score, the sum of the seconds, and how many faces there were."""
        names = {name for result in self.results for name in result.scores}
        kept = {}
        for name in sorted(names):
            values = [r.scores[name] for r in self.results if name in r.scores]
            kept[name] = sum(values) / (1 if name == "seconds" else len(values))
        return {**kept, "faces": float(len(self.results))}


def edit_every_face(
    editor: FaceEditor,
    source: ImageSource,
    spec: EditSpec,
    method: str,
    on_face: Callable[[int, int], None] | None = None,
) -> EveryFace:
    """Edit all faces of a photo alike.

    Args:
        editor: with an aligner, which finds them.
        source: the photo.
        spec: the edit.
        method: of inversion.
        on_face: called after each face with (done, total).

    Raises:
        ValueError: no picture, no face, or more than `MAX_FACES`.
    """
    photo = load_image(source)
    faces: list[Face] = []
    results: list[EditResult] = []
    index, total = 0, 1
    while index < total:
        face = editor.invert(photo, method, face_index=index, seed=spec.seed)
        total = int(face.report.get("faces", 1))
        if total > MAX_FACES:
            raise ValueError(f"{total} faces found, at most {MAX_FACES} are edited: choose one")
        if results and results[-1].photo is not None:
            face = replace(face, photo=results[-1].photo, crop=None)
        results.append(edit_face(editor, face, spec))
        faces.append(replace(face, photo=None, crop=None))
        index += 1
        if on_face is not None:
            on_face(index, total)
    return EveryFace(results[-1].photo or results[-1].after, tuple(faces), tuple(results))
