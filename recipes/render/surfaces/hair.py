"""Hair, beard and stubble: fitted hair meshes with shape variants, and fur shells over the skin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from recipes.render.drawing.assets import Array, base_mesh, fit, texture
from recipes.render.drawing.raster import Material, Surface, smooth_normals
from recipes.render.factors import Factors
from recipes.render.head import masks
from recipes.render.head.pose import LEFT_EYE, RIGHT_EYE, Pose
from recipes.render.surfaces.materials import linear

HAIR_SEGMENT, BEARD_SEGMENT = 2, 8
_HAIR = Material(specular=0.20, shininess=22.0, wrap=0.35, shadow=0.6, rim=0.05, cutoff=0.02)
_FUR = Material(specular=0.03, shininess=8.0, wrap=0.4, shadow=0.8, rim=0.03)
_LAYERS = 6
_HEAD = np.array([0.0, 0.1, -0.75], np.float32)
_FRINGE = 0.2  # height above the eyes that a fringe may reach down to


@dataclass(frozen=True)
class Shape:
    """A variant of a hair mesh; lengths in view units (decimetres, eyes at 0)."""

    mesh: str
    size: float = 1.0  # scale about the head's centre
    cut: float = -99.0  # hair below this height is cut off
    wave: float = 0.0  # sideways swing of the waves
    tail: bool = True  # keep what hangs behind the neck
    fringe: bool = False  # lift the fringe off the eyes


SHAPES: dict[str, Shape] = {
    "short_neat": Shape("short01"),
    "short_messy": Shape("short02"),
    "short_swept": Shape("short03", fringe=True),
    "short_spiky": Shape("short04"),
    "bob": Shape("bob01", fringe=True),
    "bob_fringe": Shape("bob02", fringe=True),
    "bob_wavy": Shape("bob01", wave=0.1, fringe=True),
    "shoulder": Shape("long01", cut=-1.5),
    "shoulder_wavy": Shape("long01", cut=-1.6, wave=0.12),
    "long": Shape("long01"),
    "long_wavy": Shape("long01", wave=0.14),
    "ponytail": Shape("ponytail01"),
    "tied_back": Shape("ponytail01", tail=False),
    "braid": Shape("braid01", fringe=True),
}
# Height of fur shells on the scalp, decimetres.
_SCALP_FUR = {"crop": 0.065, "balding": 0.06, "short_curls": 0.2, "afro": 0.55}


def hair_surfaces(factors: Factors, body: Array, pose: Pose, root: Path) -> list[Surface]:
    """The hair mesh of the style in view space; none for shorn heads."""
    shape = SHAPES.get(factors.hair_style)
    if shape is None:
        return []
    garment = fit(root, f"hair/{shape.mesh}")
    fitted = garment.apply(body)
    eyes = (body[LEFT_EYE].mean(0) + body[RIGHT_EYE].mean(0)) / 2
    local = (fitted - eyes) * np.float32(pose.scale)
    local, alpha = _reshape(local, shape, factors)
    xyz = pose.apply(local / np.float32(pose.scale) + eyes)
    tint = np.empty((len(xyz), 4), np.float32)
    tint[:, :3] = linear(factors.hair_color)
    tint[:, 3] = alpha
    keep = alpha[garment.mesh.tris].max(1) > 0.01
    tris, uv_tris = garment.mesh.tris[keep], garment.mesh.uv_tris[keep]
    if factors.hair_mirror:
        tris, uv_tris = tris[:, ::-1].copy(), uv_tris[:, ::-1].copy()
    return [
        Surface(
            xyz=xyz,
            normals=smooth_normals(xyz, tris),
            tint=tint,
            uvs=garment.mesh.uvs,
            tris=tris,
            uv_tris=uv_tris,
            texture=_gray_texture(root, shape.mesh),
            material=_HAIR,
            segment=HAIR_SEGMENT,
            blended=True,
            bias=0.05,
        )
    ]


def beard_shells(factors: Factors, skin: Surface, root: Path) -> list[Surface]:
    """Fuzzy layers over the beard's skin, for all but bare faces and stubble."""
    heights = {"moustache": 0.05, "goatee": 0.075, "full": 0.10}
    if factors.beard_style not in heights:
        return []
    weight = _vertex_mask(root, factors.beard_style)
    height = heights[factors.beard_style] * (0.5 + 0.8 * factors.beard_amount)
    color = linear(factors.hair_color) * 0.75
    return _shells(skin, weight, height, color, _LAYERS, BEARD_SEGMENT, droop=0.5)


def scalp_shells(factors: Factors, skin: Surface, root: Path) -> list[Surface]:
    """Fuzzy layers over the scalp for shorn styles."""
    height = _SCALP_FUR.get(factors.hair_style)
    if height is None:
        return []
    weight = _vertex_mask(root, "horseshoe" if factors.hair_style == "balding" else "scalp")
    if factors.hat:
        weight = weight * np.clip((0.4 - skin.xyz[:, 1]) / 0.15, 0, 1)
    height = height * (0.7 + 0.6 * factors.hair_volume)
    layers = {"short_curls": 9, "afro": 16}.get(factors.hair_style, _LAYERS)
    curly = factors.hair_style in ("short_curls", "afro")
    color = linear(factors.hair_color)
    return _shells(skin, weight, height, color, layers, HAIR_SEGMENT, 0.0 if curly else 0.2, curly)


def _reshape(local: Array, shape: Shape, factors: Factors) -> tuple[Array, Array]:
    """Apply a shape variant to eye-centred hair vertices; returns them and an alpha a vertex."""
    p = local.copy()
    if factors.hair_mirror:
        p[:, 0] = -p[:, 0]
    center = np.array([0.0, 0.15, -0.75], np.float32)
    size = shape.size * (0.97 + 0.08 * factors.hair_volume)
    p = center + (p - center) * np.array([size, size, size], np.float32)
    below = np.clip(-p[:, 1] / 1.2, 0.0, 1.0)
    if shape.wave > 0:
        phase = factors.seed % 7
        swing = shape.wave * below * (0.6 + 0.8 * factors.hair_volume)
        side = np.sign(p[:, 0]) * swing * (0.7 + np.sin(7.5 * p[:, 1] + phase))
        p[:, 0] += side
        p[:, 2] += 0.6 * swing * np.cos(6.5 * p[:, 1] + phase)
    alpha = np.ones(len(p), np.float32)
    if shape.cut > -50:
        edge = shape.cut - 0.25 * (factors.hair_volume - 0.5)
        alpha = np.clip((p[:, 1] - edge) / 0.12, 0, 1)
    # A fringe must not hide the eyes: hair in front of the face fades out below the brows.
    front = np.clip((p[:, 2] + 0.25) / 0.3, 0, 1) * np.clip((0.66 - np.abs(p[:, 0])) / 0.2, 0, 1)
    if shape.fringe:
        p[:, 1] += 0.6 * front * np.clip(0.8 - p[:, 1], 0, None)
    alpha = alpha * (1.0 - front * np.clip((_FRINGE - p[:, 1]) / 0.08, 0, 1))
    if factors.hat:
        alpha = alpha * np.clip((0.55 - p[:, 1]) / 0.12, 0, 1)
    if not shape.tail:
        behind = (p[:, 1] < 0.35) & (p[:, 2] < -1.75)
        behind |= p[:, 1] < -0.75
        alpha = alpha * (~behind)
    return p.astype(np.float32), alpha.astype(np.float32)


@cache
def _gray_texture(root: Path, mesh: str) -> Array:
    """The hair picture as strand brightness (mean 1) and alpha, so that the vertex tint
    colours it.
    """
    folder = root / "hair" / mesh
    name = next(path.name for path in sorted(folder.glob("*_diffuse.png")))
    picture = texture(root, f"hair/{mesh}/{name}")
    luminance = linear(picture[..., :3]) @ np.array([0.3, 0.55, 0.15], np.float32)
    solid = picture[..., 3] > 0.5
    log = np.log(luminance + 0.004)
    mean, spread = log[solid].mean(), log[solid].std() + 1e-6
    strands = np.exp(np.clip((log - mean) / spread, -2.5, 2.2) * 0.42)
    out = np.empty((*strands.shape, 4), np.float32)
    out[..., :3] = (strands / strands[solid].mean())[..., None]
    out[..., 3] = picture[..., 3]
    return out


@cache
def _vertex_mask(root: Path, name: str) -> Array:
    p = base_mesh(root).vertices
    if name == "scalp":
        return masks.scalp(p).astype(np.float32)
    if name == "horseshoe":
        return masks.horseshoe(p).astype(np.float32)
    return masks.beard(p, name).astype(np.float32)


@cache
def _fur_texture(layer: int, layers: int, curly: bool) -> Array:
    """Strands that thin out from root to tip: brightness and alpha [512, 512, 4]."""
    strands = np.clip(masks.noise(masks.TEXTURE_SIZE, 300, 5), -1.6, 1.6)
    if curly:
        tufts = masks.noise(masks.TEXTURE_SIZE, 110, 21) + 0.5 * strands
        strands = 1.1 * np.roll(tufts, 2 * layer, axis=layer % 2)
    height = (layer + 1) / layers
    out = np.empty((masks.TEXTURE_SIZE, masks.TEXTURE_SIZE, 4), np.float32)
    shade = 0.8 + 0.3 * height + 0.08 * np.clip(masks.noise(masks.TEXTURE_SIZE, 220, 9), -2, 2)
    out[..., :3] = np.clip(shade, 0.2, 2.0)[..., None]
    out[..., 3] = np.clip((0.7 * strands + 1.3 - 1.7 * height) * 0.6, 0.0, 1.0)
    return out


def _shells(
    skin: Surface,
    weight: Array,
    height: float,
    color: Array,
    layers: int,
    segment: int,
    droop: float,
    curly: bool = False,
) -> list[Surface]:
    keep = weight[skin.tris].max(1) > 0.03
    tris, uv_tris = skin.tris[keep], skin.uv_tris[keep]
    down = np.array([0.0, -0.5 * droop, 0.0], np.float32)
    outward = skin.normals + down
    if curly:  # a round mass rather than one that follows neck and ears
        radial = skin.xyz - _HEAD
        radial /= np.linalg.norm(radial, axis=1, keepdims=True) + 1e-6
        outward = 0.35 * skin.normals + 0.65 * radial
        weight = weight * np.clip((skin.xyz[:, 1] + 1.1) / 0.7, 0.15, 1)
        keep = weight[tris].min(1) > 0.05
        tris, uv_tris = tris[keep], uv_tris[keep]
    surfaces = []
    for layer in range(layers):
        lift = height * (layer + 1) / layers
        xyz = skin.xyz + outward * (lift * weight)[:, None]
        tint = np.empty((len(xyz), 4), np.float32)
        tint[:, :3] = color
        tint[:, 3] = np.clip(weight * 1.3, 0, 1)
        one = replace(
            skin,
            xyz=xyz.astype(np.float32),
            tint=tint,
            tris=tris,
            uv_tris=uv_tris,
            texture=_fur_texture(layer, layers, curly),
            material=_FUR,
            segment=segment,
            blended=True,
            casts=False,
        )
        surfaces.append(one)
    return surfaces
