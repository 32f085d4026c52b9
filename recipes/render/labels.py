"""Which class of `multimodal.parsing` every pixel of a rendered head belongs to: exact labels.

The same surfaces as the picture's are drawn without light: each fragment covers what lies behind
it by its alpha, so hair and fur count by how much of a pixel they hide.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from multimodal.parsing.classes import CLASSES
from recipes.render.drawing import assets
from recipes.render.drawing.assets import Array, Index
from recipes.render.drawing.raster import Surface
from recipes.render.factors import Factors
from recipes.render.head import masks
from recipes.render.head.morphs import add_expression, shape_body
from recipes.render.head.pose import make_pose
from recipes.render.scene import SEGMENTS, build_surfaces, crop_of, on_screen

Labels = NDArray[np.uint8]
_NOWHERE = 255
_EAR, _MOVED = "ears/{}-ear-wing-incr", 0.12
_BROW_GAIN = 5.0  # a brow is an area, not its single hairs
_IRIS_CENTRE, _IRIS_RADIUS = (0.2935, 0.291), 0.122


def render_labels(factors: Factors, resolution: int = 256, root: Path | None = None) -> Labels:
    """Indices into `CLASSES`, uint8 `[R, R]`, of the picture that `render` draws of ``factors``.

    Raises:
        ValueError: a resolution out of 16 to 1024.
    """
    if not 16 <= resolution <= 1024:
        raise ValueError(f"resolution must be in 16..1024, got {resolution}")
    root = assets.check_root(root or assets.default_root())
    calm = shape_body(factors, root)
    pose = make_pose(calm, factors)
    crop = crop_of(calm, pose, resolution)
    surfaces = build_surfaces(factors, add_expression(calm, factors, root), pose, root)
    cover = np.zeros((resolution, resolution, len(CLASSES)), np.float32)
    cover[..., 0] = 1.0
    depth = np.full((resolution, resolution), -1e9, np.float32)
    seen: dict[int, int] = {}
    for surface in surfaces:
        number = seen.get(surface.segment, 0)
        seen[surface.segment] = number + 1
        labels = _labels_of(surface, number, factors, root)
        corners, order = on_screen(surface, crop)
        gain = _BROW_GAIN if segment_of(surface) == "brows" else 1.0
        opacity = surface.material.alpha * gain if surface.blended else 0.0
        mesh = (surface.tris[order], surface.uv_tris[order], surface.uvs)
        _cover(cover, depth, corners, *mesh, surface.tint, surface.texture, labels, opacity)
    return with_brows(cover.argmax(-1).astype(np.uint8))


def with_brows(labels: Labels) -> Labels:
    """Brows a pixel wider all round, where skin is: areas rather than hairs."""
    brows = labels == CLASSES.index("brows")
    grown = np.asarray(Image.fromarray(brows).convert("L").filter(ImageFilter.MaxFilter(3))) > 0
    out = labels.copy()
    out[grown & (labels == CLASSES.index("skin"))] = CLASSES.index("brows")
    return out


def segment_of(surface: Surface) -> str:
    """Name of a surface's segment."""
    return SEGMENTS[surface.segment]


def _labels_of(surface: Surface, number: int, factors: Factors, root: Path) -> Labels:
    """Class of each texel of a surface, the ``number``-th of its segment; 255: it has none."""
    segment = segment_of(surface)
    if segment == "skin":
        return _skin_labels(root, _scalp_of(factors), _beard_of(factors))
    if segment == "eyes":
        return _eye_labels(surface.texture.shape[0])
    if segment == "mouth" and number == 0:
        gums = surface.texture[..., 0] > 1.7 * surface.texture[..., 1]
        return np.where(gums, CLASSES.index("mouth"), CLASSES.index("teeth")).astype(np.uint8)
    if segment == "brows" and number > 0:  # lashes
        return np.full((1, 1), _NOWHERE, np.uint8)
    return np.full((1, 1), CLASSES.index(segment), np.uint8)


def _scalp_of(factors: Factors) -> str:
    if factors.hair_style == "bald":
        return ""
    return "horseshoe" if factors.hair_style == "balding" else "scalp"


def _beard_of(factors: Factors) -> str:
    return "" if factors.beard_style in ("none", "stubble") else factors.beard_style


@cache
def _skin_labels(root: Path, scalp: str, beard: str) -> Labels:
    p = masks.uv_positions(root)
    x, y, z = np.abs(p[..., 0]), p[..., 1], p[..., 2]
    out = np.full(p.shape[:2], CLASSES.index("skin"), np.uint8)
    out[_below_jaw(x, y, z)] = CLASSES.index("neck")
    wing = np.interp(y, [6.72, 6.8, 6.95, 7.1, 7.3], [0.10, 0.16, 0.19, 0.10, 0.06])
    out[(x < wing) & (y > 6.77) & (y < 7.3) & (z > 1.2)] = CLASSES.index("nose")
    out[_ears(root)] = CLASSES.index("ears")
    if scalp:
        grown = masks.scalp(p) if scalp == "scalp" else masks.horseshoe(p)
        out[(grown > 0.5) & (z > -50)] = CLASSES.index("hair")
    if beard:
        out[(masks.beard(p, beard) > 0.5) & (z > -50)] = CLASSES.index("beard")
    out[masks.front_mask(p, "lips") > 0.5] = CLASSES.index("lips")
    cavity = _cavity(root)
    out[cavity] = CLASSES.index("mouth")
    out[z < -50] = CLASSES.index("neck")
    return out


def _below_jaw(x: Array, y: Array, z: Array) -> NDArray[np.bool_]:
    """Under the edge of the jaw, which rises from the chin to below the ears."""
    edge = np.interp(z, [0.0, 0.55, 0.83, 1.08, 1.2, 1.36], [6.85, 6.85, 6.58, 6.38, 6.24, 6.12])
    return (y < edge) & (y > -50)


@cache
def _ears(root: Path) -> NDArray[np.bool_]:
    """Texels of the ears: what the target that bends them forward moves."""
    mesh = assets.base_mesh(root)
    moved = np.zeros(len(mesh.vertices), np.float32)
    for side in "lr":
        ids, offsets = assets.target(root, _EAR.format(side))
        length = np.linalg.norm(offsets, axis=1)
        moved[ids] = length / length.max()
    return _painted(root, moved) > _MOVED


@cache
def _cavity(root: Path) -> NDArray[np.bool_]:
    from recipes.render.surfaces.materials import skin_tint

    return _painted(root, 1.0 - skin_tint(root)[:, 0]) > 0.45


def _painted(root: Path, values: Array) -> Array:
    """A value a vertex [V] over the texture [512, 512]; 0 where there is no head."""
    return masks.painted(root, np.repeat(values[:, None], 3, 1))[..., 0]


@cache
def _eye_labels(size: int) -> Labels:
    rows, cols = np.mgrid[0:size, 0:size]
    across, up = (cols + 0.5) / size - _IRIS_CENTRE[0], 1 - (rows + 0.5) / size - _IRIS_CENTRE[1]
    iris = np.hypot(across, up) < _IRIS_RADIUS
    return np.where(iris, CLASSES.index("iris"), CLASSES.index("eyes")).astype(np.uint8)


@njit(cache=True, fastmath=True, inline="always")
def _texel_at(place, height, width):  # type: ignore[no-untyped-def]
    """Row and column of a texture at a place in [0, 1]."""
    row, column = int((1.0 - place[1]) * height), int(place[0] * width)
    return min(max(row, 0), height - 1), min(max(column, 0), width - 1)


@njit(cache=True, fastmath=True)
def _cover(
    cover: Array,
    depth: Array,
    corners: Array,
    tris: Index,
    uv_tris: Index,
    uvs: Array,
    tint: Array,
    look: Array,
    labels: Labels,
    opacity: float,
) -> None:
    """Lay triangles, in their order, over the shares of the classes ``cover`` [S, S, C]; those of
    opacity 0 are solid.
    """
    side = depth.shape[0]
    for t in range(tris.shape[0]):
        p, q, r = corners[tris[t, 0]], corners[tris[t, 1]], corners[tris[t, 2]]
        twice = (q[0] - p[0]) * (r[1] - p[1]) - (r[0] - p[0]) * (q[1] - p[1])
        if abs(twice) < 1e-9:
            continue
        first, last = int(np.ceil(min(p[0], q[0], r[0]))), int(max(p[0], q[0], r[0]))
        top, bottom = int(np.ceil(min(p[1], q[1], r[1]))), int(max(p[1], q[1], r[1]))
        for y in range(max(0, top), min(side - 1, bottom) + 1):
            for x in range(max(0, first), min(side - 1, last) + 1):
                v = ((x - p[0]) * (r[1] - p[1]) - (r[0] - p[0]) * (y - p[1])) / twice
                w = ((q[0] - p[0]) * (y - p[1]) - (x - p[0]) * (q[1] - p[1])) / twice
                u = 1.0 - v - w
                near = u * p[2] + v * q[2] + w * r[2]
                if min(u, v, w) < -1e-5 or near <= depth[y, x]:
                    continue
                place = u * uvs[uv_tris[t, 0]] + v * uvs[uv_tris[t, 1]] + w * uvs[uv_tris[t, 2]]
                alpha = 1.0
                if opacity > 0:
                    share = u * tint[tris[t, 0], 3] + v * tint[tris[t, 1], 3]
                    share += w * tint[tris[t, 2], 3]
                    row, column = _texel_at(place, look.shape[0], look.shape[1])
                    alpha = min(look[row, column, 3] * share * opacity, 1.0)
                else:
                    depth[y, x] = near
                row, column = _texel_at(place, labels.shape[0], labels.shape[1])
                label = labels[row, column]
                if label == 255:
                    continue
                for k in range(cover.shape[2]):
                    cover[y, x, k] *= 1.0 - alpha
                cover[y, x, label] += alpha
