"""Shapes of expressions of which there are few photographs, or none of the same people.

A mean of surprised faces differs from one of neutral faces by who they are too: only what moves in
a surprise is kept. Sadness is acted by action units (Ekman and Friesen 1978): 1 raises the inner
brows, 4 draws them together, 15 pulls the corners of the mouth down, 17 raises the chin.
"""

from __future__ import annotations

import numpy as np

from multimodal.fidelity.mesh import BROWS, EYES, OVAL
from recipes.fidelity.averages import Frame

ACTED = (
    ((107, 55), (0.004, -0.016), 0.035),
    ((66, 65), (0.002, -0.008), 0.035),
    ((70, 46), (0.0, 0.005), 0.04),
    ((61,), (-0.002, 0.016), 0.03),
    ((84, 181), (0.0, -0.004), 0.03),
    ((152, 148), (0.0, -0.004), 0.05),
    ((159, 160), (0.0, 0.003), 0.02),
)
"""Points on the picture's left, how far they move, and how wide: in parts of the crop's side."""
WIDE = 0.05


def lively(frame: Frame, difference: np.ndarray) -> np.ndarray:
    """Of a difference of shapes `[468, 2]` what brows, lids and the lower face do."""
    mesh = frame.mesh
    upper = [point for part in (*BROWS, *EYES) for point in part]
    away = np.linalg.norm(mesh[:, None] - mesh[None, upper], axis=-1).min(axis=1)
    near = np.exp(-((away / WIDE) ** 2))
    below = np.clip((mesh[:, 1] - mesh[1, 1]) / (mesh[0, 1] - mesh[1, 1]), 0, 1)
    kept = np.maximum(near, below)[:, None] * np.ones(2)
    kept[list(OVAL), 0] *= 0.3
    kept[list(OVAL), 1] *= below[list(OVAL)]
    found: np.ndarray = difference * kept
    return found


def sad(frame: Frame) -> np.ndarray:
    """The shape of sadness `[468, 2]`."""
    mesh = frame.mesh
    total = np.zeros_like(mesh)
    for points, way, wide in ACTED:
        middle = mesh[list(points)].mean(axis=0)
        share = np.exp(-((mesh - middle) ** 2).sum(axis=1) / (2 * (wide / 1.5) ** 2))
        total += share[:, None] * np.array(way)
    mirrored = total[frame.partners] * (-1.0, 1.0)
    found: np.ndarray = total + mirrored
    return found
