"""All that an edit does to a photo, worked out once, apart from doing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from multimodal.fidelity.change import Change, Cover, change_of, warped
from multimodal.fidelity.colours.dyes import HAIR, Names, dyes, natural, skin_gain
from multimodal.fidelity.colours.tints import GREY, Tint, apply_tint, without_hue
from multimodal.fidelity.composing import compose, overlaid
from multimodal.fidelity.drawn import Drawn
from multimodal.fidelity.hairstyles.asking import wanted_of
from multimodal.fidelity.hairstyles.laying import Worn
from multimodal.fidelity.looks.makeup import made_up
from multimodal.fidelity.looks.reading import look_of, named
from multimodal.fidelity.mesh import INNER_LIPS, OVAL
from multimodal.fidelity.regions import FACE, SKIN, Mask, share
from multimodal.fidelity.registration import Maps, register
from multimodal.fidelity.subjects import SURE, Subject
from multimodal.fidelity.things.bald import becomes_bald
from multimodal.fidelity.things.covers import covers
from multimodal.fidelity.things.jaws.shaving import bared
from multimodal.fidelity.things.scene import Scene
from multimodal.fidelity.wishes import Wishes, wishes_of
from multimodal.meant import Meant
from multimodal.parsing.classes import class_indices

SHUT, OPEN = 0.012, 0.03
"""How much wider, in heights of the face, the lips must part for nothing new, and for all new."""
LED = 0.8
"""How far the face becomes a woman's whose hair says so already: further it would be another's."""


@dataclass(frozen=True, eq=False)
class Overlay:
    """What lies over a photo before its face changes.

    Args:
        cover: over the face's crop, or over the square about the head.
        wide: it is the square.
    """

    cover: Cover
    wide: bool


@dataclass(frozen=True, eq=False)
class Plan:
    """What an edit does to a photo.

    Args:
        tints: regions that are recoloured, and how.
        overlays: what is laid over that, the topmost last: hair and beards that go, or come.
        change: of the face's crop, after all that.
    """

    tints: tuple[tuple[Names, Tint], ...]
    overlays: tuple[Overlay, ...]
    change: Change

    @property
    def wide(self) -> bool:
        """Does it reach beyond the face's crop?"""
        return bool(self.tints) or any(overlay.wide for overlay in self.overlays)


def plan_of(subject: Subject, before: Drawn, after: Drawn, meant: Sequence[Meant] = ()) -> Plan:
    """What an edit does to a photo, from the drawings before and after it.

    Args:
        subject: the photo.
        before: the drawing before the edit.
        after: the drawing after it.
        meant: what the words of the edit said, for what the drawing does not show.
    """
    wishes = wishes_of(meant)
    found = list(dyes(lambda: subject.around, before, after, wishes))
    found = [(names, without_hue(tint)) for names, tint in found] if subject.grey else found
    tints = tuple((names, tint) for names, tint in found if subject.region(names) is not None)
    hair = _hair(subject, tints, wishes)
    if hair is not None:  # its own goes, and no rim of it shall be dyed
        tints = tuple((names, tint) for names, tint in tints if names != HAIR)
    small, overlays = _recoloured(subject, tints), []
    if becomes_bald(before, after, wishes) and natural(subject.around.levels(HAIR)):
        overlays.append(Overlay(_faded(subject, subject.bald, 1.0), True))
    much = bared(wishes)
    if much > 0 and subject.sure and subject.chin is not None:
        chin = _faded(subject, subject.chin, much)
        overlays.append(Overlay(chin, False))
        small = _covered(small, chin)
    if hair is not None:
        overlays.append(Overlay(hair, True))
        subject, small = _dressed(subject, small, hair)
        wishes = wishes.softened("sex: female", LED)
    return Plan(tints, tuple(overlays), planned(subject, small, before, after, wishes))


def applied(subject: Subject, plan: Plan) -> np.ndarray:
    """The photo `[H, W, 3]` with what is planned for it."""
    photo = subject.photo
    for names, tint in plan.tints:
        mask = subject.mask(names)
        if mask is not None:
            photo = photo.copy() if photo is subject.photo else photo
            apply_tint(photo, mask, tint)
    for overlay in plan.overlays:
        place = subject.around.place if overlay.wide else subject.transform
        photo = overlaid(photo, place, overlay.cover)
    return compose(photo, subject.transform, plan.change)


def _covered(small: np.ndarray, cover: Cover) -> np.ndarray:
    """A small crop with a cover over it."""
    side = (small.shape[1], small.shape[0])
    alpha = cv2.resize(cover.alpha, side, interpolation=cv2.INTER_AREA)[..., None]
    found: np.ndarray = cv2.resize(cover.colours, side, interpolation=cv2.INTER_AREA)
    return small + (found - small) * alpha


def _hair(subject: Subject, tints: Sequence[tuple[Names, Tint]], wishes: Wishes) -> Cover | None:
    """Other hair, in its new colour; None: the photo's own stays."""
    wanted, much = wanted_of(wishes)
    cover = None if wanted is None else subject.wearing(wanted)
    if cover is None:
        return None
    for names, tint in tints:
        if names == HAIR:
            cover = _dyed(cover, tint)
    return _faded(subject, cover, much)


def _dyed(cover: Worn, tint: Tint) -> Worn:
    """Hair in another colour; skin beside it keeps its own."""
    levels = np.rint(cover.colours * 255).clip(0, 255).astype(np.uint8)
    side = levels.shape[0]
    apply_tint(levels, Mask((0, 0, side, side), cover.hair), tint)
    return replace(cover, colours=levels.astype(np.float32) / 255)


def _dressed(subject: Subject, small: np.ndarray, hair: Cover) -> tuple[Subject, np.ndarray]:
    """The subject, and its small crop, as they are when other hair lies over the face."""
    room, side = subject.around.room, small.shape[0]
    inner = hair.alpha.shape[0] / room
    start = (hair.alpha.shape[0] - inner) / 2
    matrix = np.array([[side / inner, 0, -start * side / inner], [0, side / inner, 0]], np.float32)
    matrix[1, 2] = matrix[0, 2]
    planes = np.dstack([hair.colours, hair.alpha])
    found = cv2.warpAffine(planes, matrix, (side, side), flags=cv2.INTER_AREA)
    alpha = found[..., 3]
    likely = subject.likely * (1 - alpha)
    likely[class_indices(HAIR)[0]] += alpha
    return replace(subject, likely=likely), small + (found[..., :3] - small) * alpha[..., None]


def _recoloured(subject: Subject, tints: Sequence[tuple[Names, Tint]]) -> np.ndarray:
    """The small crop with its regions in their new colours."""
    if not tints:
        return subject.small
    levels = np.rint(subject.small * 255).clip(0, 255).astype(np.uint8)
    side = levels.shape[0]
    for names, tint in tints:
        apply_tint(levels, Mask((0, 0, side, side), share(subject.likely, names)), tint)
    return levels.astype(np.float32) / 255


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
    if named(wishes) and before.score > SURE:
        after = before  # photographs lead, and nothing of the drawing is read
    stays = wishes.face_stays
    followed = subject.sure and before.score > SURE and (stays or after.score > SURE)
    if stays and followed:
        return _only_covers(subject, small, before, after, wishes)
    if not followed:
        meshes = subject.mesh, subject.mesh  # drawings are taken to lie where the photo's face is
        look = None
    else:
        meshes = before.mesh, after.mesh
        look = look_of((before.levels, after.levels), meshes, subject.mesh, wishes)
        look = made_up(look, small, subject.mesh, wishes)
    maps = register(subject.mesh, *meshes, look)
    opened = _opened(subject.mesh, maps.mesh)
    gain = skin_gain(before, after, wishes)
    skin = share(before.likely, SKIN)[..., None]
    then = before.levels * (1 + skin * (gain - 1))
    kept = np.full(small.shape[:2], float(not stays), np.float32)
    if followed and not (
        look and look.led >= 1
    ):  # else nothing is known of where what lies, and the whole crop takes part
        kept *= _face_alone(subject, before, after, maps)
    bare = _bare(subject, maps) if followed else None
    change = change_of((small, then, after.levels), maps, kept, opened, look, bare)
    above = Scene(small, subject.likely, maps, before, after, subject.liked)
    change = replace(change, covers=tuple(covers(above, wishes, opened)))
    return _without_colours(subject, change) if subject.grey else change


def _only_covers(
    subject: Subject, small: np.ndarray, before: Drawn, after: Drawn, wishes: Wishes
) -> Change:
    """What hides parts of a face that itself stays as it is."""
    maps = register(subject.mesh, before.mesh, before.mesh)
    none = np.zeros(small.shape, np.float32)
    above = Scene(small, subject.likely, maps, before, after, subject.liked)
    motion = np.zeros_like(maps.photo, np.float32)
    change = Change(motion, none + 1, none, tuple(covers(above, wishes, 0.0)))
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
