"""What tells women, men and children apart beside the mean of their faces: brows, lids, lips, jaws.

Means of groups blur it: brows lie elsewhere on each face, and make-up and stubble on some only.
Here brows become thinner or thicker on their own line, a beard's shadow is evened out to the
cheeks' own tone, and lids, lips and cheeks are coloured, all on the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from multimodal.fidelity.looks.prototypes import Look, looks
from multimodal.fidelity.looks.reading import unfolded
from multimodal.fidelity.mesh import BROWS, EYES, GROWN, INNER_LIPS, OUTER_LIPS
from multimodal.fidelity.wishes import Wishes

SIDE = 256
CHEEKS = ((117, 118, 101, 36, 205, 187, 123), (346, 347, 330, 266, 425, 411, 352))
LOWER = 1.05
"""How far a beard reaches beyond the mesh's jaw, in distances from the nose."""
EVENED = 0.45
"""The most by which a jaw becomes brighter, in logarithms."""
SHADOWED = (0.03, 0.10)
"""How much darker than cheeks a jaw without a beard's shadow is, and one with it."""
CHILDREN = (0.68, 0.76)
"""From eyes to chin in widths of the face: that of most children, and that of most adults."""


@dataclass(frozen=True)
class Traits:
    """How much of each a kind of face has.

    Args:
        brows: part of their height that brows lose, or gain where it is negative.
        eyes: part of their size that eyes gain.
        arched: how far their outer thirds rise, in widths of an eye.
        evened: share of a jaw's shadow that goes, and of its fine contrast.
        smoothed: share of the skin's wrinkles that go.
        liner: darkness of the rims of lids, in logarithms of colours `[3]`.
        shadow: that of upper lids.
        lips: that of lips.
        cheeks: that of cheeks.
        jaw: that of what a beard covers.
    """

    brows: float = 0.0
    eyes: float = 0.0
    arched: float = 0.0
    evened: float = 0.0
    smoothed: float = 0.0
    liner: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shadow: tuple[float, float, float] = (0.0, 0.0, 0.0)
    lips: tuple[float, float, float] = (0.0, 0.0, 0.0)
    cheeks: tuple[float, float, float] = (0.0, 0.0, 0.0)
    jaw: tuple[float, float, float] = (0.0, 0.0, 0.0)


TRAITS = {
    "sex: female": Traits(
        brows=0.45,
        arched=0.05,
        evened=0.9,
        smoothed=0.1,
        liner=(-0.8, -0.85, -0.85),
        shadow=(-0.2, -0.32, -0.3),
        lips=(-0.02, -0.45, -0.3),
        cheeks=(0.03, -0.07, -0.05),
    ),
    "sex: male": Traits(brows=-0.4, lips=(-0.03, 0.07, 0.04), jaw=(-0.05, -0.04, -0.02)),
    "age: child": Traits(
        brows=0.3,
        eyes=0.12,
        evened=0.9,
        smoothed=0.3,
        lips=(0.02, -0.14, -0.1),
        cheeks=(0.02, -0.05, -0.04),
    ),
}
"""Kinds of faces that words name."""


def made_up(look: Look, picture: np.ndarray, mesh: np.ndarray, wishes: Wishes) -> Look:
    """A look with the traits of the sex or age that words name.

    Args:
        look: of photographs.
        picture: the photo's crop `[S, S, 3]` in [0, 1].
        mesh: of its face `[468, 2]`, in parts of the side.
        wishes: what the words say.
    """
    for sense, traits in TRAITS.items():
        amount = min(max(wishes.amount(sense), 0.0), 1.2)
        amount *= _grown_up(mesh) if sense == "sex: female" else 1.0
        if amount > 0:
            look = _with(look, traits, amount, picture, mesh)
    return look


def _grown_up(mesh: np.ndarray) -> float:
    """How far a face is one of an adult, by its length: children wear no make-up."""
    eyes = mesh[[point for eye in EYES for point in eye]].mean(axis=0)
    long = np.linalg.norm(eyes - mesh[152]) / np.linalg.norm(mesh[234] - mesh[454])
    return float(np.clip((long - CHILDREN[0]) / (CHILDREN[1] - CHILDREN[0]), 0, 1))


def _with(look: Look, traits: Traits, amount: float, picture: np.ndarray, mesh: np.ndarray) -> Look:
    texture = cv2.resize(look.texture, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    detail = cv2.resize(look.detail, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    where = areas()
    for name in ("liner", "shadow", "lips", "cheeks", "jaw"):
        colour = np.array(getattr(traits, name), np.float32)
        texture = texture + amount * where[name][..., None] * colour
    if traits.evened > 0:
        lighter = _lighter(_shadow_of(picture, mesh) - np.maximum(texture, 0))
        much = amount * traits.evened * where["jaw"]
        texture = texture + much[..., None] * lighter
        detail = detail - 0.5 * much * np.clip(lighter.mean(axis=-1) / 0.2, 0, 1)
    faded = (amount * traits.smoothed * where["skin"]).astype(np.float32)
    shape, detail = look.shape + amount * _browed(traits), detail.astype(np.float32)
    return replace(look, shape=shape, texture=texture, detail=detail, faded=faded)


def _lighter(shadow: np.ndarray) -> np.ndarray:
    """How much brighter a jaw becomes, in logarithms `[SIDE, SIDE, 3]`: what darkens both its
    sides is a beard's shadow, what darkens one is light."""
    jaw = areas()["jaw"] > 0.5
    left = np.broadcast_to(np.arange(SIDE) < looks().places[1, 0] * SIDE, jaw.shape)
    grey = shadow.mean(axis=-1)
    both = min(float(np.median(grey[jaw & half])) for half in (left, ~left))
    much = float(np.clip((both - SHADOWED[0]) / (SHADOWED[1] - SHADOWED[0]), 0, 1))
    found = np.maximum(shadow, 0)
    most = found.max(axis=-1, keepdims=True)  # colours go together, or what is warm turns yellow
    return np.asarray(much * found * np.minimum(1, EVENED / (most + 1e-6)))


def _browed(traits: Traits) -> np.ndarray:
    """Motion of the mesh's points that makes brows thinner or thicker `[468, 2]`."""
    mesh = looks().mesh
    moved = np.zeros_like(mesh)
    for brow, eye in zip(BROWS, EYES, strict=True):
        upper, lower = list(brow[:5]), list(brow[5:])
        wide = float(np.ptp(mesh[list(eye)][:, 0]))
        away = np.abs(mesh[upper, 0] - mesh[upper[-1], 0]) / wide
        rise = traits.arched * wide * np.clip(away - 0.3, 0, 0.5) * 2
        half = (mesh[lower] - mesh[upper]) / 2 * traits.brows
        moved[upper] += half
        moved[lower] -= half
        moved[upper, 1] -= rise
        moved[lower, 1] -= rise
        moved += traits.eyes * _grown(mesh, mesh[list(eye)].mean(axis=0), wide)
    return moved


def _grown(mesh: np.ndarray, middle: np.ndarray, reach: float) -> np.ndarray:
    """Motion away from a place, of points nearer than a reach `[468, 2]`."""
    away = mesh - middle
    t = np.clip(1.4 - np.linalg.norm(away, axis=1) / reach, 0, 1)
    return away * (t * t * (3 - 2 * t))[:, None]


def _shadow_of(picture: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """By how much a jaw is darker than the cheeks, in logarithms of colours `[SIDE, SIDE, 3]`."""
    logs = unfolded(picture, mesh).astype(np.float32)
    fine = len(logs)
    small = {k: cv2.resize(areas()[k], (fine, fine)) for k in ("cheeks", "jaw", "lips")}
    tone = np.median(logs[small["cheeks"] > 0.5], axis=0)
    known = (np.abs(logs).max(axis=-1) > 0).astype(np.float32)
    weight = ((small["jaw"] * (1 - small["lips"]) + 1e-3) * known)[..., None]
    spread = fine / 30
    near = cv2.GaussianBlur(logs * weight, (0, 0), spread)
    near = near / (cv2.GaussianBlur(weight[..., 0], (0, 0), spread)[..., None] + 1e-6)
    found: np.ndarray = cv2.resize(tone - near, (SIDE, SIDE))
    return found


@lru_cache(maxsize=1)
def areas() -> dict[str, np.ndarray]:
    """Where in looks' textures lids, lips, cheeks, jaw and skin lie `[SIDE, SIDE]` in [0, 1]."""
    places = looks().places * SIDE
    wide = float(np.ptp(places[list(EYES[0])][:, 0]))
    eyes = np.maximum(*(_filled(places[list(eye)]) for eye in EYES))
    liner, shadow = np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
    for eye, brow in zip(EYES, BROWS, strict=True):
        upper, lower = places[list(eye[:9])], places[[eye[0], *eye[:8:-1]]]
        out = upper[0] + (upper[0] - upper[8]) * 0.08 + (0, -0.06 * wide)
        _stroke(liner, np.concatenate([out[None], upper]), 0.075 * wide, 1.0)
        _stroke(liner, lower, 0.04 * wide, 0.45)
        low = places[list(brow[5:])]
        lid = np.concatenate([out[None], upper, (upper * 0.45 + _along(low, 9) * 0.55)[::-1]])
        np.maximum(shadow, _filled(lid), out=shadow)
    lips = np.clip(_filled(places[list(OUTER_LIPS)]) - _filled(places[list(INNER_LIPS)]), 0, 1)
    cheeks = np.maximum(*(_filled(places[list(cheek)]) for cheek in CHEEKS))
    nose, rim = places[1], places[list(GROWN)]
    jaw = _filled(nose + (rim - nose) * LOWER) * (1 - _filled(places[list(OUTER_LIPS)]))
    skin = (1 - eyes) * (1 - _filled(places[list(OUTER_LIPS)]))
    for brow in BROWS:
        skin = skin * (1 - _filled(places[list(brow[:5] + brow[:4:-1])]))
    blurs = {"liner": 1.2, "shadow": 4, "lips": 1.5, "cheeks": 12, "jaw": 8, "skin": 5}
    planes = {"liner": liner * (1 - 0.75 * eyes), "shadow": shadow * (1 - eyes), "lips": lips,
              "cheeks": cheeks, "jaw": jaw, "skin": skin}  # fmt: skip
    return {name: cv2.GaussianBlur(plane, (0, 0), blurs[name]) for name, plane in planes.items()}


def _along(line: np.ndarray, count: int) -> np.ndarray:
    """Points evenly along a line of points."""
    at, steps = np.linspace(0, 1, len(line)), np.linspace(0, 1, count)
    return np.stack([np.interp(steps, at, line[:, axis]) for axis in (0, 1)], axis=1)


def _filled(outline: np.ndarray) -> np.ndarray:
    found = np.zeros((SIDE, SIDE), np.float32)
    cv2.fillPoly(found, [np.round(outline * 16 - 8).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return found


def _stroke(plane: np.ndarray, line: np.ndarray, width: float, much: float) -> None:
    drawn = np.zeros_like(plane)
    corners = [np.round(line * 16 - 8).astype(np.int32)]
    cv2.polylines(drawn, corners, False, much, max(round(width), 1), cv2.LINE_AA, 4)
    np.maximum(plane, drawn, out=plane)
