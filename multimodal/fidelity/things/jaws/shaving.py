"""A beard taken off: skin as the face's own, lit as a jaw is, with the texture of its cheeks."""

from __future__ import annotations

import cv2
import numpy as np

from multimodal.faces.align import FaceTransform
from multimodal.fidelity.change import Cover, feathered
from multimodal.fidelity.mesh.lighting import facing, lit
from multimodal.fidelity.regions import Surroundings, share
from multimodal.fidelity.things.filling import filled_in, spread
from multimodal.fidelity.things.jaws.beards import jaw_of
from multimodal.fidelity.things.jaws.whiskers import (
    SIDE,
    Jaw,
    grown,
    inside,
    is_beard,
    jaw_parts,
    whiskers,
)
from multimodal.fidelity.things.quilting import skin_texture
from multimodal.fidelity.things.scene import LEAST
from multimodal.fidelity.wishes import Wishes
from multimodal.parsing.classes import class_indices

FINE = 512
"""Side at which the texture of skin is laid."""
BARE = ("beard: none", "sex: female", "age: child")
"""What words mean faces without a beard."""
CHEEKS = ((117, 118, 101, 36, 205, 187, 123), (346, 347, 330, 266, 425, 411, 352))
UPPER = (61, 40, 37, 0, 267, 270, 291, 410, 326, 2, 97, 186)
"""The skin above the upper lip, without its rim."""
DARKER, BEARDED = 0.3, 0.35
"""From which difference of logarithms a jaw is darker than its cheek; what of it must be."""
STAYS = ("glasses", "eyes", "brows", "hat", "ears")
UNDER, FADES = 0.72, 0.1
"""Brightness of a neck right under the jaw beside its own, and over which part of the side the
shadow fades."""
SHADED = 0.62
"""Brightness of a neck beside that of the chin."""
LIPS = (0.92, 0.72, 0.72)
"""Colour of lips that nothing of shows, in parts of the skin's."""
RIM = 5
"""How far what a parser takes for background is a beard's rim yet, in pixels, twice."""
DARK = 0.03


def bared(wishes: Wishes) -> float:
    """How much words ask for a bare face, in [0, 1]."""
    return float(np.clip(max(wishes.amount(sense) for sense in BARE), 0, 1))


def shaved_off(
    place: FaceTransform, crop: np.ndarray, solid: np.ndarray, likely: np.ndarray
) -> Cover | None:
    """Skin over the beard that the photo shows, or None: it shows none.

    Args:
        place: of the crop in the photo.
        crop: the face at its own resolution, `[N, N, 3]` uint8.
        solid: the face's mesh `[468, 3]` in parts of the side.
        likely: probabilities of the parser's classes `[16, S, S]`.
    """
    picture = _sized(crop, SIDE)
    likely = np.stack([cv2.resize(plane, (SIDE, SIDE)) for plane in likely])
    mesh, jaw = solid[:, :2], jaw_parts(solid[:, :2])
    dark = _darker(picture, mesh, likely)
    if (np.maximum(share(likely, ("beard",)), dark) > 0.5).mean() < LEAST:
        return None
    free = (share(likely, ("skin", "nose")) > 0.85) * jaw.face * (1 - jaw.low)
    if (free > 0.5).sum() < 100:
        return None
    direction = facing(solid, SIDE)
    bare = _skin(picture, free, direction)
    if not is_beard(picture, bare, likely, jaw, dark):
        return None
    beard = whiskers(picture, bare, likely, jaw, dark)
    clear = (share(likely, ("skin",)) > 0.85) * jaw.face * (grown(beard, 11) < 0.15)
    bare = _skin(picture, np.maximum(free * (grown(beard, 5) < 0.3), clear), direction)
    beside = share(likely, ("background", "clothes"))
    beside = cv2.erode(beside, np.ones((RIM, RIM), np.uint8))
    face = np.maximum(jaw.face, jaw.wider * (1 - beside))
    under = _under(picture, bare, place, likely, mesh, jaw, beard)
    colours = under + (bare - under) * face[..., None]
    mouth, over = _lips(picture, bare, likely, jaw, beard)
    colours = colours + (mouth - colours) * jaw.lips[..., None]
    stays = np.maximum(share(likely, STAYS), beside)
    alpha = _soft(beard) * (1 - np.clip(1.6 * stays, 0, 1)) * (1 - jaw.nose)
    alpha = (alpha * (1 - jaw.lips) + over * jaw.lips) * feathered(SIDE)
    texture = skin_texture(_sized(crop, FINE), np.maximum(free, clear) * (1 - jaw.nose), alpha)
    whole = cv2.resize(colours.astype(np.float32), (FINE, FINE), interpolation=cv2.INTER_CUBIC)
    whole = (whole + DARK) * texture - DARK
    alpha = cv2.resize(alpha.astype(np.float32), (FINE, FINE), interpolation=cv2.INTER_LINEAR)
    return Cover(whole.clip(0, 1).astype(np.float32), alpha, False, "chin")


def _skin(picture: np.ndarray, known: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The face's skin without its texture, wherever it would go on, `[S, S, 3]`."""
    logs = np.log(picture + DARK)
    light = lit(logs.mean(axis=-1), known, cv2.GaussianBlur(direction, (0, 0), 3))
    where = known > 0.5
    rows = np.stack([np.ones(int(where.sum())), light[where]], axis=-1)
    tones = np.linalg.lstsq(rows, logs[where], rcond=None)[0]
    tones[1] = 0.5 + 0.5 * tones[1].clip(0.6, 1.6)
    tones[0] = np.median(logs[where] - light[where][:, None] * tones[1], axis=0)
    smooth = tones[0] + light[..., None] * tones[1]
    rest = (logs - smooth).clip(-0.5, 0.4)
    calm = known * (np.abs(rest).max(axis=-1) < 0.45)
    near = spread(rest, calm, (2, 5, 12, 30))
    found: np.ndarray = np.exp(smooth + near) - DARK
    return found.astype(np.float32)


def _soft(beard: np.ndarray) -> np.ndarray:
    wide = cv2.GaussianBlur(grown(np.clip(beard * 1.6, 0, 1), 7), (0, 0), 2)
    t = np.clip((wide - 0.15) / 0.6, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def _under(
    picture: np.ndarray,
    bare: np.ndarray,
    place: FaceTransform,
    likely: np.ndarray,
    mesh: np.ndarray,
    jaw: Jaw,
    beard: np.ndarray,
) -> np.ndarray:
    """What lies below and beside the jaw, behind a beard: neck, clothes and background."""
    near = grown(beard, 7)
    flesh = share(likely, ("neck", "skin"))
    light, usual = picture.mean(axis=-1), bare.mean(axis=-1)
    own = (flesh > 0.7) * (jaw.face < 0.1) * (near < 0.2) * (light > 0.35 * usual)
    tone = np.median(bare[(jaw.chin > 0.5)], axis=0) * SHADED
    weight = own.astype(np.float32)
    some = spread(np.dstack([weight] * 3), np.ones_like(weight), (5, 12, 30))[..., :1]
    some = np.clip(some / 0.08, 0, 1)
    neck = tone + (spread(picture, weight, (2, 5, 12, 30)) - tone) * some
    away = cv2.distanceTransform((jaw.face < 0.5).astype(np.uint8), cv2.DIST_L2, 5) / SIDE
    neck = neck * (1 - (1 - UNDER) * np.exp(-((away / FADES) ** 2)))[..., None]
    skin = np.maximum(jaw.throat, cv2.GaussianBlur((flesh > 0.5).astype(np.float32), (0, 0), 1))
    known = ((near < 0.1) * (jaw.face < 0.1)).astype(np.float32)
    if ((1 - skin) * (1 - jaw.face) * (beard > 0.3)).mean() < LEAST:
        return neck
    others = likely.copy()
    others[class_indices(("neck", "skin"))] = 0
    beyond = filled_in(Surroundings(place, picture, others), known, mesh)
    return np.asarray(beyond + (neck - beyond) * skin[..., None], np.float32)


def _lips(
    picture: np.ndarray, bare: np.ndarray, likely: np.ndarray, jaw: Jaw, beard: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lips without hairs over them `[S, S, 3]`, and where those were `[S, S]`."""
    logs, usual = np.log(picture + DARK), np.log(bare + DARK)
    light = logs.mean(axis=-1)
    redder = (logs[..., 0] - logs[..., 1]) - (usual[..., 0] - usual[..., 1])
    own = (share(likely, ("lips",)) > 0.75) & (jaw.lips > 0.7)
    below = own & (jaw.lower > 0.5)  # no moustache hangs over the lower lip
    least = float(np.median(redder[below])) - 0.06 if below.any() else -0.02
    redder = redder - least
    own &= redder > 0
    if own.sum() < 20:
        clear, middle = bare * np.array(LIPS, np.float32), float(np.median(light[jaw.lips > 0.5]))
    else:
        middle = float(np.median(light[own > 0]))
        own &= np.abs(light - middle) < 0.35
        clear = spread(picture, own.astype(np.float32), (1.5, 4, 10))
    shown = share(likely, ("mouth", "teeth"))
    dark = np.clip((middle - light - 0.2) / 0.25, 0, 1)
    odd = np.maximum(dark, np.clip((-redder - 0.02) / 0.08, 0, 1)) * (1 - np.clip(2 * shown, 0, 1))
    hairy = np.maximum(share(likely, ("beard", "skin", "hair")), odd) * grown(beard, 15)
    return clear, cv2.GaussianBlur(np.clip(1.3 * hairy, 0, 1), (0, 0), 0.8)


def _darker(picture: np.ndarray, mesh: np.ndarray, likely: np.ndarray) -> np.ndarray:
    """A beard that the parser took for skin `[S, S]` in [0, 1]: a jaw much darker than the cheeks,
    on both sides and above the lips; a shadow is not."""
    logs = np.log(picture.mean(axis=-1) + DARK)
    jaw, skin = jaw_of(mesh, SIDE), share(likely, ("skin", "beard", "hair"))
    spots = (np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1) + 0.5) / SIDE - mesh[1]
    left = spots @ (mesh[263] - mesh[33]) < 0
    lip = inside(mesh[list(UPPER)], 1.5) > 0.5
    found = np.zeros((SIDE, SIDE), np.float32)
    for half, cheek in ((left, CHEEKS[0]), (~left, CHEEKS[1])):
        bright = logs[(inside(mesh[list(cheek)], 1) > 0.5) & half]
        if not len(bright):
            return found * 0
        t = np.clip((np.median(bright) - logs - DARKER) / DARKER, 0, 1).astype(np.float32)
        for place, least in ((jaw > 0.5, BEARDED), (lip, BEARDED)):
            if not (place & half).any() or t[place & half].mean() < least:
                return found * 0
        found += t * half
    return cv2.GaussianBlur(found * jaw * (skin > 0.3), (0, 0), SIDE / 100)


def _sized(crop: np.ndarray, side: int) -> np.ndarray:
    """A crop `[N, N, 3]` uint8 at another side, in [0, 1]."""
    how = cv2.INTER_AREA if len(crop) > side else cv2.INTER_CUBIC
    return cv2.resize(crop, (side, side), interpolation=how).astype(np.float32) / 255
