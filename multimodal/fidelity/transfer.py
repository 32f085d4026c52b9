"""From a photo and two drawings of its face to the edited photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from multimodal.faces.align import FaceTransform
from multimodal.fidelity.change import Change, Cover, change_of, warped
from multimodal.fidelity.colours.dyes import HAIR, IRIS, LIPS, Names, dyes, natural, skin_gain
from multimodal.fidelity.colours.tints import GREY, apply_tint, without_hue
from multimodal.fidelity.composing import axes, compose, overlaid, touched
from multimodal.fidelity.drawn import Drawn, as_tensor, drawn_of, levels_of, shrinking
from multimodal.fidelity.looks.reading import look_of
from multimodal.fidelity.mesh import EYES, INNER_LIPS, OVAL, face_meshes
from multimodal.fidelity.regions import (
    FACE,
    SKIN,
    Mask,
    Surroundings,
    mask_of,
    parsed,
    share,
    surroundings_of,
)
from multimodal.fidelity.registration import Maps, register
from multimodal.fidelity.things.bald import bald_head, becomes_bald
from multimodal.fidelity.things.covers import covers
from multimodal.fidelity.things.scene import Scene
from multimodal.fidelity.things.shaving import bared, shaved_off
from multimodal.fidelity.things.tresses import lengthened, tresses
from multimodal.fidelity.wishes import Wishes, wishes_of
from multimodal.meant import Meant

LEAST_SIDE, MOST_SIDE = 256, 512
"""Bounds of the side at which changes are worked out."""
SHUT, OPEN = 0.012, 0.03
"""How much wider, in heights of the face, the lips must part for nothing new, and for all new."""


Point = tuple[float, float]
Quad = tuple[Point, Point, Point, Point]
TONES = 0.06
"""Colours that stray less from one tone are none."""
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
        likely: probabilities of the parser's classes `[16, S, S]`.
        masks: regions at the photo's resolution that were asked for.
    """

    photo: np.ndarray
    transform: FaceTransform
    crop: np.ndarray
    small: np.ndarray
    mesh: np.ndarray
    sure: bool
    grey: bool
    likely: np.ndarray
    masks: dict[Names, Mask | None] = field(default_factory=dict, repr=False)

    @cached_property
    def around(self) -> Surroundings:
        """The square about the head, and what it shows; found when it is first asked for."""
        return surroundings_of(self.photo, self.transform, self.small, self.likely)

    @cached_property
    def bald(self) -> Cover:
        """What the square about the head shows without hair."""
        return bald_head(self._mesh_around, self.around, self.around.where(HAIR))

    @cached_property
    def locks(self) -> Cover | None:
        """Long hair beside the face, likewise; None: it is long, or there is none."""
        own = self.small[share(self.likely, HAIR) > 0.8]
        if not natural(own):
            return None
        return tresses(self._mesh_around, self.around.where(HAIR), own)

    @cached_property
    def chin(self) -> Cover | None:
        """The crop's skin where a beard grows; None: none does."""
        return shaved_off(self.small, self.crop, self.mesh, self.likely)

    @property
    def _mesh_around(self) -> np.ndarray:
        return np.asarray((self.mesh - 0.5) / self.around.room + 0.5)

    def mask(self, names: Names) -> Mask | None:
        """Where the photo shows some classes, or None: nowhere."""
        if names not in self.masks:
            found = mask_of(self.photo, self.around, names)
            if found is not None and names == LIPS and self.sure:
                found = Mask(found.box, found.alpha * (1 - self._filled(found, [INNER_LIPS])))
            if found is not None and names == IRIS and self.sure:
                found = Mask(found.box, found.alpha * self._filled(found, EYES))
            self.masks[names] = found
        return self.masks[names]

    def _filled(self, mask: Mask, outlines: Sequence[Sequence[int]]) -> np.ndarray:
        """The inside of outlines of the mesh over a mask's box, soft, in [0, 1]."""
        found = np.zeros(mask.alpha.shape, np.float32)
        for outline in outlines:
            points = self.mesh[list(outline)] @ axes(self.transform)
            points = points + np.array(self.transform.quad[0]) - mask.box[:2]
            cv2.fillPoly(found, [np.round(points * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
        soft: np.ndarray = cv2.GaussianBlur(found, (0, 0), max(self.transform.side / 300, 0.5))
        return soft


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
    small = cv2.resize(pixels, (side, side), interpolation=shrinking(pixels.shape[0], side))
    small = small.astype(np.float32) / 255
    points, score = face_meshes(as_tensor(small))
    whole, mesh = np.asarray(photo.convert("RGB")), points[0, :, :2].double().numpy()
    sure, grey = float(score[0]) > SURE, without_colours(small)
    return Subject(whole, place, pixels, small, mesh, sure, grey, parsed(small, True))


def without_colours(picture: np.ndarray) -> bool:
    """Is a picture black and white, or of one tone (sepia)?"""
    tones = picture - picture.mean(axis=-1, keepdims=True)
    away = np.abs(tones - np.median(tones, axis=(0, 1))).max(axis=-1)
    return bool(np.quantile(away, 0.98) < TONES)


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
    photo, small = recoloured(subject, then, now, wishes)
    if becomes_bald(then, now, wishes) and natural(subject.around.levels(HAIR)):
        photo = without_hair(subject, photo)
    photo, small = without_beard(subject, photo, small, wishes)
    photo = with_long_hair(subject, photo, small, wishes)
    change = planned(subject, small, then, now, wishes)
    result = compose(photo, subject.transform, change)
    return Edited(Image.fromarray(result), Image.fromarray(_face(subject, result)))


def recoloured(
    subject: Subject, before: Drawn, after: Drawn, wishes: Wishes
) -> tuple[np.ndarray, np.ndarray]:
    """The photo and its small crop with hair, skin and lips in the colours that the edit wants."""
    photo, small = subject.photo, subject.small
    for names, tint in dyes(subject.around, before, after, wishes):
        mask = subject.mask(names)
        if mask is None:
            continue
        photo = photo.copy() if photo is subject.photo else photo
        tint = without_hue(tint) if subject.grey else tint
        apply_tint(photo, mask, tint)
        levels = np.rint(small * 255).clip(0, 255).astype(np.uint8)
        side = small.shape[0]
        apply_tint(levels, Mask((0, 0, side, side), share(subject.likely, names)), tint)
        small = levels.astype(np.float32) / 255
    return photo, small


def without_beard(
    subject: Subject, photo: np.ndarray, small: np.ndarray, wishes: Wishes
) -> tuple[np.ndarray, np.ndarray]:
    """The photo and its small crop without a beard, where words ask for a bare face."""
    much = bared(wishes)
    if much <= 0 or not subject.sure or subject.chin is None:
        return photo, small
    cover = _faded(subject, subject.chin, much)
    side = (small.shape[1], small.shape[0])
    alpha = cv2.resize(cover.alpha, side, interpolation=cv2.INTER_AREA)[..., None]
    bare = cv2.resize(cover.colours, side, interpolation=cv2.INTER_AREA)
    return overlaid(photo, subject.transform, cover), small + (bare - small) * alpha


def with_long_hair(
    subject: Subject, photo: np.ndarray, small: np.ndarray, wishes: Wishes
) -> np.ndarray:
    """The photo with hair to the shoulders, where words ask for it and the hair is short."""
    much = lengthened(wishes)
    if much <= 0 or not subject.sure or subject.locks is None:
        return photo
    hair = share(subject.likely, HAIR) > 0.8
    dyed = small[hair].mean(axis=0) / (subject.small[hair].mean(axis=0) + 1e-3)
    locks = replace(subject.locks, colours=(subject.locks.colours * dyed).clip(0, 1))
    return overlaid(photo, subject.around.place, _faded(subject, locks, much))


def without_hair(subject: Subject, photo: np.ndarray) -> np.ndarray:
    """The photo without the hair of the head."""
    return overlaid(photo, subject.around.place, _faded(subject, subject.bald, 1.0))


def _faded(subject: Subject, cover: Cover, much: float) -> Cover:
    """A cover, more or less of it, without colours where the photo has none."""
    colours = cover.colours
    if subject.grey:
        colours = (colours @ GREY)[..., None].repeat(3, -1)
    return replace(cover, colours=colours, alpha=cover.alpha * np.float32(much))


def planned(
    subject: Subject, small: np.ndarray, before: Drawn, after: Drawn, wishes: Wishes
) -> Change:
    """What the edit does to the photo apart from recolouring it.

    Args:
        subject: the photo.
        small: its crop, recoloured.
        before: the drawing before the edit.
        after: the drawing after it.
        wishes: what the words say.
    """
    meshes = before.mesh, after.mesh
    followed = subject.sure and min(before.score, after.score) > SURE
    if not followed:
        meshes = subject.mesh, subject.mesh  # drawings are taken to lie where the photo's face is
        look = None
    elif wishes.face_stays:
        meshes, look = (before.mesh, before.mesh), None
    else:
        look = look_of((before.levels, after.levels), meshes, subject.mesh, wishes)
    maps = register(subject.mesh, *meshes, look)
    opened = _opened(subject.mesh, maps.mesh)
    gain = skin_gain(before, after, wishes)
    skin = share(before.likely, SKIN)[..., None]
    then = before.levels * (1 + skin * (gain - 1))
    kept = np.full(small.shape[:2], float(not wishes.face_stays), np.float32)
    if followed:  # else nothing is known of where what lies, and the whole crop takes part
        kept *= _face_alone(subject, before, after, maps)
    bare = _bare(subject, maps) if followed else None
    change = change_of((small, then, after.levels), maps, kept, opened, look, bare)
    above = Scene(small, subject.likely, maps, before, after)
    change = replace(change, covers=tuple(covers(above, wishes, opened)))
    return _without_colours(subject, change) if subject.grey else change


def _face_alone(subject: Subject, before: Drawn, after: Drawn, maps: Maps) -> np.ndarray:
    """Where photo and drawings all show the face, not hair or hats, `[S, S]` in [0, 1]."""
    layers = (
        (subject.likely, maps.photo),
        (before.likely, maps.before),
        (after.likely, maps.after),
    )
    faces = [warped(share(likely, FACE), places) for likely, places in layers]
    side = subject.small.shape[0]
    least = np.minimum.reduce(faces).clip(0, 1)
    worn = cv2.erode(least, np.ones((round(side / 85),) * 2, np.uint8))
    soft: np.ndarray = cv2.GaussianBlur(worn, (0, 0), side / 100)
    return soft


def _bare(subject: Subject, maps: Maps) -> np.ndarray:
    """Where the edited photo shows the face's skin, brows, lips or beard, `[S, S]` in [0, 1]."""
    side = subject.small.shape[0]
    seen = warped(share(subject.likely, (*FACE, "beard")), maps.photo)
    soft: np.ndarray = cv2.GaussianBlur(seen.clip(0, 1), (0, 0), side / 150)
    return soft


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


def _without_colours(subject: Subject, change: Change) -> Change:
    mean = [plane.mean(axis=-1, keepdims=True) for plane in (change.factor, change.summand)]
    same = [np.ascontiguousarray(np.repeat(plane, 3, axis=-1)) for plane in mean]
    grey = tuple(_faded(subject, cover, 1.0) for cover in change.covers)
    return Change(change.motion, same[0], same[1], grey)


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
