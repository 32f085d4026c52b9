"""Blurred backgrounds: smooth gradients, bokeh, soft indoor and outdoor shapes; linear light."""

from __future__ import annotations

import numpy as np

from recipes.render.drawing.assets import Array
from recipes.render.factors import Factors

_COARSE = 32


def draw_background(factors: Factors, size: int) -> Array:
    """A soft picture [size, size, 3] in linear light."""
    rng = np.random.default_rng(factors.background_seed)
    base = np.asarray(factors.background_color) ** 2.2
    painter = _PAINTERS.get(factors.background)
    if painter is None:
        raise ValueError(f"unknown background {factors.background!r}; valid: {sorted(_PAINTERS)}")
    y, x = np.mgrid[0:_COARSE, 0:_COARSE] / (_COARSE - 1.0)
    coarse = painter(rng, base, x, y)
    return _enlarge(_soften(np.clip(coarse, 0.002, 1.0)), size)


def _plain(rng: np.random.Generator, base: Array, x: Array, y: Array) -> Array:
    vignette = 1.0 - 0.35 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    return base * vignette[..., None]


def _gradient(rng: np.random.Generator, base: Array, x: Array, y: Array) -> Array:
    angle = rng.uniform(0, 2 * np.pi)
    t = 0.5 + (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle)
    other = base * rng.uniform(0.35, 1.5) * rng.uniform(0.85, 1.15, 3)
    return base + (other - base) * np.clip(t, 0, 1)[..., None]


def _bokeh(rng: np.random.Generator, base: Array, x: Array, y: Array) -> Array:
    out = _gradient(rng, base, x, y)
    for _ in range(int(rng.integers(6, 16))):
        cx, cy, radius = rng.uniform(-0.1, 1.1), rng.uniform(-0.1, 0.9), rng.uniform(0.04, 0.16)
        disc = 1.0 / (1.0 + np.exp(((x - cx) ** 2 + (y - cy) ** 2 - radius**2) * 260))
        glow = base * rng.uniform(0.6, 2.2) * rng.uniform(0.75, 1.25, 3) + 0.03
        out = out + disc[..., None] * (glow - out) * rng.uniform(0.15, 0.5)
    return out


def _indoor(rng: np.random.Generator, base: Array, x: Array, y: Array) -> Array:
    out = _gradient(rng, base, x, y)
    for _ in range(int(rng.integers(2, 6))):
        left, width = rng.uniform(-0.2, 0.9), rng.uniform(0.1, 0.5)
        top, height = rng.uniform(-0.3, 0.7), rng.uniform(0.2, 0.9)
        inside = _box(x, left, left + width) * _box(y, top, top + height)
        tone = base * rng.uniform(0.3, 1.7) * rng.uniform(0.8, 1.2, 3)
        out = out + inside[..., None] * (tone - out) * 0.75
    return out


def _outdoor(rng: np.random.Generator, base: Array, x: Array, y: Array) -> Array:
    sky = np.array([0.45, 0.6, 0.8]) * rng.uniform(0.5, 1.15)
    green = np.array([0.1, 0.17, 0.06]) * rng.uniform(0.5, 1.8) * rng.uniform(0.8, 1.2, 3)
    line = rng.uniform(0.1, 0.75) + 0.08 * np.sin(x * rng.uniform(3, 12) + rng.uniform(0, 6))
    ground = 1.0 / (1.0 + np.exp((line - y) * 22))
    out = sky + (0.7 * green + 0.3 * base - sky) * ground[..., None]
    for _ in range(10):
        cx, cy, radius = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.05, 0.2)
        blob = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / radius**2)
        tone = green * rng.uniform(0.4, 2.0) if cy > line.mean() else sky * rng.uniform(0.7, 1.1)
        out = out + blob[..., None] * (tone - out) * 0.5
    return out


def _box(t: Array, low: float, high: float) -> Array:
    edge = 30.0
    return 1.0 / (1.0 + np.exp((low - t) * edge)) / (1.0 + np.exp((t - high) * edge))


def _soften(image: Array) -> Array:
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 4


def _enlarge(image: Array, size: int) -> Array:
    """Bilinear enlargement by two small matrices."""
    n = image.shape[0]
    at = np.linspace(0, n - 1, size)
    low = np.clip(at.astype(int), 0, n - 2)
    share = at - low
    matrix = np.zeros((size, n))
    matrix[np.arange(size), low] = 1 - share
    matrix[np.arange(size), low + 1] = share
    m = matrix.astype(np.float32)
    rows = np.tensordot(m, image.astype(np.float32), (1, 0))
    return np.ascontiguousarray(np.tensordot(m, rows, (1, 1)).transpose(1, 0, 2))


_PAINTERS = {
    "plain": _plain,
    "gradient": _gradient,
    "bokeh": _bokeh,
    "indoor": _indoor,
    "outdoor": _outdoor,
}
