"""From a photo and two drawings of its face to the edited photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from multimodal.fidelity.composing import axes, touched
from multimodal.fidelity.drawn import Drawn, drawn_of, levels_of
from multimodal.fidelity.plans import applied, plan_of
from multimodal.fidelity.subjects import Subject, whole_of
from multimodal.fidelity.wishes import wishes_of
from multimodal.meant import Meant


@dataclass(frozen=True, eq=False)
class Edited:
    """A photo after an edit.

    Args:
        photo: the whole picture.
        face: the crop, at its own resolution.
    """

    photo: Image.Image
    face: Image.Image


@torch.no_grad()
def transfer(
    subject: Subject,
    before: Tensor | Drawn,
    after: Tensor,
    meant: Sequence[Meant] = (),
) -> Edited:
    """The photo with what an edit changed between two drawings of its face.

    Where the drawings are the same, this is the photo, bit for bit.

    Args:
        subject: the photo.
        before: the face as it is drawn unedited, `[1, 3, R, R]` in [-1, 1] nominally, or what was
            read off that drawing.
        after: as it is drawn edited.
        meant: what the words of the edit said, for what the drawing does not show.
    """
    side = subject.small.shape[0]
    wishes = wishes_of(meant)
    then = before if isinstance(before, Drawn) else drawn_of(before, side)
    if not wishes and np.array_equal(then.levels, levels_of(after, side)):
        return Edited(Image.fromarray(subject.photo), Image.fromarray(subject.crop))
    now = drawn_of(after, side)
    result = applied(subject, plan_of(subject, then, now, meant))
    return Edited(Image.fromarray(result), Image.fromarray(_face(subject, result)))


def _face(subject: Subject, result: np.ndarray) -> np.ndarray:
    """The crop with what changed in the photo."""
    box = touched(subject.photo.shape, subject.transform)
    assert box is not None
    left, top, right, bottom = box
    part = (slice(top, bottom), slice(left, right))
    side = subject.crop.shape[0]
    if _is_whole(subject):
        return result[part]
    difference: np.ndarray = result[part].astype(np.int16) - subject.photo[part].astype(np.int16)
    scale = axes(subject.transform) / side
    corner = np.array(subject.transform.quad[0]) - (left, top) + scale.sum(axis=0) / 2
    matrix = np.concatenate([scale.T, corner[:, None]], axis=1)
    if subject.transform.side > 1.5 * side:
        size = subject.transform.side / side
        difference = cv2.blur(difference, (round(size), round(size)))
    seen = cv2.warpAffine(
        difference, matrix, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    return (subject.crop.astype(np.int16) + seen).clip(0, 255).astype(np.uint8)


def _is_whole(subject: Subject) -> bool:
    return subject.transform.quad == whole_of(subject.photo.shape[1]) and (
        subject.photo.shape == subject.crop.shape
    )
