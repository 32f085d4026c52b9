"""What is known on a face, carried on over hair, ears and neck until the head ends."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from multimodal.heads.solid import HEAD, Solid

FADE = 0.12
"""How far beyond the head motion ends, in parts of the square's side."""
EDGE = 0.03
"""The same at the square's border."""
ROUNDS = 60
STEEP = 1.8
"""Slope of the face from which it is not followed: what is seen so aslant has too few pixels to be
drawn out, and would tear."""


def carried(solid: Solid, values: np.ndarray) -> np.ndarray:
    """Values at the mesh's points `[468, C]` over the whole square `[G, G, C]`, 0 beyond the head.

    Between the face and the head's outline they are harmonic: as smooth as may be.
    """
    known, covered = solid.spread(np.concatenate([values, solid.mesh[:, 2:]], axis=1))
    known, depth = known[..., :-1], cv2.GaussianBlur(known[..., -1], (0, 0), 1.0)
    down, across = np.gradient(depth, 1 / len(depth))
    covered = covered & (np.hypot(down, across) < STEEP)
    return harmonic(known, covered, ~_around(solid) & ~covered)


def harmonic(known: np.ndarray, covered: NDArray[np.bool_], still: NDArray[np.bool_]) -> np.ndarray:
    """The solution of Laplace's equation between where values are known and where they are 0.

    Relaxed from coarse to fine, which is quick; every level begins with the one before.

    Args:
        known: `[G, G, C]`.
        covered: where they hold `[G, G]`.
        still: where the solution is 0.
    """
    side = known.shape[0]
    found: np.ndarray = np.zeros((1, 1, known.shape[2]))
    for size in (side // 16, side // 8, side // 4, side // 2, side):
        weight = _averaged(covered.astype(np.float64), size)
        level = _averaged(known * covered[..., None], size).reshape(size, size, -1)
        level = level / np.maximum(weight, 1e-9)[..., None]
        fixed = weight > 0.5
        nought = (_averaged(still.astype(np.float64), size) > 0.5) & ~fixed
        found = cv2.resize(found, (size, size), interpolation=cv2.INTER_LINEAR).reshape(
            size, size, -1
        )
        for _ in range(ROUNDS):
            found[fixed], found[nought] = level[fixed], 0.0
            found = cv2.blur(found, (3, 3), borderType=cv2.BORDER_REPLICATE).reshape(size, size, -1)
    found = cv2.GaussianBlur(found, (0, 0), side / 200).reshape(side, side, -1)
    found[still & (cv2.blur(still.astype(np.float32), (9, 9)) > 0.99)] = 0.0
    return found


def _around(solid: Solid) -> NDArray[np.bool_]:
    """The head and a little more, without the square's border."""
    head = (solid.share(*HEAD) > 0.5).astype(np.uint8)
    side = head.shape[0]
    width = round(FADE * side) * 2 + 1
    wide = cv2.dilate(head, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    edge = max(round(EDGE * side), 1)
    inner = np.zeros_like(head)
    inner[edge:-edge, edge:-edge] = 1
    within: NDArray[np.bool_] = (np.asarray(wide) > 0) & (inner > 0)
    return within


def _averaged(plane: np.ndarray, size: int) -> np.ndarray:
    return cv2.resize(plane, (size, size), interpolation=cv2.INTER_AREA)
