"""A head turned: where every pixel of the turned head comes from in the photo."""

from __future__ import annotations

import math

import cv2
import numpy as np

from multimodal.heads.carrying import carried
from multimodal.heads.solid import GRID, Solid, cells

TURN, NOD = 1.33, 1.35
"""What angles are multiplied by: the head's outline stays, so that a head that is turned by its
mesh measures as turned by less. Set on photographs for training."""
PRESSED = 0.6
"""By how much of its length anything may be pressed together at most."""
SMOOTHED = 40
STEPS = 24


def rotation(yaw: float, pitch: float) -> np.ndarray:
    """The matrix `[3, 3]` that turns a head by degrees: yaw to the picture's right, pitch down."""
    a, b = math.radians(yaw), math.radians(pitch)
    about_y = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(b), math.sin(b)], [0, -math.sin(b), math.cos(b)]])
    matrix: np.ndarray = about_y @ about_x
    return matrix


def turned(solid: Solid, yaw: float, pitch: float) -> np.ndarray:
    """From each cell of the turned square to its place in the photo's, `[G, G, 2]`."""
    matrix = rotation(yaw * TURN, pitch * NOD)
    away = (solid.mesh - solid.middle) @ (matrix - np.eye(3)).T
    return inverted(unfolded(carried(solid, away[:, :2])))


def unfolded(motion: np.ndarray) -> np.ndarray:
    """Motion `[G, G, 2]` that is smoothed where it would press the picture together too much."""
    side = motion.shape[0]
    for _ in range(SMOOTHED):
        across = np.gradient(motion[..., 0], 1 / side, axis=1)
        down = np.gradient(motion[..., 1], 1 / side, axis=0)
        pressed = (np.minimum(across, down) < -PRESSED).astype(np.float64)
        if not pressed.any():
            break
        where = cv2.GaussianBlur(cv2.dilate(pressed, np.ones((7, 7))), (0, 0), 2.0)[..., None]
        motion = motion + (cv2.GaussianBlur(motion, (0, 0), 3.0) - motion) * where
    return motion


def inverted(motion: np.ndarray) -> np.ndarray:
    """The places `[G, G, 2]` that come to the grid's cells, by a damped fixed point.

    Args:
        motion: how far each place moves `[G, G, 2]`, in parts of the side.
    """
    shift = motion
    for _ in range(STEPS):
        places = ((cells(GRID) - shift) * GRID - 0.5).astype(np.float32)
        read = cv2.remap(
            motion,
            places[..., 0],
            places[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        shift = 0.5 * shift + 0.5 * read
    shift = np.where(np.abs(shift).max(axis=-1, keepdims=True) < 1e-7, 0.0, shift)
    found: np.ndarray = cells(GRID) - shift
    return found
