"""Long hair at both sides of a face whose own is short, in the colour and contrast of its own.

A generator's hair is a blur at the photo's size. Here strands hang from the temples over the ears
to the shoulders; what the photo shows above stays.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from multimodal.fidelity.change import Cover
from multimodal.fidelity.mesh import EYES, OVAL
from multimodal.fidelity.wishes import Wishes

SIDE = 768
LEAST = 400
"""Pixels of hair whose colour counts."""
LONG = "hair_length: long"
"""What words mean long hair. Being a woman does not: locks that nobody asked for look put on."""
CONTRAST = 0.5
"""How much of its own hair's spread of light the locks show."""
HEIGHTS = (-0.62, -0.45, -0.25, 0.0, 0.3, 0.6, 0.9, 1.3)
"""Heights below the eyes, in widths of the face, at which the locks' rims are given."""
OUTER = (0.30, 0.47, 0.585, 0.635, 0.665, 0.685, 0.68, 0.60)
INNER = (0.26, 0.36, 0.455, 0.475, 0.465, 0.40, 0.335, 0.30)
"""Distances of both rims from the middle, in widths of the face."""
ENDS = (1.0, 0.22)
"""How far down the shortest strands reach, and how much further the longest."""
FULL = 0.3
"""Share of the place of locks that shows hair, from which it is long already."""


def lengthened(wishes: Wishes) -> float:
    """How much long hair words ask for, in [0, 1]."""
    return float(np.clip(wishes.amount(LONG), 0, 1))


def tresses(mesh: np.ndarray, hair: np.ndarray, own: np.ndarray) -> Cover | None:
    """Locks beside a face, or None: its hair is long already, or it has none.

    Args:
        mesh: of the face `[468, 2]`, in parts of the square's side.
        hair: where the square shows hair `[S, S]` in [0, 1].
        own: colours of that hair, `[N, 3]` in [0, 1].
    """
    if len(own) < LEAST:
        return None
    shown = cv2.resize(hair, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    across, down, turn = places_of(mesh, SIDE)
    colours, alpha = np.zeros((SIDE, SIDE, 3), np.float32), np.zeros((SIDE, SIDE), np.float32)
    tone, spread = own.mean(axis=0), float(np.clip(own.mean(axis=1).std(), 0.02, 0.16))
    for sign in (-1.0, 1.0):
        away = sign * turn  # locks beyond a face that is turned away hang behind it
        seen = float(np.clip(1 - 1.3 * away, 0.0, 1.1))
        lock, strands = _lock(across * sign / max(seen, 0.3), down, sign)
        lower = (down > 0.35) & (lock > 0.5)
        lock = lock * (1 - _before(mesh, down, away))
        if lower.any() and shown[lower].mean() > FULL:
            return None
        if seen < 0.4:
            continue
        shade = tone + (spread * CONTRAST) * strands[..., None] * (tone / (tone.mean() + 1e-3))
        deep = 0.36 - 0.1 * eased((0.7 - down) / 0.4)
        depth = 0.62 + 0.38 * eased((across * sign / seen - deep) / 0.2)
        colours += (shade * depth[..., None] - colours) * (lock > 0)[..., None]
        alpha = np.maximum(alpha, lock)
    return Cover(colours.clip(0.01, 1), alpha, False, "locks") if alpha.max() > 0.3 else None


def _before(mesh: np.ndarray, down: np.ndarray, away: float) -> np.ndarray:
    """Where the face lies before a lock: all of the forehead, and what is turned away."""
    inner, outer = (_face(mesh, len(down), size) for size in (0.93 + 0.5 * max(away, 0.0), 1.03))
    return np.maximum(inner, outer * eased((-0.1 - down) / 0.2))


def places_of(mesh: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Of each pixel: distance from the head's middle line and height below the eyes in widths of
    the face, `[S, S]` each; and how far the face is turned."""
    points = mesh * side
    eyes = points[[point for eye in EYES for point in eye]].mean(axis=0)
    axis = points[152] - points[10]
    axis = axis / np.linalg.norm(axis)
    level = np.array([axis[1], -axis[0]])
    ends = np.sort((points[[127, 356]] - eyes) @ level)
    wide = float(ends[1] - ends[0])
    middle = eyes + level * ends.mean()
    turn = float((points[1] - points[list(OVAL)].mean(axis=0)) @ level) / wide
    spots = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1) - middle
    return (spots @ level / wide).astype(np.float32), (spots @ axis / wide).astype(np.float32), turn


def _face(mesh: np.ndarray, side: int, size: float) -> np.ndarray:
    """The face, somewhat smaller or larger, its rim soft, `[S, S]` in [0, 1]."""
    rim = mesh[list(OVAL)]
    points = (rim.mean(axis=0) + (rim - rim.mean(axis=0)) * min(size, 1.02)) * side
    found = np.zeros((side, side), np.float32)
    cv2.fillPoly(found, [np.round(points * 16 - 8).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    soft: np.ndarray = cv2.GaussianBlur(found, (0, 0), side / 200)
    return soft


def _lock(across: np.ndarray, down: np.ndarray, sign: float) -> tuple[np.ndarray, np.ndarray]:
    """One lock: where it lies `[S, S]` in [0, 1], and how light its strands are, of mean 0."""
    waved = across + 0.018 * np.sin(5.5 * down + sign) * np.clip(down + 0.3, 0, 1)
    inner, outer = (np.interp(down, HEIGHTS, rim) for rim in (INNER, OUTER))
    u = ((waved - inner) / (outer - inner)).astype(np.float32)
    broad, fine = _strands()
    columns = np.clip(u * 0.6 + 0.2, 0, 1) * (broad.shape[1] - 1)
    rows = np.clip((down + 0.7) / 2.2, 0, 1) * (broad.shape[0] - 1)
    places = columns.astype(np.float32), rows.astype(np.float32)
    wide, thin = (cv2.remap(plane, *places, cv2.INTER_LINEAR) for plane in (broad, fine))
    ragged = 0.05 * wide + 0.03 * thin
    rims = eased((u - 0.02 + ragged) / 0.10) * eased((1.0 - u + 1.5 * ragged) / 0.16)
    ends = eased((ENDS[0] + ENDS[1] * (0.5 + 0.3 * wide + 0.15 * thin) - down) / 0.10)
    top = eased((down + 0.52 + 0.03 * wide) / 0.25)
    gloss = 0.9 * np.exp(-(((down - 0.05) / 0.22) ** 2)) - 0.25
    return rims * ends * top, 0.75 * wide + 0.6 * thin + gloss


@lru_cache(maxsize=1)
def _strands() -> tuple[np.ndarray, np.ndarray]:
    """Broad and fine strands that run down `[512, 256]`, of mean 0 and deviation 1."""
    random = np.random.default_rng(3)
    found = []
    for across, along in ((6.0, 90.0), (1.8, 45.0)):
        noise = random.standard_normal((512, 256)).astype(np.float32)
        soft = cv2.GaussianBlur(noise, (0, 0), sigmaX=across, sigmaY=along)
        found.append(((soft - soft.mean()) / soft.std()).clip(-2, 2))
    return found[0], found[1]


def eased(t: np.ndarray) -> np.ndarray:
    """A soft step from 0 to 1, for values that go from 0 to 1."""
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
