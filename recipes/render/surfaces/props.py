"""Everything on a head that is neither skin nor hair: eyes, mouth, brows, lashes, glasses, clothes,
hat.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from recipes.render.drawing.assets import CLOTHES, Array, Fit, base_mesh, fit, texture
from recipes.render.drawing.raster import Material, Surface, smooth_normals
from recipes.render.factors import Factors
from recipes.render.head.pose import LEFT_EYE, RIGHT_EYE, Pose
from recipes.render.surfaces.eyewear import glasses
from recipes.render.surfaces.materials import linear

__all__ = ["brows_and_lashes", "clothes", "eyes", "glasses", "hat", "mouth"]

BROWS, EYES, MOUTH, CLOTH, HAT = 3, 4, 5, 7, 9
_EYE = Material(specular=1.6, shininess=160.0, wrap=0.3, shadow=0.75, rim=0.0)
_TOOTH = Material(specular=0.25, shininess=30.0, wrap=0.3, shadow=0.8, rim=0.0)
_CLOTH = Material(specular=0.03, shininess=8.0, wrap=0.2, rim=0.03)
_FELT = np.ones((2, 2, 4), np.float32)
_BROW = Material(specular=0.0, wrap=0.4, shadow=0.7, rim=0.0, cutoff=0.03)
_IRIS_UV = np.array([0.2935, 0.291], np.float32)
_IRIS_RADIUS = 0.122
# Eye colour: picture, and a factor on the iris.
_IRIS = {
    "brown": ("brownlight", (0.55, 0.42, 0.34)),
    "dark brown": ("brownlight", (0.22, 0.15, 0.12)),
    "amber": ("brownlight", (1.05, 0.8, 0.5)),
    "green": ("green", (1.0, 1.0, 0.9)),
    "blue": ("deepblue", (1.0, 1.0, 1.0)),
    "light blue": ("lightblue", (1.0, 1.0, 1.0)),
    "blue-green": ("bluegreen", (1.0, 1.0, 1.0)),
    "gray": ("grey", (1.0, 1.0, 1.0)),
}


def eyes(factors: Factors, body: Array, pose: Pose, root: Path) -> list[Surface]:
    """Both eye balls, the iris picture mapped along the gaze."""
    mesh = base_mesh(root)
    out = []
    for group, ids in (("helper-l-eye", LEFT_EYE), ("helper-r-eye", RIGHT_EYE)):
        tris = mesh.tris[mesh.groups[group]]
        center = body[ids].mean(0)
        local = body - center
        radius = float(np.abs(local[ids, 0]).max())
        turned = _look(local[ids], factors.gaze_yaw, factors.gaze_pitch)
        uvs = np.zeros((len(body), 2), np.float32)
        uvs[ids] = _IRIS_UV + turned[:, :2] / radius * 0.262
        back = turned[:, 2] < 0.1 * radius
        uvs[ids[back]] = np.array([0.2935, 0.06], np.float32)
        xyz = pose.apply(body)
        tint = np.ones((len(body), 4), np.float32)
        height = local[ids, 1] / radius
        tint[ids, :3] = (0.74 - 0.28 * np.clip(height * 1.6, 0, 1))[:, None]
        normals = smooth_normals(xyz, tris)
        out.append(
            Surface(
                xyz,
                normals,
                tint,
                uvs,
                tris,
                tris,
                _eye_texture(root, factors.eye_color),
                _EYE,
                EYES,
            )
        )
    return out


def mouth(factors: Factors, body: Array, pose: Pose, root: Path) -> list[Surface]:
    """Teeth and tongue, darker the deeper they lie."""
    out = []
    for folder, picture, level in (
        ("teeth/teeth_base", "teeth/materials/teeth.png", 1.75),
        ("tongue/tongue01", "tongue/tongue01/tongue01_diffuse.png", 0.42),
    ):
        garment = fit(root, folder)
        fitted = garment.apply(body)
        xyz = pose.apply(fitted)
        front = fitted[:, 2].max()
        depth = (front - fitted[:, 2]) * pose.scale
        shade = level * np.clip(1.0 - depth / 0.45, 0.06, 1.0)
        tint = np.ones((len(xyz), 4), np.float32)
        tint[:, :3] = shade[:, None]
        out.append(
            Surface(
                xyz,
                smooth_normals(xyz, garment.mesh.tris),
                tint,
                garment.mesh.uvs,
                garment.mesh.tris,
                garment.mesh.uv_tris,
                _opaque_texture(root, picture),
                _TOOTH,
                MOUTH,
                casts=False,
            )
        )
    return out


def brows_and_lashes(factors: Factors, body: Array, pose: Pose, root: Path) -> list[Surface]:
    """Eyebrows in a darker shade of the hair, and dark lashes."""
    brow = f"eyebrow{factors.eyebrow % 12 + 1:03d}"
    lash = f"eyelashes{factors.eyelash % 4 + 1:02d}"
    hair = linear(factors.hair_color)
    bright = float(hair.mean())
    brow_color = hair * (0.55 if bright > 0.05 else 0.8) * (0.7 if bright > 0.4 else 1.0)
    lash_color = np.array([0.012, 0.010, 0.010]) + 0.1 * hair * (1 - factors.lipstick)
    strength = 1.0 if factors.sex < 0.5 else 0.7
    return [
        _alpha_garment(
            body, pose, root, f"eyebrows/{brow}", f"eyebrows/{brow}/{brow}.png", brow_color, 0.85
        ),
        _alpha_garment(
            body,
            pose,
            root,
            f"eyelashes/{lash}",
            f"eyelashes/{lash}/{lash}.png",
            lash_color,
            strength,
        ),
    ]


def clothes(factors: Factors, body: Array, pose: Pose, root: Path) -> list[Surface]:
    """The suit's upper part, its picture's shades in the factors' colour."""
    name = CLOTHES[factors.clothes % len(CLOTHES)]
    garment = fit(root, f"clothes/{name}")
    xyz = pose.apply(garment.apply(body))
    near = xyz[garment.mesh.tris][..., 1].max(1) > -3.6
    tris, uv_tris = garment.mesh.tris[near], garment.mesh.uv_tris[near]
    tint = np.ones((len(xyz), 4), np.float32)
    tint[:, :3] = linear(factors.clothes_color)
    shades = _shade_texture(root, f"clothes/{name}/{name}_diffuse.png")
    normals = smooth_normals(xyz, tris)
    return [Surface(xyz, normals, tint, garment.mesh.uvs, tris, uv_tris, shades, _CLOTH, CLOTH)]


def hat(factors: Factors, body: Array, pose: Pose, root: Path) -> list[Surface]:
    """A fedora, now and then."""
    if not factors.hat:
        return []
    garment = fit(root, "clothes/fedora01", "fedora")
    fitted = garment.apply(body)
    center = fitted.mean(0)
    xyz = pose.apply(center + (fitted - center) * np.float32(1.13))
    colors = ((0.3, 0.2, 0.13), (0.35, 0.35, 0.36), (0.1, 0.1, 0.11), (0.6, 0.5, 0.37))
    tint = np.ones((len(xyz), 4), np.float32)
    tint[:, :3] = linear(colors[factors.seed % len(colors)])
    return [_worn(garment, xyz, tint, _FELT, _CLOTH, HAT)]


def _look(points: Array, yaw: float, pitch: float) -> Array:
    """Points seen from an eye turned by yaw (to the picture's right) and pitch (up), degrees."""
    y, p = np.radians(yaw), np.radians(pitch)
    out = points.copy()
    out[:, 0] = np.cos(y) * points[:, 0] - np.sin(y) * points[:, 2]
    out[:, 2] = np.sin(y) * points[:, 0] + np.cos(y) * points[:, 2]
    z = out[:, 2].copy()
    out[:, 2] = np.cos(p) * z + np.sin(p) * out[:, 1]
    out[:, 1] = np.cos(p) * out[:, 1] - np.sin(p) * z
    return out


def _alpha_garment(
    body: Array, pose: Pose, root: Path, folder: str, picture: str, color: Array, strength: float
) -> Surface:
    garment = fit(root, folder)
    xyz = pose.apply(garment.apply(body))
    tint = np.empty((len(xyz), 4), np.float32)
    tint[:, :3] = color
    tint[:, 3] = strength
    look = _alpha_texture(root, picture)
    return _worn(garment, xyz, tint, look, _BROW, BROWS, blended=True, casts=False)


def _worn(
    garment: Fit, xyz: Array, tint: Array, look: Array, material: Material, part: int, **how: bool
) -> Surface:
    """A garment in its place, as a surface."""
    mesh = garment.mesh
    normals = smooth_normals(xyz, mesh.tris)
    return Surface(
        xyz, normals, tint, mesh.uvs, mesh.tris, mesh.uv_tris, look, material, part, **how
    )


@cache
def _eye_texture(root: Path, color: str) -> Array:
    if color not in _IRIS:
        raise ValueError(f"unknown eye colour {color!r}; valid: {sorted(_IRIS)}")
    name, factor = _IRIS[color]
    out = _opaque_texture(root, f"eyes/materials/{name}_eye.png").copy()
    size = out.shape[0]
    rows, cols = np.mgrid[0:size, 0:size]
    radius = np.hypot((cols + 0.5) / size - _IRIS_UV[0], 1 - (rows + 0.5) / size - _IRIS_UV[1])
    iris = np.clip((_IRIS_RADIUS + 0.006 - radius) / 0.012, 0, 1)[..., None]
    out[..., :3] *= 1 + iris * (np.asarray(factor, np.float32) * 0.72 - 1)
    ring = np.exp(-(((radius - _IRIS_RADIUS) / 0.014) ** 2))[..., None]
    out[..., :3] *= 1 - 0.55 * ring
    return out


@cache
def _opaque_texture(root: Path, picture: str) -> Array:
    out = texture(root, picture).copy()
    out[..., :3] = linear(out[..., :3])
    out[..., 3] = 1.0
    return out


@cache
def _alpha_texture(root: Path, picture: str) -> Array:
    out = texture(root, picture).copy()
    out[..., :3] = 1.0
    return out


@cache
def _shade_texture(root: Path, picture: str) -> Array:
    out = texture(root, picture).copy()
    shade = linear(out[..., :3]).mean(-1)
    out[..., :3] = np.clip(shade / (shade[out[..., 3] > 0.5].mean() + 1e-6), 0.15, 2.0)[..., None]
    out[..., 3] = 1.0
    return out
