"""Which looks two drawings differ by: read off how the mesh moved and how colours changed."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np

from multimodal.fidelity.looks.expressions import FELT, felt, shut
from multimodal.fidelity.looks.prototypes import Look, Looks, looks, together
from multimodal.fidelity.looks.unfolding import Cells, cells_of
from multimodal.fidelity.registration import fitted
from multimodal.fidelity.wishes import Wishes

FINE, COARSE = 72, 24
"""Sides at which colours are read off the mesh, and at which they are compared."""
SHAPE_SCALE, COLOUR_SCALE = 30.0, 0.3
"""Bring both kinds of features to a like size."""
DARK = 0.03
UNREST = 0.12
"""Amounts up to this are taken for none."""
NAMED = {
    "sex: female": {"man": -1.5},
    "sex: male": {"man": 1.7},
    "age: old": {"old": 1.2},
    "age: child": {"child": 1.5, "old": -0.5},
}
"""Classes whose words name looks, and how much of each they mean. A drawing between man and woman
hardly changes when it is made a woman; the photo shall. Children are no small old people."""
SURPLUS = 1.6
"""No look is taken further than this."""


def named(wishes: Wishes) -> bool:
    """Do words name a look? However little of it they ask for, the drawing has no say then."""
    return any(wishes.amount(sense) > 0 for sense in (*NAMED, *FELT))


def look_of(
    pictures: tuple[np.ndarray, np.ndarray],
    meshes: tuple[np.ndarray, np.ndarray],
    own: np.ndarray,
    wishes: Wishes,
) -> Look:
    """The look that an edit wants: the one that words name, else the one its drawings show.

    Args:
        pictures: the drawings before and after the edit, `[S, S, 3]` in [0, 1].
        meshes: their meshes `[468, 2]` in parts of the side.
        own: the mesh of the photo's face.
        wishes: what the words say.
    """
    names = looks().names
    led = named(wishes)
    amounts = np.zeros(len(names)) if led else amounts_of(*pictures, meshes)
    for sense, named_looks in NAMED.items():
        for name, much in named_looks.items() if wishes.amount(sense) > 0 else ():
            pick, index = np.maximum if much > 0 else np.minimum, names.index(name)
            amounts[index] = pick(amounts[index], much * wishes.amount(sense))
    for name, much in felt(own, wishes).items():
        if name in names:
            amounts[names.index(name)] = much
    look = together(amounts, float(led))
    return replace(look, shape=shut(own, look.shape, wishes))


def amounts_of(
    before: np.ndarray, after: np.ndarray, meshes: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """How much of each look two drawings differ by `[K]`; 1 is that look in full.

    Args:
        before: the drawing before the edit, `[S, S, 3]` in [0, 1].
        after: the drawing after it.
        meshes: their meshes `[468, 2]` in parts of the side.
    """
    known = looks()
    read = features(before, after, meshes, known) @ known.reading
    size = np.abs(read)
    bounded = np.clip(size - UNREST, 0, None) * np.clip(SURPLUS / (size + 1e-6), 0, 1)
    found: np.ndarray = np.sign(read) * bounded
    return found


def features(
    before: np.ndarray,
    after: np.ndarray,
    meshes: tuple[np.ndarray, np.ndarray],
    known: Looks,
) -> np.ndarray:
    """What the reading looks at, `[468 * 2 + 24 * 24 * 3]`."""
    motion = (meshes[1] - meshes[0]) @ fitted(meshes[0], known.mesh)[:2]
    colours = [unfolded(*pair) for pair in zip((before, after), meshes, strict=True)]
    difference = (colours[1] - colours[0]).astype(np.float32)
    small = cv2.resize(difference, (COARSE, COARSE), interpolation=cv2.INTER_AREA)
    return np.concatenate([motion.ravel() * SHAPE_SCALE, small.ravel() * COLOUR_SCALE])


def unfolded(picture: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """Logarithms of a face's colours over the square of the looks' textures; 0 beside the face."""
    cells = _squares()
    return np.log(cells.read(picture, mesh) + DARK) * cells.inside[..., None]


@lru_cache(maxsize=1)
def _squares() -> Cells:
    return cells_of(looks().places, FINE)
