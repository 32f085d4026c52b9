"""From a photo and two drawings of its face to the edited photo."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from multimodal.faces.align import FaceTransform
from multimodal.fidelity.change import Change, change_of
from multimodal.fidelity.composing import axes, compose, touched
from multimodal.fidelity.looks import together
from multimodal.fidelity.mesh import INNER_LIPS, OVAL, face_meshes
from multimodal.fidelity.reading import amounts_of
from multimodal.fidelity.registration import register

LEAST_SIDE, MOST_SIDE = 256, 512
"""Bounds of the side at which changes are worked out."""
SHUT, OPEN = 0.015, 0.06
"""How much wider, in heights of the face, the lips must part for nothing new, and for all new."""


Point = tuple[float, float]
Quad = tuple[Point, Point, Point, Point]
SURE = 0.5
"""Certainty above which a mesh is taken for a face's."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A photo whose face is to be edited, and where the face lies.

    Args:
        photo: the whole picture `[H, W, 3]` uint8.
        transform: where the crop lies in it.
        crop: the face at its own resolution `[N, N, 3]` uint8.
        small: the crop at the size of drawings, `[S, S, 3]` float32 in [0, 1].
        mesh: of the face `[468, 2]`, in parts of the crop's side.
        sure: the mesh is a face's, so it may be followed.
        grey: the photo has no colours, and shall have none.
    """

    photo: np.ndarray
    transform: FaceTransform
    crop: np.ndarray
    small: np.ndarray
    mesh: np.ndarray
    sure: bool
    grey: bool


@dataclass(frozen=True, eq=False)
class Edited:
    """A photo after an edit.

    Args:
        photo: the whole picture.
        face: the crop, at its own resolution.
    """

    photo: Image.Image
    face: Image.Image


def subject_of(
    photo: Image.Image, transform: FaceTransform | None, crop: Image.Image, side: int
) -> Subject:
    """Prepare a photo for edits of its face; done once a face.

    Args:
        photo: the whole picture.
        transform: where the face lies in it, or None: the picture is the face.
        crop: the face at its own resolution.
        side: of the drawings, in pixels.
    """
    side = min(max(side, LEAST_SIDE), MOST_SIDE)
    place = transform or FaceTransform(_whole(photo.width), min(photo.width, 4096))
    pixels = np.asarray(crop.convert("RGB"))
    small = cv2.resize(pixels, (side, side), interpolation=_shrinking(pixels.shape[0], side))
    small = small.astype(np.float32) / 255
    points, score = face_meshes(_tensor(small))
    grey = bool(np.abs(small - small.mean(axis=-1, keepdims=True)).max() < 0.02)
    whole, mesh = np.asarray(photo.convert("RGB")), points[0, :, :2].double().numpy()
    return Subject(whole, place, pixels, small, mesh, float(score[0]) > SURE, grey)


@torch.no_grad()
def transfer(subject: Subject, before: Tensor, after: Tensor) -> Edited:
    """The photo with what an edit changed between two drawings of its face.

    Where the drawings are the same, this is the photo, bit for bit.

    Args:
        subject: the photo.
        before: the face as it is drawn unedited, `[1, 3, R, R]` in [-1, 1] nominally.
        after: as it is drawn edited.
    """
    change = planned(subject, before, after)
    if change is None:
        return Edited(Image.fromarray(subject.photo), Image.fromarray(subject.crop))
    result = compose(subject.photo, subject.transform, change)
    return Edited(Image.fromarray(result), Image.fromarray(_face(subject, result)))


def planned(subject: Subject, before: Tensor, after: Tensor) -> Change | None:
    """What the edit does to the photo, or None: nothing."""
    if torch.equal(before, after):
        return None
    side = subject.small.shape[0]
    drawn, edited = _levels(before, side), _levels(after, side)
    meshes, scores = face_meshes(torch.cat([_tensor(drawn), _tensor(edited)]))
    then, now = meshes[:, :, :2].double().numpy()
    if not subject.sure or float(scores.min()) <= SURE:
        then = now = subject.mesh  # drawings are then taken to lie where the photo's face is
        look = None
    else:
        look = together(amounts_of(drawn, edited, (then, now)))
    maps = register(subject.mesh, then, now, look)
    opened = _opened(subject.mesh, maps.mesh)
    change = change_of(subject.small, drawn, edited, maps, opened, look)
    return _without_colours(change) if subject.grey else change


def _opened(before: np.ndarray, after: np.ndarray) -> float:
    """How much of the mouth's inside is new when lips part further, in [0, 1]."""
    more = _gap(after) - _gap(before)
    t = float(np.clip((more - SHUT) / (OPEN - SHUT), 0, 1))
    return t * t * (3 - 2 * t)


def _gap(mesh: np.ndarray) -> float:
    """Mean distance of the lips' inner rims in heights of the face."""
    rim = mesh[list(INNER_LIPS)]
    upper, lower = rim[1:10], rim[11:][::-1]
    height = np.ptp(mesh[list(OVAL)][:, 1])
    return float((lower - upper)[:, 1].mean() / height)


def _without_colours(change: Change) -> Change:
    mean = [plane.mean(axis=-1, keepdims=True) for plane in (change.factor, change.summand)]
    same = [np.ascontiguousarray(np.repeat(plane, 3, axis=-1)) for plane in mean]
    return Change(change.motion, *same)


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
    return subject.transform.quad == _whole(subject.photo.shape[1]) and (
        subject.photo.shape == subject.crop.shape
    )


def _whole(side: int) -> Quad:
    low, high = -0.5, side - 0.5
    return ((low, low), (low, high), (high, high), (high, low))


def _levels(picture: Tensor, side: int) -> np.ndarray:
    """A drawing `[side, side, 3]` float32 in [0, 1]."""
    pixels = (picture[0].detach().float().cpu().clamp(-1, 1) + 1) / 2
    found = np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())
    return cv2.resize(found, (side, side), interpolation=_shrinking(found.shape[0], side))


def _shrinking(side: int, wanted: int) -> int:
    return cv2.INTER_AREA if side > wanted else cv2.INTER_CUBIC


def _tensor(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None] * 2 - 1
