"""A z-buffer rasteriser in numba: bilinear textures, smooth normals, soft shadows, blended layers.

Screen coordinates: x to the right, y downwards, in pixels; z grows towards the viewer. Colours are
linear light.
Shading is Lambert with a wrapped, reddish terminator (skin scatters red furthest) and Blinn-Phong
highlights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from recipes.render.drawing.assets import Array, Index


@dataclass(frozen=True)
class Material:
    """How a surface answers light; amounts in [0, 1] save ``shininess`` (Blinn-Phong exponent)."""

    specular: float = 0.2
    shininess: float = 18.0
    wrap: float = 0.15  # how far light creeps past the terminator
    scatter: float = 0.0  # extra creep of red
    alpha: float = 1.0
    cutoff: float = 0.02  # fragments below this alpha are dropped
    shadow: float = 1.0  # how much cast shadows count
    rim: float = 0.1

    def vector(self) -> Array:
        """The rows as float32 [8]."""
        values = (self.specular, self.shininess, self.wrap, self.scatter)
        more = (self.alpha, self.cutoff, self.shadow, self.rim)
        return np.asarray(values + more, np.float32)


@dataclass(frozen=True)
class Surface:
    """One drawable: ``xyz`` and ``normals`` [V, 3] in view space, texture [H, W, 4] linear.

    An opaque surface reads the texture's fourth channel as gloss, a blended one as alpha.
    ``tint`` [V, 4] multiplies the texture a vertex.
    """

    xyz: Array
    normals: Array
    tint: Array
    uvs: Array
    tris: Index
    uv_tris: Index
    texture: Array
    material: Material
    segment: int
    blended: bool = False
    casts: bool = True
    bias: float = 0.0  # drawn as if this much nearer to the viewer


@dataclass
class Frame:
    """The picture being drawn: colour [S, S, 3] linear, depth [S, S], segment [S, S], cover
    [S, S].
    """

    color: Array
    depth: Array
    segment: NDArray[np.uint8]
    cover: Array

    @classmethod
    def empty(cls, size: int) -> Frame:
        """A black frame at infinite depth."""
        return cls(
            np.zeros((size, size, 3), np.float32),
            np.full((size, size), -1e9, np.float32),
            np.zeros((size, size), np.uint8),
            np.zeros((size, size), np.float32),
        )


def smooth_normals(xyz: Array, tris: Index) -> Array:
    """Area-weighted vertex normals [V, 3] of unit length."""
    return _smooth_normals(xyz, tris)


@njit(cache=True, fastmath=True)
def _smooth_normals(xyz, tris):  # type: ignore[no-untyped-def]
    out = np.zeros_like(xyz)
    for t in range(tris.shape[0]):
        a, b, c = tris[t, 0], tris[t, 1], tris[t, 2]
        ux, uy, uz = xyz[b, 0] - xyz[a, 0], xyz[b, 1] - xyz[a, 1], xyz[b, 2] - xyz[a, 2]
        vx, vy, vz = xyz[c, 0] - xyz[a, 0], xyz[c, 1] - xyz[a, 1], xyz[c, 2] - xyz[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in (a, b, c):
            out[k, 0] += nx
            out[k, 1] += ny
            out[k, 2] += nz
    for v in range(out.shape[0]):
        length = np.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2) + 1e-12
        out[v, 0] /= length
        out[v, 1] /= length
        out[v, 2] /= length
    return out


@njit(cache=True, fastmath=True)
def fill_depth(
    depth: Array,
    xyz: Array,
    tris: Index,
    uvs: Array,
    uv_tris: Index,
    texture: Array,
    cutoff: float,
) -> None:
    """Write nearest depth of triangles into ``depth`` [S, S]; texels under ``cutoff`` alpha are
    holes.
    """
    size = depth.shape[0]
    th, tw = texture.shape[0], texture.shape[1]
    for t in range(tris.shape[0]):
        a, b, c = tris[t, 0], tris[t, 1], tris[t, 2]
        x0, y0, x1, y1, x2, y2 = xyz[a, 0], xyz[a, 1], xyz[b, 0], xyz[b, 1], xyz[c, 0], xyz[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        lox, hix = max(0, int(np.ceil(min(x0, x1, x2)))), min(size - 1, int(max(x0, x1, x2)))
        loy, hiy = max(0, int(np.ceil(min(y0, y1, y2)))), min(size - 1, int(max(y0, y1, y2)))
        ua, ub, uc = uv_tris[t, 0], uv_tris[t, 1], uv_tris[t, 2]
        for y in range(loy, hiy + 1):
            for x in range(lox, hix + 1):
                w1 = ((x - x0) * (y2 - y0) - (x2 - x0) * (y - y0)) / area
                w2 = ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) / area
                w0 = 1.0 - w1 - w2
                if w0 < -1e-5 or w1 < -1e-5 or w2 < -1e-5:
                    continue
                z = w0 * xyz[a, 2] + w1 * xyz[b, 2] + w2 * xyz[c, 2]
                if z <= depth[y, x]:
                    continue
                if cutoff > 0:
                    u = w0 * uvs[ua, 0] + w1 * uvs[ub, 0] + w2 * uvs[uc, 0]
                    v = w0 * uvs[ua, 1] + w1 * uvs[ub, 1] + w2 * uvs[uc, 1]
                    tx = min(max(int(u * tw), 0), tw - 1)
                    ty = min(max(int((1.0 - v) * th), 0), th - 1)
                    if texture[ty, tx, 3] < cutoff:
                        continue
                depth[y, x] = z


@njit(cache=True, fastmath=True, inline="always")
def _lit(shadow_map, frame, px, py, pz, nx, ny, nz):  # type: ignore[no-untyped-def]
    """Share of a 16-tap neighbourhood of a shadow map that sees the point; ``frame`` maps view to
    map.
    """
    ox, oy, oz = px + 0.05 * nx, py + 0.05 * ny, pz + 0.05 * nz
    sx = frame[0, 0] * ox + frame[0, 1] * oy + frame[0, 2] * oz + frame[0, 3]
    sy = frame[1, 0] * ox + frame[1, 1] * oy + frame[1, 2] * oz + frame[1, 3]
    sz = frame[2, 0] * ox + frame[2, 1] * oy + frame[2, 2] * oz + frame[2, 3]
    size = shadow_map.shape[0]
    step = frame[3, 0]
    seen = 0.0
    for j in range(4):
        for i in range(4):
            ix = int(sx + (i - 1.5) * step + 0.5)
            iy = int(sy + (j - 1.5) * step + 0.5)
            if ix < 0 or iy < 0 or ix >= size or iy >= size:
                seen += 1.0
            else:
                d = (sz - shadow_map[iy, ix]) / frame[3, 1] + 1.0
                seen += min(max(d, 0.0), 1.0)
    return seen / 16.0


@njit(cache=True, fastmath=True, inline="always")
def _texel(texture, u, v):  # type: ignore[no-untyped-def]
    """Bilinear sample at texture coordinates: red, green, blue and the fourth channel."""
    th, tw = texture.shape[0], texture.shape[1]
    x, y = u * tw - 0.5, (1.0 - v) * th - 0.5
    fx, fy = np.floor(x), np.floor(y)
    dx, dy = x - fx, y - fy
    x0, y0 = min(max(int(fx), 0), tw - 1), min(max(int(fy), 0), th - 1)
    x1, y1 = min(x0 + 1, tw - 1), min(y0 + 1, th - 1)
    k00, k10, k01, k11 = (1 - dx) * (1 - dy), dx * (1 - dy), (1 - dx) * dy, dx * dy
    p, q, r, s = texture[y0, x0], texture[y0, x1], texture[y1, x0], texture[y1, x1]
    return (
        k00 * p[0] + k10 * q[0] + k01 * r[0] + k11 * s[0],
        k00 * p[1] + k10 * q[1] + k01 * r[1] + k11 * s[1],
        k00 * p[2] + k10 * q[2] + k01 * r[2] + k11 * s[2],
        k00 * p[3] + k10 * q[3] + k01 * r[3] + k11 * s[3],
    )


@njit(cache=True, fastmath=True, inline="always")
def _shade(p, normal, gloss, mat, lights, maps, frames, out):  # type: ignore[no-untyped-def]
    """Light that reaches the viewer: diffuse share in ``out[:3]``, highlights in ``out[3:]``."""
    nx, ny, nz = normal
    out[:] = 0.0
    sky = 1.0
    for n in range(1, lights.shape[0]):
        lx, ly, lz = lights[n, 0], lights[n, 1], lights[n, 2]
        seen = 1.0
        if lights[n, 7] > 0:
            m = int(lights[n, 7]) - 1
            seen = _lit(maps[m], frames[m], p[0], p[1], p[2], nx, ny, nz)
            seen = 1.0 - mat[6] * (1.0 - seen)
            if m == 1:
                sky = seen
        dot = nx * lx + ny * ly + nz * lz
        wide = mat[2] + mat[3]
        lam = max((dot + mat[2]) / (1 + mat[2]), 0.0)
        red = max((dot + wide) / (1 + wide), 0.0)
        seen_red = min(1.0, seen + mat[3] * 2.0 * (1.0 - seen) * seen)
        out[0] += lights[n, 3] * red * seen_red
        out[1] += lights[n, 4] * lam * seen
        out[2] += lights[n, 5] * lam * seen
        half = lz + 1.0
        facing = (nx * lx + ny * ly + nz * half) / np.sqrt(lx * lx + ly * ly + half * half)
        if facing > 0 and dot > 0:
            shine = facing ** mat[1] * mat[0] * gloss * seen
            for k in range(3):
                out[3 + k] += lights[n, 3 + k] * shine
    up = 0.5 + 0.5 * ny
    edge = (1.0 - abs(nz)) ** 3 * mat[7] * (0.4 + 0.6 * sky)
    dim = 0.35 + 0.65 * sky
    for k in range(3):
        out[k] += ((1 - up) * lights[0, 3 + k] + up * lights[0, k]) * dim + edge


@njit(cache=True, fastmath=True)
def draw(
    color: Array,
    depth: Array,
    segment: NDArray[np.uint8],
    cover: Array,
    xyz: Array,
    view: Array,
    normals: Array,
    tint: Array,
    uvs: Array,
    tris: Index,
    uv_tris: Index,
    order: Index,
    texture: Array,
    mat: Array,
    blended: bool,
    seg: int,
    lights: Array,
    maps: Array,
    frames: Array,
) -> None:
    """Draw triangles in ``order`` into the frame; ``xyz`` is on screen, ``view`` [V, 3] in view
    space.

    ``lights`` [N, 8]: direction to the light (3), colour (3), unused, number of its shadow map
    (0: none); row 0 is the ambient: colour from above (3) and from below (3).
    ``maps`` [M, S, S] and ``frames`` [M, 4, 4] are the shadow maps and their placing.
    """
    size = depth.shape[0]
    shade = np.zeros(6, np.float32)
    for o in range(order.shape[0]):
        t = order[o]
        a, b, c = tris[t, 0], tris[t, 1], tris[t, 2]
        x0, y0, x1, y1, x2, y2 = xyz[a, 0], xyz[a, 1], xyz[b, 0], xyz[b, 1], xyz[c, 0], xyz[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        lox, hix = max(0, int(np.ceil(min(x0, x1, x2)))), min(size - 1, int(max(x0, x1, x2)))
        loy, hiy = max(0, int(np.ceil(min(y0, y1, y2)))), min(size - 1, int(max(y0, y1, y2)))
        ua, ub, uc = uvs[uv_tris[t, 0]], uvs[uv_tris[t, 1]], uvs[uv_tris[t, 2]]
        for y in range(loy, hiy + 1):
            for x in range(lox, hix + 1):
                w1 = ((x - x0) * (y2 - y0) - (x2 - x0) * (y - y0)) / area
                w2 = ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) / area
                w0 = 1.0 - w1 - w2
                if w0 < -1e-5 or w1 < -1e-5 or w2 < -1e-5:
                    continue
                z = w0 * xyz[a, 2] + w1 * xyz[b, 2] + w2 * xyz[c, 2]
                if z <= depth[y, x]:
                    continue
                u, v = w0 * ua[0] + w1 * ub[0] + w2 * uc[0], w0 * ua[1] + w1 * ub[1] + w2 * uc[1]
                red, green, blue, last = _texel(texture, u, v)
                last *= w0 * tint[a, 3] + w1 * tint[b, 3] + w2 * tint[c, 3]
                alpha = min(last * mat[4], 1.0) if blended else 1.0
                if alpha < mat[5]:
                    continue
                nx = w0 * normals[a, 0] + w1 * normals[b, 0] + w2 * normals[c, 0]
                ny = w0 * normals[a, 1] + w1 * normals[b, 1] + w2 * normals[c, 1]
                nz = w0 * normals[a, 2] + w1 * normals[b, 2] + w2 * normals[c, 2]
                unit = 1.0 / (np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9)
                if nz < 0 and blended:  # thin sheets have two sides
                    unit = -unit
                px = w0 * view[a, 0] + w1 * view[b, 0] + w2 * view[c, 0]
                py = w0 * view[a, 1] + w1 * view[b, 1] + w2 * view[c, 1]
                pz = w0 * view[a, 2] + w1 * view[b, 2] + w2 * view[c, 2]
                normal = (nx * unit, ny * unit, nz * unit)
                gloss = 1.0 if blended else last
                _shade((px, py, pz), normal, gloss, mat, lights, maps, frames, shade)
                red *= w0 * tint[a, 0] + w1 * tint[b, 0] + w2 * tint[c, 0]
                green *= w0 * tint[a, 1] + w1 * tint[b, 1] + w2 * tint[c, 1]
                blue *= w0 * tint[a, 2] + w1 * tint[b, 2] + w2 * tint[c, 2]
                keep = 1.0 - alpha
                color[y, x, 0] = keep * color[y, x, 0] + alpha * (red * shade[0] + shade[3])
                color[y, x, 1] = keep * color[y, x, 1] + alpha * (green * shade[1] + shade[4])
                color[y, x, 2] = keep * color[y, x, 2] + alpha * (blue * shade[2] + shade[5])
                cover[y, x] = alpha + keep * cover[y, x]
                if alpha > 0.5:
                    segment[y, x] = seg
                if not blended:
                    depth[y, x] = z
