"""A beard taken off: skin as it is beside the beard, lit as a jaw is, with the photo's grain."""

from __future__ import annotations

import cv2
import numpy as np

from multimodal.fidelity.change import Cover, feathered
from multimodal.fidelity.mesh import OVAL
from multimodal.fidelity.regions import share
from multimodal.fidelity.things.beards import jaw_of
from multimodal.fidelity.things.filling import spread
from multimodal.fidelity.things.scene import LEAST
from multimodal.fidelity.wishes import Wishes

SIDE = 768
BARE = ("beard: none", "sex: female", "age: child")
"""What words mean faces without a beard."""
OTHER = ("lips", "mouth", "teeth", "nose", "background", "clothes", "glasses", "eyes", "brows")
UNDER = 0.62
"""Brightness below the jaw beside that of the face."""
DARKER, BEARDED = 0.3, 0.35
"""From which difference of logarithms a jaw is darker than its cheek; what of it must be."""
CHEEKS = ((117, 118, 101, 36, 205, 187, 123), (346, 347, 330, 266, 425, 411, 352))
ABOVE = (61, 40, 37, 0, 267, 270, 291, 410, 326, 2, 97, 186)
"""The skin above the upper lip, by the mesh."""
REACH = 1.3
"""How far from the nose a beard reaches, in distances of the face's outline."""


def bared(wishes: Wishes) -> float:
    """How much words ask for a bare face, in [0, 1]."""
    return float(np.clip(max(wishes.amount(sense) for sense in BARE), 0, 1))


def shaved_off(
    small: np.ndarray, crop: np.ndarray, mesh: np.ndarray, likely: np.ndarray
) -> Cover | None:
    """Skin over the beard that the photo shows, or None: it shows none.

    Args:
        small: the photo's crop `[S, S, 3]` in [0, 1].
        crop: the same at its own resolution, `[N, N, 3]` uint8; of it is the grain.
        mesh: of the face `[468, 2]`.
        likely: probabilities of the parser's classes `[16, S, S]`.
    """
    beard = np.maximum(share(likely, ("beard",)), _darker(small, mesh, likely))
    if (beard > 0.5).mean() < LEAST:
        return None
    side = small.shape[0]
    about = cv2.dilate(beard, np.ones((round(side / 40) | 1,) * 2, np.uint8))
    skin = (share(likely, ("skin",)) > 0.85) & (about < 0.15)
    light = small.mean(axis=-1)
    if skin.sum() < 200:
        return None
    lit = skin & (light > 0.3 * float(np.median(light[skin])))  # no shadows, no nostrils
    bare = spread(small, lit.astype(np.float32))
    colours = bare * (_jaw_light(mesh, side) * _shade(light, bare, beard))[..., None]
    colours = cv2.resize(colours, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    colours = colours * (1 + _grain(crop, skin))[..., None]
    darker = np.clip((1 - light / (bare.mean(axis=-1) + 0.02) - 0.12) / 0.15, 0, 1)
    wide = cv2.dilate(beard, np.ones((round(side / 9) | 1,) * 2, np.uint8))
    about = np.maximum(
        about, darker * np.maximum(wide, share(likely, ("hair",)) * _below(mesh, side))
    )
    alpha = np.clip((cv2.GaussianBlur(about, (0, 0), side / 130) - 0.12) / 0.4, 0, 1)
    other = share(likely, OTHER)
    alpha = alpha * (1 - np.clip(1.6 * other, 0, 1)) * _near(mesh, side) * feathered(side)
    alpha = cv2.resize(alpha, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return Cover(colours.clip(0, 1).astype(np.float32), alpha.astype(np.float32), False, "chin")


def _darker(small: np.ndarray, mesh: np.ndarray, likely: np.ndarray) -> np.ndarray:
    """A beard that the parser took for skin `[S, S]` in [0, 1]: a jaw much darker than the cheeks,
    on both sides and above the lips; a shadow is not."""
    side = small.shape[0]
    logs = np.log(small.mean(axis=-1) + 0.03)
    jaw, skin = jaw_of(mesh, side), share(likely, ("skin", "beard", "hair"))
    spots = (np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1) + 0.5) / side - mesh[1]
    level = mesh[263] - mesh[33]
    left = spots @ level < 0
    lip = _inside(mesh[list(ABOVE)], side, 0.006) > 0.5
    found = np.zeros((side, side), np.float32)
    for half, cheek in ((left, CHEEKS[0]), (~left, CHEEKS[1])):
        bright = logs[(_inside(mesh[list(cheek)], side, 0.004) > 0.5) & half]
        if not len(bright):
            return found * 0
        t = np.clip((np.median(bright) - logs - DARKER) / DARKER, 0, 1).astype(np.float32)
        for place, least in ((jaw > 0.5, BEARDED), (lip, BEARDED)):
            if not (place & half).any() or t[place & half].mean() < least:
                return found * 0
        found += t * half
    return cv2.GaussianBlur(found * jaw * (skin > 0.3), (0, 0), side / 100)


def _shade(light: np.ndarray, colours: np.ndarray, beard: np.ndarray) -> np.ndarray:
    """How the light varies over a beard, of mean 1, `[S, S]`: one side of it may lie in shadow."""
    ratio = light / (colours.mean(axis=-1) + 0.02)
    wide = len(light) / 14
    near = cv2.GaussianBlur(ratio * beard, (0, 0), wide) / (
        cv2.GaussianBlur(beard, (0, 0), wide) + 1e-3
    )
    usual = float((ratio * beard).sum() / beard.sum())
    return np.asarray(np.clip(near / max(usual, 1e-3), 0.35, 1.25))


def _below(mesh: np.ndarray, side: int) -> np.ndarray:
    """The middle of the face below the mouth's corners, where hair is a beard `[S, S]`."""
    left, right, chin = mesh[61], mesh[291], mesh[152]
    down = 1.35 * (chin - (left + right) / 2)
    return _inside(np.stack([left, right, right + down, left + down]), side, 0.045)


def _near(mesh: np.ndarray, side: int) -> np.ndarray:
    """Where a beard grows: on the face, and somewhat below it, `[S, S]` in [0, 1]."""
    rim = mesh[list(OVAL)]
    middle = mesh[1]
    return _inside(middle + (rim - middle) * REACH, side, 0.02)


def _jaw_light(mesh: np.ndarray, side: int) -> np.ndarray:
    """Brightness of a bare lower face beside that of the cheeks `[S, S]`: darker under the jaw."""
    sharp, broad = (_inside(mesh[list(OVAL)], side, soft) for soft in (0.012, 0.05))
    return UNDER + (1 - UNDER) * (0.6 * sharp + 0.4 * np.clip(broad * 1.3, 0, 1))


def _inside(outline: np.ndarray, side: int, soft: float) -> np.ndarray:
    """The inside of an outline `[N, 2]`, its rim `soft` sides wide, `[S, S]` in [0, 1]."""
    found = np.zeros((side, side), np.float32)
    cv2.fillPoly(found, [np.round(outline * side * 16 - 8).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    blurred: np.ndarray = cv2.GaussianBlur(found, (0, 0), side * soft)
    return blurred


def _grain(crop: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Noise as uneven as the photo's skin `[SIDE, SIDE]`, of mean 0."""
    small = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    grey = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    fine = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 2)) / (grey + 0.05)
    where = cv2.resize(skin.astype(np.float32), (SIDE, SIDE)) > 0.5
    noise = np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(np.float32)
    soft: np.ndarray = cv2.GaussianBlur(noise, (0, 0), 1.2)
    return soft * (1.6 * float(np.median(fine[where])) / (float(soft.std()) + 1e-6))
