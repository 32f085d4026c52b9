"""Lights of a portrait: a warm or cool key, a soft sky, a weak fill and a rim from behind."""

from __future__ import annotations

import numpy as np

from recipes.render.drawing.assets import Array
from recipes.render.factors import Factors

_REACH = 2.6  # half width of the shadow maps in view units
_CENTER = np.array([0.0, -0.5, -0.7])


def studio_lights(factors: Factors) -> Array:
    """Rows [N, 8] as ``raster.draw`` reads them; row 0 is the ambient light."""
    warm = np.array([1.0 + 0.10 * factors.light_warmth, 1.0, 1.0 - 0.16 * factors.light_warmth])
    cool = np.array([1.0, 1.0, 1.04])
    level = factors.light_strength
    rows = np.zeros((5, 8))
    rows[0, :3] = 0.32 * factors.ambient * cool
    rows[0, 3:6] = 0.16 * factors.ambient * warm
    rows[1] = _light(factors.light_yaw, factors.light_pitch, 0.86 * level * warm, 1)
    rows[2] = _light(0.0, 55.0, (0.2 + 0.36 * factors.ambient) * cool, 2)
    rows[3] = _light(
        -np.sign(factors.light_yaw + 1e-6) * 55.0, 5.0, 0.24 * factors.ambient * cool, 0
    )
    rows[4] = _light(-np.sign(factors.light_yaw + 1e-6) * 150.0, 35.0, 0.5 * level * cool, 0)
    return rows.astype(np.float32)


def direction(yaw: float, pitch: float) -> Array:
    """Unit vector towards a light; yaw to the picture's right, pitch upwards, degrees."""
    y, p = np.radians(yaw), np.radians(pitch)
    return np.array([np.sin(y) * np.cos(p), np.sin(p), np.cos(y) * np.cos(p)])


def shadow_frames(lights: Array, size: int) -> Array:
    """Maps [M, 4, 4] from view space to each shadow map; row 3 holds tap step and softness."""
    frames = []
    for light in lights[1:]:
        if light[7] > 0:
            frames.append(_frame(light[:3], size, 1.1 if light[7] == 1 else 5.0))
    return np.asarray(frames, np.float32)


def _light(yaw: float, pitch: float, color: Array, shadow: int) -> Array:
    return np.concatenate([direction(yaw, pitch), color, [1.0, float(shadow)]])


def _frame(toward: Array, size: int, step: float) -> Array:
    right = np.cross([0.0, 1.0, 0.0], toward)
    right /= np.linalg.norm(right) + 1e-9
    up = np.cross(toward, right)
    axes = np.stack([right, up, toward])
    out = np.zeros((4, 4))
    gain = np.array([size / (2 * _REACH), size / (2 * _REACH), 1.0])
    out[:3, :3] = axes * gain[:, None]
    out[:3, 3] = -(axes @ _CENTER) * gain + np.array([size / 2, size / 2, 0.0])
    out[3, 0], out[3, 1] = step, 0.06
    return out
