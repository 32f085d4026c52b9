"""How a face is lit: by where its surface faces, read off the skin that shows.

Light from afar on a matt surface is a low-order function of the surface's direction (spherical
harmonics; Ramamoorthi and Hanrahan 2001, "An efficient representation for irradiance environment
maps", equations 11 to 13), so skin that shows tells how skin that does not would be lit.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator

GRID = 32
"""Side of the grid on which the surface's directions are worked out."""
SAMPLES, ROUNDS, STRAY = 3000, 6, 0.12
"""Pixels that the light is fitted to, how often, and how far they stray, in logarithms."""
RIDGE = (1e-4, 2e-3, 4e-2)
"""What coefficients of order 0, 1 and 2 cost, beside the mean square error."""


def facing(solid: np.ndarray, side: int) -> np.ndarray:
    """Unit vectors in which a face's surface looks, `[side, side, 3]`: right, down, to the viewer.

    Args:
        solid: the mesh `[468, 3]` in parts of the picture's side, depth growing away.
        side: in pixels.
    """
    line = (np.arange(GRID) + 0.5) / GRID
    spots = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    low, high = solid[:, :2].min(axis=0) - 0.08, solid[:, :2].max(axis=0) + 0.08
    surface = RBFInterpolator(solid[:, :2], solid[:, 2], smoothing=1e-3, neighbors=40)
    depth = surface(spots.clip(low, high)).reshape(GRID, GRID)
    depth = cv2.GaussianBlur(depth.astype(np.float32), (0, 0), 1.0)
    down, right = np.gradient(depth, 1 / GRID)
    found = np.dstack([right, down, np.ones_like(depth)]) * (-1, -1, 1)
    found = -found * (1, 1, -1)
    large = cv2.resize(found.astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    unit: np.ndarray = large / np.linalg.norm(large, axis=-1, keepdims=True)
    return unit


def lit(light: np.ndarray, known: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The logarithm of a face's brightness, wherever its surface goes on, `[S, S]`.

    Args:
        light: the logarithm of the picture's brightness `[S, S]`.
        known: where that is of bare skin, `[S, S]` in [0, 1].
        direction: in which the surface looks, `[S, S, 3]`.
    """
    terms, orders = _harmonics(direction)
    where = known > 0.5
    step = max(int(where.sum()) // SAMPLES, 1)
    rows, wanted = terms[where][::step], light[where][::step]
    weight, ridge = np.ones(len(rows)), np.diag(np.array(RIDGE)[orders])
    for _ in range(ROUNDS):
        share = rows * weight[:, None]
        found = np.linalg.solve(
            share.T @ rows / weight.sum() + ridge, share.T @ wanted / weight.sum()
        )
        weight = 1 / (1 + ((wanted - rows @ found) / STRAY) ** 2) ** 2
    low, high = np.quantile(wanted, (0.02, 0.92))
    return np.asarray((terms @ found).clip(low - 0.1, high), np.float32)


def _harmonics(direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spherical harmonics up to order 2 but for factors `[S, S, 9]`, and their orders `[9]`."""
    x, y, z = np.moveaxis(direction, -1, 0)
    planes = [np.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1]
    return np.stack(planes, axis=-1), np.array([0, 1, 1, 1, 2, 2, 2, 2, 2])
