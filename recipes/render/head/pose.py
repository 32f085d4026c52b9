"""Poses the head: yaw and pitch that fade out towards the shoulders, then view space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recipes.render.drawing.assets import Array
from recipes.render.factors import Factors

# Vertices of the eye helpers (left is the person's left, at +x) and the point of the chin.
LEFT_EYE = np.arange(14598, 14670)
RIGHT_EYE = np.arange(14670, 14742)
_INTEROCULAR = 0.615  # decimetres between the eyes in view space


@dataclass(frozen=True)
class Pose:
    """A smooth map from body space to view space (origin between the eyes, viewer at +z)."""

    origin: Array  # [3], between the eyes
    scale: float
    yaw: float  # radians
    pitch: float

    def apply(self, points: Array) -> Array:
        """Body points [V, 3] to view space [V, 3]."""
        p: Array = (np.asarray(points, np.float32) - self.origin) * np.float32(self.scale)
        # The neck turns less than the head, the shoulders least.
        share = _smooth((p[:, 1] + 2.3) / 1.3)
        pivot = np.array([0.0, -1.0, -0.9], np.float32)
        p = p - pivot
        p = _turn(p, self.pitch * share, 1, 2)
        p = _turn(p, -self.yaw * (0.35 + 0.65 * share), 0, 2)
        return (p + pivot).astype(np.float32)


def make_pose(body: Array, factors: Factors) -> Pose:
    """The pose of the shaped body for the factors' angles."""
    left, right = body[LEFT_EYE].mean(0), body[RIGHT_EYE].mean(0)
    scale = _INTEROCULAR / float(np.linalg.norm(left - right))
    yaw, pitch = np.radians(factors.yaw), np.radians(factors.pitch)
    return Pose(((left + right) / 2).astype(np.float32), scale, float(yaw), float(pitch))


def _smooth(x: Array) -> Array:
    t = np.clip(x, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _turn(p: Array, angle: Array, i: int, j: int) -> Array:
    """Rotate axes ``i``, ``j`` by a per-point angle."""
    out = p.copy()
    c, s = np.cos(angle), np.sin(angle)
    out[:, i] = c * p[:, i] - s * p[:, j]
    out[:, j] = s * p[:, i] + c * p[:, j]
    return out
