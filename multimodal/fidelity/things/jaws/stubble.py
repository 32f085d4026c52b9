"""Stubble: short hairs one by one, dense on lip and chin and along the jaw, sparse on cheeks."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from multimodal.fidelity.mesh import GROWN, OUTER_LIPS
from multimodal.fidelity.things.jaws.whiskers import ABOVE, CHIN, SIDE, inside

FINE = 768
"""Side at which hairs are drawn."""
LENGTH, THICK = 7, 0.8
"""Longest hair in pixels, and how broad it is."""
MANY = 0.3
"""Share of the pixels in which a hair begins, where stubble is dense."""
CHEEK, LIP, JAW, THROAT = 0.2, 0.75, 0.75, 0.3
"""How dense stubble is on cheeks, above the lip, along the jaw and below it, beside the chin."""
SKIN = 0.3
"""How much darker skin is between the hairs, beside these, as roots lie in it."""
GROWN_UP = (0.73, 0.79)
"""From eyes to chin in widths of the face: that of those without stubble, and with all of it."""


def stubble(mesh: np.ndarray) -> np.ndarray:
    """How much of the skin hairs hide, `[768, 768]` in [0, 1].

    Args:
        mesh: of the face `[468, 2]`, in parts of the side.
    """
    dense = _density(mesh)
    starts, strong, lean = _hairs()
    across = (np.arange(FINE) + 0.5) / FINE - mesh[1, 0]
    side = np.clip(across / 0.08 + 0.5, 0, 1).astype(np.float32)
    seeds = (starts < MANY * dense**1.5) * strong
    left, right = (cv2.filter2D(seeds, -1, stroke) for stroke in lean)
    hairs = np.clip(left + (right - left) * side, 0, 1)
    return np.asarray(np.maximum(hairs, SKIN * dense), np.float32)


def grown_up(mesh: np.ndarray) -> float:
    """How far a face is long enough for a beard, in [0, 1]: those of children are short."""
    eyes = mesh[[33, 133, 362, 263]].mean(axis=0)
    long = float(np.linalg.norm(eyes - mesh[152]) / np.linalg.norm(mesh[234] - mesh[454]))
    t = float(np.clip((long - GROWN_UP[0]) / (GROWN_UP[1] - GROWN_UP[0]), 0, 1))
    return t * t * (3 - 2 * t)


def _density(mesh: np.ndarray) -> np.ndarray:
    """How densely hairs stand, `[768, 768]` in [0, 1]."""
    beard, rim = mesh[list(GROWN)], mesh[list(GROWN[14:])]
    all_of_it, lip, chin = (
        inside(beard, 9),
        inside(mesh[list(ABOVE)], 3),
        inside(mesh[list(CHIN)], 5),
    )
    along: np.ndarray = np.zeros((SIDE, SIDE), np.float32)
    wide = float(np.linalg.norm(mesh[152] - mesh[164])) * SIDE
    cv2.polylines(along, [np.round(rim * SIDE).astype(np.int32)], False, 1.0, round(0.5 * wide))
    along = cv2.GaussianBlur(along, (0, 0), 0.16 * wide)
    found: np.ndarray = np.maximum.reduce(
        [CHEEK * all_of_it, JAW * along * all_of_it, LIP * lip, chin]
    )
    below = THROAT * along * (1 - all_of_it)
    middle = np.exp(-((((np.arange(SIDE) + 0.5) / SIDE - mesh[0, 0]) / 0.012) ** 2))
    lips = mesh[list(OUTER_LIPS)]
    free = 1 - inside(lips.mean(axis=0) + (lips - lips.mean(axis=0)) * 1.08, 1)
    groove = 1 - 0.45 * middle * lip  # under the nose
    dense = (np.maximum(found, below) * groove * free).astype(np.float32)
    return cv2.resize(dense, (FINE, FINE), interpolation=cv2.INTER_LINEAR)


@lru_cache(maxsize=1)
def _hairs() -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Where hairs would begin first `[768, 768]` in [0, 1], how strong each is, and their strokes
    on the picture's left and right: down and away from the middle."""
    random = np.random.default_rng(0)
    starts = random.random((FINE, FINE)).astype(np.float32)
    clumps = cv2.GaussianBlur(random.standard_normal((FINE, FINE)).astype(np.float32), (0, 0), 6)
    starts *= np.exp(0.25 * clumps / clumps.std())  # no beard grows evenly
    strong = random.uniform(0.2, 0.8, (FINE, FINE)).astype(np.float32)
    return starts, strong, (_stroke(-0.5), _stroke(0.5))


def _stroke(lean: float) -> np.ndarray:
    """A hair about its middle."""
    fine = np.zeros((LENGTH * 8, LENGTH * 8), np.float32)
    middle, reach = LENGTH * 4, LENGTH * 2.2
    ends = [(round(middle + s * lean * reach), round(middle + s * reach)) for s in (-1, 1)]
    cv2.line(fine, ends[0], ends[1], 1.0, round(THICK * 8), cv2.LINE_AA)
    return cv2.resize(fine, (LENGTH, LENGTH), interpolation=cv2.INTER_AREA)
