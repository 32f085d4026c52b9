"""Glasses from simple geometry: rims as tubes, a bridge, temples, and see-through lenses."""

from __future__ import annotations

import numpy as np

from recipes.render.drawing.assets import Array, Index
from recipes.render.drawing.raster import Material, Surface, smooth_normals
from recipes.render.factors import GLASSES, Factors
from recipes.render.head.landmarks import landmark_points
from recipes.render.head.pose import LEFT_EYE, RIGHT_EYE, Pose
from recipes.render.surfaces.materials import linear

GLASSES_SEGMENT = 6
_FRAME = Material(specular=0.5, shininess=40.0, wrap=0.1, shadow=0.6, rim=0.1)
_LENS = Material(specular=0.12, shininess=60.0, wrap=0.5, shadow=0.3, rim=0.0, alpha=1.0)
_WHITE = np.ones((2, 2, 4), np.float32)


def glasses(factors: Factors, body: Array, pose: Pose) -> tuple[list[Surface], list[Surface]]:
    """Opaque frames and blended lenses in view space; empty for bare eyes."""
    if factors.glasses == "none":
        return [], []
    if factors.glasses not in GLASSES:
        raise ValueError(f"unknown glasses {factors.glasses!r}; valid: {GLASSES}")
    points = landmark_points(body)
    left, right = body[RIGHT_EYE].mean(0), body[LEFT_EYE].mean(0)  # in the picture
    reach = float(np.linalg.norm(right - left))
    bridge = points[27]
    depth = max(float(bridge[2]) + 0.06 * reach, float(body[LEFT_EYE][:, 2].max()) + 0.24 * reach)
    tube = reach * (0.030 if factors.glasses == "round" else 0.042)
    frames: list[tuple[Array, Index]] = []
    lenses: list[tuple[Array, Index]] = []
    for eye, side in ((left, -1.0), (right, 1.0)):
        center = np.array([eye[0] + side * 0.02 * reach, eye[1] - 0.05 * reach, depth])
        rim = _rim(center, reach, factors.glasses, side)
        frames.append(_tube(rim, tube, closed=True))
        lenses.append(_fan(center, rim))
        hinge = rim[np.argmax(rim[:, 0] * side)]
        ear = points[0] if side < 0 else points[16]
        tip = np.array([ear[0] * 1.06, hinge[1] + 0.02 * reach, ear[2] - 0.2 * reach])
        frames.append(_tube(np.linspace(hinge, tip, 6), tube, closed=False))
    inner = 0.2 * reach
    arc = np.linspace(-1, 1, 7)[:, None]
    mid = np.array([(left[0] + right[0]) / 2, (left[1] + right[1]) / 2 + 0.02 * reach, depth])
    bow = mid + np.concatenate(
        [arc * inner, 0.05 * reach * (1 - arc**2), 0.04 * reach * (1 - arc**2)], 1
    )
    frames.append(_tube(bow, tube, closed=False))
    shade = (0.012, 0.012, 0.014) if factors.glasses == "sunglasses" else (0.75, 0.8, 0.85)
    alpha = 0.94 if factors.glasses == "sunglasses" else 0.035
    opaque = [
        _surface(pose, p, t, linear(factors.glasses_color), 1.0, _FRAME, False) for p, t in frames
    ]
    glass = [_surface(pose, p, t, np.asarray(shade), alpha, _LENS, True) for p, t in lenses]
    return opaque, glass


def _rim(center: Array, reach: float, style: str, side: float) -> Array:
    """Outline [32, 3] of a lens: a circle, a rounded rectangle, or a wide drop."""
    t = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    power = {"round": 1.0, "square": 0.45, "sunglasses": 0.62}[style]
    width, height = {"round": (0.37, 0.36), "square": (0.40, 0.29), "sunglasses": (0.43, 0.36)}[
        style
    ]
    x = np.sign(np.cos(t)) * np.abs(np.cos(t)) ** power * width * reach
    y = np.sign(np.sin(t)) * np.abs(np.sin(t)) ** power * height * reach
    bend = -0.18 * np.clip(x * side, 0, None)  # the outer edge curves back
    return center + np.stack([x, y, bend], 1)


def _fan(center: Array, rim: Array) -> tuple[Array, Index]:
    n = len(rim)
    bulge = center + np.array([0.0, 0.0, 0.02])
    tris = [(0, 1 + k, 1 + (k + 1) % n) for k in range(n)]
    return np.concatenate([bulge[None], rim]), np.asarray(tris, np.int32)


def _tube(path: Array, radius: float, closed: bool, sides: int = 6) -> tuple[Array, Index]:
    """A tube of triangles about a path [N, 3]."""
    n = len(path)
    ahead = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    ahead = ahead / (np.linalg.norm(ahead, axis=1, keepdims=True) + 1e-9)
    helper = (
        np.array([0.0, 0.0, 1.0]) if abs(ahead[:, 2]).max() < 0.8 else np.array([0.0, 1.0, 0.0])
    )
    u = np.cross(ahead, helper)
    u /= np.linalg.norm(u, axis=1, keepdims=True) + 1e-9
    v = np.cross(ahead, u)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.cos(angle)[None, :, None] * u[:, None] + np.sin(angle)[None, :, None] * v[:, None]
    points = (path[:, None] + radius * ring).reshape(-1, 3)
    tris = []
    for i in range(n if closed else n - 1):
        for j in range(sides):
            a, b = i * sides + j, i * sides + (j + 1) % sides
            c, d = (i + 1) % n * sides + j, (i + 1) % n * sides + (j + 1) % sides
            tris += [(a, b, c), (b, d, c)]
    return points, np.asarray(tris, np.int32)


def _surface(
    pose: Pose,
    points: Array,
    tris: Index,
    color: Array,
    alpha: float,
    material: Material,
    blended: bool,
) -> Surface:
    xyz = pose.apply(points.astype(np.float32))
    tint = np.empty((len(xyz), 4), np.float32)
    tint[:, :3] = color
    tint[:, 3] = alpha
    uvs = np.full((len(xyz), 2), 0.5, np.float32)
    normals = smooth_normals(xyz, tris)
    return Surface(
        xyz, normals, tint, uvs, tris, tris, _WHITE, material, GLASSES_SEGMENT, blended, casts=False
    )
