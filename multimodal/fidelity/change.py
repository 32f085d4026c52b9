"""What an edit does to a photo's pixels, worked out at the size of the drawings.

The drawings before and after the edit show one head, so what differs between them is the edit: its
motion is in the maps, and here is the rest. Smooth changes darken the photo's own texture by a
factor and brighten it by a summand, fine ones are added, and what the photo cannot have, such as
the inside of a mouth that was shut, is drawn anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from multimodal.fidelity.looks.prototypes import Look
from multimodal.fidelity.mesh import EYES, INNER_LIPS, OUTER_LIPS
from multimodal.fidelity.registration import Maps

COARSE = 0.02
"""Standard deviation that parts smooth from fine changes, in parts of the crop's side."""
FLOOR = 0.06
"""Added to both sides of a quotient of colours, so that black stays finite."""
CORE = 0.015
"""Differences below this are taken as the generator's own unrest."""
TRUSTED = 0.75
"""How much of a drawn difference a full look of photographs replaces."""
BLINK = 0.006
"""Motion of lids, in parts of the crop's side, from which the drawing's eyes are left out."""
DETAIL = 0.012
"""Standard deviation above which contrast is not fine, in parts of the crop's side."""
GRAIN = 0.0035
"""Standard deviation up to which contrast is grain and no wrinkle, likewise."""
GRAINED = 0.35
"""Power of the factor of fine contrast that grain takes, where that is less than 1."""
FEATHER = 0.06
"""Part of the crop's side over which changes fade in from its border."""
WARM = np.array([0.75, 1.05, 1.15], np.float32)
"""Powers of wrinkles' factors by colour: light is redder in folds of skin."""
BRIGHTER = 3.0
LIT = 0.45
"""Distance from white below which nothing brightens in full."""


@dataclass(frozen=True, eq=False)
class Cover:
    """What lies over a photo.

    Args:
        colours: `[S, S, 3]` float32 in [0, 1].
        alpha: how much of it there is, `[S, S]` float32 in [0, 1].
        sharp: its rim is as sharp as the photo allows.
        name: what it is.
    """

    colours: np.ndarray
    alpha: np.ndarray
    sharp: bool
    name: str


@dataclass(frozen=True, eq=False)
class Change:
    """What happens to each pixel of the crop: `moved * factor + summand`.

    Args:
        motion: `[G, G, 2]` float32, from a pixel to where its content comes from, in parts of the
            crop's side.
        factor: `[S, S, 3]` float32.
        summand: `[S, S, 3]` float32 in [-1, 1], where colours are in [0, 1].
        covers: what is laid over all that, the topmost last.
    """

    motion: np.ndarray
    factor: np.ndarray
    summand: np.ndarray
    covers: tuple[Cover, ...] = ()


def change_of(
    pictures: tuple[np.ndarray, np.ndarray, np.ndarray],
    maps: Maps,
    kept: np.ndarray,
    opened: float,
    look: Look | None = None,
    bare: np.ndarray | None = None,
) -> Change:
    """What an edit does to the pixels of a photo's crop.

    Args:
        pictures: the crop at the size of the drawings, and the drawings before and after the edit;
            each `[S, S, 3]` float32 in [0, 1].
        maps: the registration of the three.
        kept: where a difference between the drawings is one of the face, `[S, S]` in [0, 1].
        opened: how much the mouth's inside is new, in [0, 1].
        look: a look of photographs that the face takes on too.
        bare: where the edited photo shows the face, which alone takes it on, `[S, S]` in [0, 1].
    """
    side = pictures[0].shape[0]
    here = warped(pictures[0], maps.photo)
    if look is not None and look.led >= 1:
        factor, summand = np.ones_like(here), np.zeros_like(here)
    else:
        factor, summand = _drawn(here, pictures, maps, kept, opened, look)
    if look is not None:
        factor, summand = looked(here, factor, summand, look, maps, bare)
    border = feathered(side)[..., None]
    factor, summand = 1 + (factor - 1) * border, summand * border
    motion = (maps.photo - _cells(maps.photo.shape[0])) * feathered(maps.photo.shape[0])[..., None]
    planes = [np.ascontiguousarray(plane, np.float32) for plane in (motion, factor, summand)]
    return Change(planes[0], planes[1], planes[2])


def _drawn(
    here: np.ndarray,
    pictures: tuple[np.ndarray, np.ndarray, np.ndarray],
    maps: Maps,
    kept: np.ndarray,
    opened: float,
    look: Look | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Factor and summand of what differs between the drawings; `here` is the photo, moved."""
    side = here.shape[0]
    then, now = warped(pictures[1], maps.before), warped(pictures[2], maps.after)
    coarse = COARSE * side
    base = [cv2.GaussianBlur(picture, (0, 0), coarse) for picture in (here, then)]
    difference = (now - then) * kept[..., None]
    difference *= own_eyes(maps, side)
    if opened > 0:  # moved lips are the photo's own; the drawing's would lie beside them
        difference *= 1 - 0.85 * opened * filled(maps.mesh[list(OUTER_LIPS)], side, 1.25)[..., None]
    if look is not None:
        difference *= 1 - TRUSTED * look.weight
    smooth = cv2.GaussianBlur(_cored(difference), (0, 0), coarse)
    ratio = (base[1] + smooth + FLOOR) / (base[1] + FLOOR)
    ratio = np.clip(ratio, 0.1, BRIGHTER)
    brighter = (base[0] + FLOOR) * np.maximum(ratio - 1.0, 0.0)
    fine = _cored(difference - smooth) * _contrast(base[0], base[1])
    return np.minimum(ratio, 1.0), brighter + fine


def looked(
    here: np.ndarray,
    factor: np.ndarray,
    summand: np.ndarray,
    look: Look,
    maps: Maps,
    bare: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Factor and summand with a look of photographs: its colours, and its fine contrast."""
    kept = 1 - inner_mouth(maps.mesh, here.shape[0])
    kept = kept if bare is None else kept * bare

    def laid(plane: np.ndarray) -> np.ndarray:
        flat = warped(plane, maps.places, here.shape[0], cv2.BORDER_CONSTANT)
        return flat.reshape(*kept.shape, -1) * kept[..., None]

    planes = np.concatenate([look.texture, look.detail[..., None]], axis=-1).astype(np.float32)
    read = laid(planes)
    gain = np.exp(np.clip(read[..., :3], -1.4, 0.5))
    detail = np.exp(np.clip(read[..., 3:], -1.0, 1.0))
    base = cv2.GaussianBlur(here, (0, 0), DETAIL * here.shape[0])
    if look.faded is not None:  # the finest grain stays, as it is the camera's
        gone = np.clip(laid(look.faded), 0, 1)
        lines = cv2.GaussianBlur(here, (0, 0), GRAIN * here.shape[0]) - base
        summand = summand - lines * gone * factor
    if (detail < 1).any():  # of what is smoothed, lines go and most of the grain stays
        left = np.minimum(detail, 1) ** GRAINED
        lines = cv2.GaussianBlur(here, (0, 0), GRAIN * here.shape[0]) - base
        summand = summand - lines * (left - np.minimum(detail, 1)) * factor
        detail = np.maximum(detail, 1) * left
    if look.lines is not None:
        gain = gain * np.exp(laid(look.lines.astype(np.float32)) * WARM)
    gain = np.where(gain > 1, 1 + (gain - 1) * np.clip((1 - base) / LIT, 0, 1), gain)
    return factor * gain * detail, (summand + base * factor * (1 - detail)) * gain


def warped(
    picture: np.ndarray,
    places: np.ndarray,
    side: int | None = None,
    border: int = cv2.BORDER_REFLECT_101,
) -> np.ndarray:
    """The picture `[S, S, C]` read at places `[G, G, 2]` in parts of its side."""
    side = side or picture.shape[0]
    spots = cv2.resize(places.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    spots = spots * picture.shape[0] - 0.5
    return cv2.remap(picture, spots[..., 0], spots[..., 1], cv2.INTER_CUBIC, borderMode=border)


def own_eyes(maps: Maps, side: int) -> np.ndarray:
    """Less than 1 where lids move: the eyes are then the photo's own, moved, not drawn ones.

    Returns:
        `[S, S, 1]` in [0, 1].
    """
    kept = np.ones((side, side), np.float32)
    for eye in EYES:
        much = np.linalg.norm(maps.motion[list(eye)], axis=-1).mean() / BLINK
        kept -= min(float(much), 1.0) * filled(maps.mesh[list(eye)], side, 1.8)
    return kept.clip(0, 1)[..., None]


def filled(outline: np.ndarray, side: int, size: float = 1.0) -> np.ndarray:
    """The inside of an outline `[N, 2]`, made `size` times as large, soft, `[S, S]` in [0, 1]."""
    middle = outline.mean(axis=0)
    points = (middle + (outline - middle) * size) * side
    mask = np.zeros((side, side), np.float32)
    cv2.fillPoly(mask, [np.round(points * 16 - 8).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(mask, (0, 0), side / 64)


def inner_mouth(mesh: np.ndarray, side: int) -> np.ndarray:
    """The inside of the lips `[S, S]` in [0, 1] with soft edges."""
    polygon = np.round(mesh[list(INNER_LIPS)] * side * 16 - 8).astype(np.int32)
    mask = np.zeros((side, side), np.float32)
    cv2.fillPoly(mask, [polygon], 1.0, lineType=cv2.LINE_AA, shift=4)
    return cv2.GaussianBlur(mask, (0, 0), side / 256)


def feathered(side: int) -> np.ndarray:
    """1 inside a square and 0 at its border, `[S, S]`."""
    line = (np.arange(side) + 0.5) / side
    t = np.clip(np.minimum(line, 1 - line) / FEATHER, 0, 1)
    t = t * t * (3 - 2 * t)
    return (t[:, None] * t[None, :]).astype(np.float32)


def _cells(side: int) -> np.ndarray:
    line = (np.arange(side) + 0.5) / side
    return np.stack(np.meshgrid(line, line), axis=-1)


def _cored(difference: np.ndarray) -> np.ndarray:
    """A difference without what is hardly one."""
    size = np.abs(difference).max(axis=-1, keepdims=True)
    t = np.clip(size / (2 * CORE) - 0.5, 0, 1)
    return difference * t * t * (3 - 2 * t)


def _contrast(photo: np.ndarray, drawing: np.ndarray) -> np.ndarray:
    """How bright the photo is beside the drawing: fine differences are scaled to it."""
    return np.clip((photo + FLOOR) / (drawing + FLOOR), 0.4, 1.5)
