"""Where things lie on a head: soft masks over rest positions [..., 3] of the base mesh, in
decimetres.

Each mask is a plain function of position, so it paints a texture (through the UV map of rest
positions) and
weighs vertices (for fur shells) alike. The picture's right is +x, up is +y, the viewer is at +z.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numba import njit
from PIL import Image, ImageDraw, ImageFilter

from recipes.render.drawing.assets import Array, base_mesh
from recipes.render.head.landmarks import landmark_points

TEXTURE_SIZE = 512
_CANVAS = 512  # front canvas: x in [-1, 1], y in [6, 8] mapped to it
FREE_STYLES = ("moustache", "goatee", "full", "stubble")


def scalp(p: Array, softness: float = 0.1, grow: float = 0.0) -> Array:
    """Where hair grows on the head: behind the hairline (moved out by ``grow``), not on the
    ears.
    """
    x, y, z = np.abs(p[..., 0]), p[..., 1], p[..., 2]
    front = 7.2 + (z - 0.72) * 1.62 - 0.12 * np.clip(x - 0.35, 0, 1)
    line = np.where(z > 0.72, front, np.interp(z, [0.3, 0.72], [6.72, 7.2]))
    grown = _step(y - line + grow, -softness, softness)
    ear = _step(x, 0.7, 0.78) * _step(7.52 - y, 0.0, 0.06) * _step(z, 0.28, 0.36)
    return grown * (1.0 - ear)


def horseshoe(p: Array) -> Array:
    """The wreath of hair that male balding leaves: sides and back."""
    x, y, z = np.abs(p[..., 0]), p[..., 1], p[..., 2]
    top = 7.62 + 0.25 * np.clip(x - 0.5, 0, 0.4) - 0.2 * np.clip(z, -0.4, 0.6)
    return scalp(p) * _step(top - y, -0.16, 0.16) * _step(0.95 - z, 0.0, 0.15)


def beard(p: Array, style: str) -> Array:
    """Where the beard of ``style`` grows."""
    x, y, z = np.abs(p[..., 0]), p[..., 1], p[..., 2]
    lips = front_mask(p, "lips")
    lip_line = 6.725 - 0.75 * np.clip(x - 0.08, 0, 1) ** 1.1
    moustache = _step(y - lip_line, -0.045, 0.0) * _step(6.80 - 0.28 * x - y, -0.015, 0.03)
    moustache = moustache * _step(0.34 - x, 0.0, 0.06) * _step(z, 1.3, 1.36)
    if style == "moustache":
        return moustache * (1 - lips)
    around = _step(0.37 - x, 0.0, 0.07) * _step(6.66 - y, 0.0, 0.05) * _step(z, 0.85, 1.05)
    around = around * _step(y - 6.0, 0.0, 0.1)
    if style == "goatee":
        cheeks = _step(0.24 + 0.12 * np.clip((6.66 - y) / 0.2, 0, 1) - x, -0.03, 0.08)
        chin = around * np.maximum(cheeks, _step(x - 0.23, 0.0, 0.04) * _step(y - 6.4, 0.0, 0.1))
        return np.maximum(moustache, chin) * (1 - lips)
    cheek = np.interp(z, [0.6, 0.85, 1.1, 1.4, 1.6], [7.12, 6.95, 6.72, 6.6, 6.6])
    full = _step(cheek - y, -0.05, 0.08) * _step(z - 0.55, 0.0, 0.12) * _step(y - 5.98, 0.0, 0.14)
    full = full * (1.0 - _step(x, 0.72, 0.76) * _step(y, 6.8, 6.85) * _step(0.8 - z, 0, 0.05))
    return np.maximum(moustache, full) * (1 - lips)


def front_mask(p: Array, name: str) -> Array:
    """A mask painted on the front canvas (``lips``, ``lines``, ``tears``...), sampled at
    positions.
    """
    canvas = _front_canvas(name)
    col = np.clip((p[..., 0] + 1) / 2 * (_CANVAS - 1), 0, _CANVAS - 1).astype(int)
    row = np.clip((8 - p[..., 1]) / 2 * (_CANVAS - 1), 0, _CANVAS - 1).astype(int)
    return canvas[row, col] * _step(p[..., 2], 0.85, 1.0)


def blob(p: Array, x: float, y: float, rx: float, ry: float) -> Array:
    """A soft spot on both sides of the face, about ``(+-x, y)``."""
    d = ((np.abs(p[..., 0]) - x) / rx) ** 2 + ((p[..., 1] - y) / ry) ** 2
    return np.exp(-d) * _step(p[..., 2], 0.8, 1.0)


@cache
def uv_positions(root: Path) -> Array:
    """Rest position [512, 512, 3] of each texel of the head; far away where there is none."""
    return painted(root, base_mesh(root).vertices, -99.0)


def painted(root: Path, values: Array, elsewhere: float = 0.0) -> Array:
    """Values a vertex [V, 3] over the head's texture [512, 512, 3]; ``elsewhere`` where none is."""
    mesh = base_mesh(root)
    ids = mesh.groups["body"]
    high = mesh.vertices[mesh.tris[ids]][..., 1].min(1) > 5.2
    ids = ids[high & (np.abs(mesh.vertices[mesh.tris[ids]][..., 0]).max(1) < 2.0)]
    out = np.full((TEXTURE_SIZE, TEXTURE_SIZE, 3), elsewhere, np.float32)
    _fill_positions(out, values.astype(np.float32), mesh.tris[ids], mesh.uvs, mesh.uv_tris[ids])
    return out


@cache
def noise(size: int, cells: int, seed: int) -> Array:
    """Smooth value noise [size, size], zero mean, unit deviation, ``cells`` bumps across."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.normal(0, 1, (cells, cells)).astype(np.float32))
    values = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), np.float32)
    return (values - values.mean()) / (values.std() + 1e-9)


@njit(cache=True)
def _fill_positions(out, vertices, tris, uvs, uv_tris):  # type: ignore[no-untyped-def]
    size = out.shape[0]
    for t in range(tris.shape[0]):
        a, b, c = uv_tris[t, 0], uv_tris[t, 1], uv_tris[t, 2]
        x0, y0 = uvs[a, 0] * size - 0.5, (1 - uvs[a, 1]) * size - 0.5
        x1, y1 = uvs[b, 0] * size - 0.5, (1 - uvs[b, 1]) * size - 0.5
        x2, y2 = uvs[c, 0] * size - 0.5, (1 - uvs[c, 1]) * size - 0.5
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        for y in range(max(0, int(min(y0, y1, y2)) - 1), min(size - 1, int(max(y0, y1, y2)) + 2)):
            for x in range(
                max(0, int(min(x0, x1, x2)) - 1), min(size - 1, int(max(x0, x1, x2)) + 2)
            ):
                w1 = ((x - x0) * (y2 - y0) - (x2 - x0) * (y - y0)) / area
                w2 = ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) / area
                w0 = 1.0 - w1 - w2
                if w0 > -0.15 and w1 > -0.15 and w2 > -0.15:
                    for k in range(3):
                        out[y, x, k] = (
                            w0 * vertices[tris[t, 0], k]
                            + w1 * vertices[tris[t, 1], k]
                            + w2 * vertices[tris[t, 2], k]
                        )


def _step(value: Array, low: float, high: float) -> Array:
    t = np.clip((value - low) / (high - low + 1e-9), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@cache
def _front_canvas(name: str) -> Array:
    image = Image.new("L", (_CANVAS, _CANVAS))
    pen = ImageDraw.Draw(image)
    blur = _FRONT_PAINTERS[name](pen)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(blur)), np.float32) / 255.0


def _pixels(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [((x + 1) / 2 * (_CANVAS - 1), (8 - y) / 2 * (_CANVAS - 1)) for x, y in points]


def _both(pen: ImageDraw.ImageDraw, points: list[tuple[float, float]], width: int) -> None:
    for sign in (1, -1):
        pen.line(_pixels([(sign * x, y) for x, y in points]), fill=255, width=width, joint="curve")


def _paint_lips(pen: ImageDraw.ImageDraw) -> float:
    outline = [(-0.25, 6.615), (-0.14, 6.685), (-0.075, 6.722), (-0.03, 6.712), (0.0, 6.7)]
    outline += [(-x, y) for x, y in outline[3::-1]]
    outline += [(0.13, 6.525), (0.06, 6.485), (0.0, 6.478), (-0.06, 6.485), (-0.13, 6.525)]
    pen.polygon(_pixels(outline), fill=255)
    return 2.0


def _paint_lines(pen: ImageDraw.ImageDraw) -> float:
    for y in (7.6, 7.7, 7.81):
        bow = [(x, y + 0.03 * np.cos(x * 4) - 0.02) for x in np.linspace(-0.42, 0.42, 12)]
        pen.line(_pixels(bow), fill=200, width=3)
    _both(pen, [(0.17, 6.9), (0.25, 6.8), (0.31, 6.7), (0.33, 6.6)], 4)
    for y in (7.36, 7.28, 7.2):
        _both(pen, [(0.49, 7.28 + (y - 7.28) * 0.4), (0.6, y), (0.64, y + (y - 7.28) * 0.3)], 3)
    _both(pen, [(0.05, 7.42), (0.045, 7.53)], 3)
    _both(pen, [(0.2, 7.19), (0.3, 7.14), (0.42, 7.17)], 3)
    _both(pen, [(0.27, 6.55), (0.3, 6.44), (0.29, 6.36)], 3)
    return 2.2


def _paint_tears(pen: ImageDraw.ImageDraw) -> float:
    _both(pen, [(0.3, 7.22), (0.33, 7.1), (0.37, 6.95), (0.38, 6.8), (0.36, 6.62)], 6)
    _both(pen, [(0.2, 7.22), (0.2, 7.12), (0.22, 7.0)], 4)
    return 2.0


_FRONT_PAINTERS = {"lips": _paint_lips, "lines": _paint_lines, "tears": _paint_tears}


def lip_landmarks(root: Path) -> Array:
    """Rest positions of the 20 mouth landmarks, for checks."""
    return landmark_points(base_mesh(root).vertices)[48:]
