"""A z-buffer rasteriser in numba: bilinear textures, smooth normals, soft shadows, blended layers.

Screen coordinates: x to the right, y downwards, in pixels; z grows towards the viewer. Colours are linear light.
Shading is Lambert with a wrapped, reddish terminator (skin scatters red furthest) and Blinn-Phong highlights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from recipes.render.assets import Array, Index

# Rows of the material vector.
SPEC, SHININESS, WRAP, SCATTER, ALPHA, CUTOFF, SHADOW, RIM = range(8)


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
    """The picture being drawn: colour [S, S, 3] linear, depth [S, S], segment [S, S], cover [S, S]."""

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
def fill_depth(depth, xyz, tris, uvs, uv_tris, texture, cutoff):  # type: ignore[no-untyped-def]
    """Write nearest depth of triangles into ``depth`` [S, S]; texels under ``cutoff`` alpha are holes."""
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
    """Share of a 16-tap neighbourhood of a shadow map that sees the point; ``frame`` maps view to map."""
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


@njit(cache=True, fastmath=True)
def draw(  # type: ignore[no-untyped-def]
    color,
    depth,
    segment,
    cover,
    xyz,
    view,
    normals,
    tint,
    uvs,
    tris,
    uv_tris,
    order,
    texture,
    mat,
    blended,
    seg,
    lights,
    maps,
    frames,
):
    """Draw triangles in ``order`` into the frame; ``xyz`` is on screen, ``view`` [V, 3] in view space.

    ``lights`` [N, 8]: direction to the light (3), colour (3), wrap scale, 0 for no shadow map;
    its row 0 is the ambient: up colour (3) and down colour (3). ``maps`` [M, S, S], ``frames`` [M, 4, 4].
    """
    size = depth.shape[0]
    th, tw = texture.shape[0], texture.shape[1]
    spec, shininess, wrap, scatter = mat[0], mat[1], mat[2], mat[3]
    alpha_scale, cutoff, shadow_share, rim = mat[4], mat[5], mat[6], mat[7]
    for o in range(order.shape[0]):
        t = order[o]
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
                # Texture, bilinear.
                u = (w0 * uvs[ua, 0] + w1 * uvs[ub, 0] + w2 * uvs[uc, 0]) * tw - 0.5
                v = (1.0 - (w0 * uvs[ua, 1] + w1 * uvs[ub, 1] + w2 * uvs[uc, 1])) * th - 0.5
                fx, fy = np.floor(u), np.floor(v)
                du, dv = u - fx, v - fy
                ix0, iy0 = min(max(int(fx), 0), tw - 1), min(max(int(fy), 0), th - 1)
                ix1, iy1 = min(ix0 + 1, tw - 1), min(iy0 + 1, th - 1)
                k00, k10, k01, k11 = (1 - du) * (1 - dv), du * (1 - dv), (1 - du) * dv, du * dv
                ta = (
                    k00 * texture[iy0, ix0, 3]
                    + k10 * texture[iy0, ix1, 3]
                    + k01 * texture[iy1, ix0, 3]
                    + k11 * texture[iy1, ix1, 3]
                )
                ta *= w0 * tint[a, 3] + w1 * tint[b, 3] + w2 * tint[c, 3]
                alpha = 1.0
                gloss = 1.0
                if blended:
                    alpha = min(ta * alpha_scale, 1.0)
                    if alpha < cutoff:
                        continue
                else:
                    gloss = ta
                # Normal, turned to the viewer.
                nx = w0 * normals[a, 0] + w1 * normals[b, 0] + w2 * normals[c, 0]
                ny = w0 * normals[a, 1] + w1 * normals[b, 1] + w2 * normals[c, 1]
                nz = w0 * normals[a, 2] + w1 * normals[b, 2] + w2 * normals[c, 2]
                if nz < 0 and blended:
                    nx, ny, nz = -nx, -ny, -nz
                length = 1.0 / (np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9)
                nx, ny, nz = nx * length, ny * length, nz * length
                px = w0 * view[a, 0] + w1 * view[b, 0] + w2 * view[c, 0]
                py = w0 * view[a, 1] + w1 * view[b, 1] + w2 * view[c, 1]
                pz = w0 * view[a, 2] + w1 * view[b, 2] + w2 * view[c, 2]
                up = 0.5 + 0.5 * ny
                sky = 1.0
                dr, dg, db, sr, sg, sb = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
                for n in range(1, lights.shape[0]):
                    lx, ly, lz = lights[n, 0], lights[n, 1], lights[n, 2]
                    seen = 1.0
                    if lights[n, 7] > 0:
                        m = int(lights[n, 7]) - 1
                        seen = _lit(maps[m], frames[m], px, py, pz, nx, ny, nz)
                        seen = 1.0 - shadow_share * (1.0 - seen)
                        if m == 1:
                            sky = seen
                    dot = nx * lx + ny * ly + nz * lz
                    wide = wrap + scatter
                    lam = max((dot + wrap) / (1 + wrap), 0.0)
                    red = max((dot + wide) / (1 + wide), 0.0)
                    seen_red = min(1.0, seen + scatter * 0.5 * (1.0 - seen) * seen * 4.0)
                    dr += lights[n, 3] * red * seen_red
                    dg += lights[n, 4] * lam * seen
                    db += lights[n, 5] * lam * seen
                    hz = lz + 1.0
                    hl = 1.0 / np.sqrt(lx * lx + ly * ly + hz * hz)
                    hd = (nx * lx + ny * ly + nz * hz) * hl
                    if hd > 0 and dot > 0:
                        s = hd**shininess * spec * gloss * seen
                        sr += lights[n, 3] * s
                        sg += lights[n, 4] * s
                        sb += lights[n, 5] * s
                edge = (1.0 - abs(nz)) ** 3 * rim * (0.4 + 0.6 * sky)
                dim = 0.35 + 0.65 * sky
                dr += ((1 - up) * lights[0, 3] + up * lights[0, 0]) * dim + edge
                dg += ((1 - up) * lights[0, 4] + up * lights[0, 1]) * dim + edge
                db += ((1 - up) * lights[0, 5] + up * lights[0, 2]) * dim + edge
                cr = (
                    k00 * texture[iy0, ix0, 0]
                    + k10 * texture[iy0, ix1, 0]
                    + k01 * texture[iy1, ix0, 0]
                    + k11 * texture[iy1, ix1, 0]
                ) * (w0 * tint[a, 0] + w1 * tint[b, 0] + w2 * tint[c, 0])
                cg = (
                    k00 * texture[iy0, ix0, 1]
                    + k10 * texture[iy0, ix1, 1]
                    + k01 * texture[iy1, ix0, 1]
                    + k11 * texture[iy1, ix1, 1]
                ) * (w0 * tint[a, 1] + w1 * tint[b, 1] + w2 * tint[c, 1])
                cb = (
                    k00 * texture[iy0, ix0, 2]
                    + k10 * texture[iy0, ix1, 2]
                    + k01 * texture[iy1, ix0, 2]
                    + k11 * texture[iy1, ix1, 2]
                ) * (w0 * tint[a, 2] + w1 * tint[b, 2] + w2 * tint[c, 2])
                if blended:
                    keep = 1.0 - alpha
                    color[y, x, 0] = keep * color[y, x, 0] + alpha * (cr * dr + sr)
                    color[y, x, 1] = keep * color[y, x, 1] + alpha * (cg * dg + sg)
                    color[y, x, 2] = keep * color[y, x, 2] + alpha * (cb * db + sb)
                    cover[y, x] = alpha + keep * cover[y, x]
                    if alpha > 0.5:
                        segment[y, x] = seg
                else:
                    color[y, x, 0] = cr * dr + sr
                    color[y, x, 1] = cg * dg + sg
                    color[y, x, 2] = cb * db + sb
                    cover[y, x] = 1.0
                    depth[y, x] = z
                    segment[y, x] = seg
