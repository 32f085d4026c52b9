"""Where a beard grows on a photo: what is hair there by the parser, by colour or by roughness."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from multimodal.fidelity.mesh import INNER_LIPS, OUTER_LIPS, OVAL
from multimodal.fidelity.regions import share

SIDE = 256
"""Side at which beards are looked for and skin is worked out."""
NOSE = (168, 193, 122, 174, 236, 198, 49, 48, 64, 98, 97, 2, 326, 327, 294, 278, 279, 420, 456,
        399, 351, 417)  # fmt: skip
ABOVE = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 410, 327, 326, 2, 97, 98, 186)
CHIN = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 394, 379, 378, 400, 377, 152, 148, 176,
        149, 150, 169)  # fmt: skip
"""The nose, the skin between it and the upper lip, and that below the lower one, by the mesh."""
REACH = 1.3
"""How far from the nose a beard reaches, in distances of the face's outline."""
DARKER, GREYER, ROUGHER = (0.1, 0.16), (0.05, 0.09), (1.7, 1.0)
"""From where skin is too dark (in logarithms), too grey (red to green in logarithms) or too rough
(in roughnesses of cheeks) to be bare, and over how much more it surely is not."""
SOME, GREY, ROUGH, BLACK = 0.05, 0.02, 1.05, 0.6
"""Share of the lower face that a beard covers at least; its greyness and roughness at least, or how
much darker than skin one of most of it is."""
COVERED, MOSTLY = 0.3, 0.45
"""Share of a part of the face that shows a beard, from which all of it counts as bearded; that of
the lower face."""


@dataclass(frozen=True, eq=False)
class Jaw:
    """The lower face by the mesh, all `[256, 256]` in [0, 1].

    Args:
        face: inside the face's outline.
        wider: inside a somewhat larger one at the cheeks, which are broader than the mesh.
        low: where a beard may grow on it.
        above: the skin above the upper lip.
        chin: what of it lies below the lips.
        throat: the neck under the jaw, no broader than it.
        below: the neck under the jaw, and beside it what a full beard covers.
        nose: what stays of the nose.
        lips: and of lips and the mouth.
        lower: of them, the lower lip.
    """

    face: np.ndarray
    wider: np.ndarray
    low: np.ndarray
    above: np.ndarray
    chin: np.ndarray
    throat: np.ndarray
    below: np.ndarray
    nose: np.ndarray
    lips: np.ndarray
    lower: np.ndarray


def jaw_parts(mesh: np.ndarray) -> Jaw:
    """The lower face of a mesh `[468, 2]` in parts of the side."""
    rim, middle = mesh[list(OVAL)], mesh[1]
    grown = inside(middle + (rim - middle) * 1.04, 1.3)
    axis = (mesh[152] - mesh[1]) / float(np.linalg.norm(mesh[152] - mesh[1]) ** 2)
    line = (np.arange(SIDE) + 0.5) / SIDE
    down = (np.stack(np.meshgrid(line, line), axis=-1) - mesh[1]) @ axis
    wider = inside(middle + (rim - middle) * 1.11, 1.3)
    wider = wider * np.clip((0.8 - down) / 0.35, 0, 1).astype(np.float32)
    wide = inside(middle + (rim - middle) * REACH, 4)
    bound = _under(mesh)
    lips = inside(mesh[list(OUTER_LIPS)], 0.6)
    lower = inside(mesh[[*OUTER_LIPS[10:], OUTER_LIPS[0], *INNER_LIPS[:9:-1]]], 0.6)
    outline = mesh[list(NOSE)]
    outline[9:14] += 0.12 * (mesh[1] - outline[9:14])  # moustaches begin right under it
    nose = inside(outline, 0.7)
    low = grown * bound * (1 - nose)
    above, chin = inside(mesh[list(ABOVE)], 0.8), inside(mesh[list(CHIN)], 1.0)
    throat = inside(_throat(mesh), 1.5)
    return Jaw(
        grown, wider, low, above, chin, throat, wide * bound * (1 - grown), nose, lips, lower
    )


def _under(mesh: np.ndarray) -> np.ndarray:
    """1 below the line from ear to ear on which beards end on cheeks, soft."""
    cheeks = mesh[[93, 137, 147, 187, 205, 98, 2, 327, 425, 411, 376, 366, 323]]
    axis = mesh[152] - mesh[10]
    out = (mesh[323] - mesh[93]) * 0.5
    low = axis * 1.2
    outline = np.concatenate(
        [(mesh[93] - out)[None], cheeks, [mesh[323] + out, mesh[323] + out + low,
         mesh[93] - out + low]])  # fmt: skip
    return inside(outline, 3.5)


def _throat(mesh: np.ndarray) -> np.ndarray:
    """The outline of a neck, from below the jaw, `[4, 2]`."""
    left, right, chin, top = mesh[172], mesh[397], mesh[152], mesh[10]
    down, wide = 0.6 * (chin - top), right - left
    return np.stack([left + 0.02 * wide, right - 0.02 * wide, right + down, left + down])


def inside(outline: np.ndarray, soft: float) -> np.ndarray:
    """The inside of an outline `[N, 2]`, its rim `soft` pixels wide, `[256, 256]` in [0, 1]."""
    found = np.zeros((SIDE, SIDE), np.float32)
    cv2.fillPoly(found, [np.round(outline * SIDE * 16 - 8).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    blurred: np.ndarray = cv2.GaussianBlur(found, (0, 0), soft)
    return blurred


def whiskers(
    picture: np.ndarray, bare: np.ndarray, likely: np.ndarray, jaw: Jaw, sure: np.ndarray
) -> np.ndarray:
    """Where a photo shows a beard, `[256, 256]` in [0, 1].

    Args:
        picture: the crop `[256, 256, 3]` in [0, 1].
        bare: what its skin would look like everywhere, likewise.
        likely: probabilities of the parser's classes `[16, 512, 512]`.
        jaw: the lower face.
        sure: where a beard is known to be, `[256, 256]` in [0, 1].
    """
    dark, grey, rough = unlike(picture, bare, likely, jaw)
    dark, grey = (dark - DARKER[0]) / DARKER[1], (grey - GREYER[0]) / GREYER[1]
    rough = (rough - ROUGHER[0]) / ROUGHER[1]
    looks = np.maximum.reduce([dark, grey, rough]).clip(0, 1)
    other = share(likely, ("background", "clothes", "glasses", "hat", "ears"))
    hair = share(likely, ("hair",))
    locks = hair * (1 - np.maximum(jaw.wider, jaw.throat))  # they hang beside the face
    core = np.maximum(sure, share(likely, ("beard",)))
    full = covered(np.maximum(core, looks * (core.max() > 0.5)), jaw.chin)
    place = np.maximum(jaw.low, jaw.below) if full else jaw.low * (1 - jaw.below)
    near = grown(core, SIDE // (8 if full else 20))
    near = cv2.GaussianBlur(near, (0, 0), 4 if full else 1.5)
    if full:
        near = np.maximum(near, _joined(looks * place * (1 - other).clip(0, 1), core))
    near = near * place * (1 - jaw.lips) * (1 - np.clip(2 * locks, 0, 1))
    found = np.maximum(core * np.maximum(jaw.low, jaw.below), looks * (1 - other).clip(0, 1) * near)
    found = np.maximum(found, hair * near * full)
    return _whole(found * (1 - jaw.nose), jaw)


def unlike(
    picture: np.ndarray, bare: np.ndarray, likely: np.ndarray, jaw: Jaw
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How much darker than bare skin a photo is (in logarithms), how much greyer (in those of red
    to green), and how much rougher than its cheeks, each `[256, 256]`; arguments as above."""
    logs, usual = np.log(picture + 0.03), np.log(bare + 0.03)
    away = logs - usual
    light = logs.mean(axis=-1)
    fine = np.abs(light - cv2.GaussianBlur(light, (0, 0), 1.3))
    fine = cv2.GaussianBlur(fine, (0, 0), 1.6)
    skin = (share(likely, ("skin",)) > 0.9) & (jaw.face > 0.5) & (jaw.low < 0.1)
    rough = fine / (float(np.median(fine[skin])) + 0.004 if skin.any() else 1.0)
    return -away.mean(axis=-1), away[..., 1] - away[..., 0], rough


def is_beard(
    picture: np.ndarray, bare: np.ndarray, likely: np.ndarray, jaw: Jaw, sure: np.ndarray
) -> bool:
    """Is what the parser takes for a beard one? Shadows and wrinkles are smooth, or redder than
    skin; arguments as above."""
    core, low = np.maximum(sure, share(likely, ("beard",))), jaw.low > 0.5
    dark, grey, rough = unlike(picture, bare, likely, jaw)
    seen = (core > 0.5) & low
    if seen.sum() < 20 or float((core[low] > 0.3).mean()) < SOME:
        return False
    black = dark[seen].mean() > BLACK and seen.sum() > MOSTLY * low.sum()
    return bool(black or (grey[seen].mean() > GREY and rough[seen].mean() > ROUGH))


def covered(beard: np.ndarray, part: np.ndarray) -> bool:
    """Does a part of the face show a beard?"""
    where = part > 0.5
    return bool(where.any()) and float((beard[where] > 0.3).mean()) > COVERED


def _joined(looks: np.ndarray, core: np.ndarray) -> np.ndarray:
    """What looks like a beard and hangs together with one, `[S, S]` in [0, 1]."""
    some = (np.maximum(cv2.GaussianBlur(looks, (0, 0), 1), core) > 0.35).astype(np.uint8)
    count, label = cv2.connectedComponents(some)
    touching = np.bincount(label[core > 0.5], minlength=count) > 5
    touching[0] = False
    return cv2.GaussianBlur(grown(touching[label].astype(np.float32), 5), (0, 0), 1.5)


def _whole(found: np.ndarray, jaw: Jaw) -> np.ndarray:
    """Without holes, and all of what is mostly bearded."""
    size = np.ones((SIDE // 20 | 1,) * 2, np.uint8)
    closed: np.ndarray = cv2.morphologyEx((found > 0.35).astype(np.float32), cv2.MORPH_CLOSE, size)
    closed *= np.maximum(jaw.low, jaw.below)
    found = np.maximum(found, closed)
    if covered(found, jaw.above):
        found = np.maximum(found, jaw.above)
    low = jaw.low > 0.5
    if low.any() and float((found[low] > 0.3).mean()) > MOSTLY:
        found = np.maximum(found, jaw.low)
    return found


def grown(mask: np.ndarray, width: int) -> np.ndarray:
    """A mask, `width` pixels wider in all."""
    shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width | 1, width | 1))
    found: np.ndarray = cv2.dilate(mask, shape)
    return found
