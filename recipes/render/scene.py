"""Puts a head together and draws it: shape, pose, camera, light, layers, background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipes.render.drawing import assets
from recipes.render.drawing.assets import Array, Index
from recipes.render.drawing.background import draw_background
from recipes.render.drawing.lighting import shadow_frames, studio_lights
from recipes.render.drawing.raster import Frame, Surface, draw, fill_depth, smooth_normals
from recipes.render.factors import Factors
from recipes.render.head.landmarks import ffhq_crop, landmark_points
from recipes.render.head.morphs import add_expression, shape_body
from recipes.render.head.pose import Pose, make_pose
from recipes.render.surfaces import hair, materials, props

SEGMENTS = (
    "background",
    "skin",
    "hair",
    "brows",
    "eyes",
    "mouth",
    "glasses",
    "clothes",
    "beard",
    "hat",
)
_CAMERA_DISTANCE = 9.0  # view units (decimetres): a portrait lens from 0.9 m
_SUPERSAMPLE = 2
_SHADOW_SIZE = 160


@dataclass(frozen=True)
class RenderResult:
    """``image`` uint8 [R, R, 3], ``landmarks`` float32 [68, 2] in pixels, ``segments`` uint8 [R,
    R].
    """

    image: NDArray[np.uint8]
    landmarks: Array
    segments: NDArray[np.uint8]


def render(factors: Factors, resolution: int = 128, root: Path | None = None) -> RenderResult:
    """Draw the head of ``factors`` as an FFHQ-aligned square of ``resolution`` pixels."""
    if not 16 <= resolution <= 1024:
        raise ValueError(f"resolution must be in 16..1024, got {resolution}")
    root = assets.check_root(root or assets.default_root())
    size = resolution * _SUPERSAMPLE
    calm = shape_body(factors, root)
    pose = make_pose(calm, factors)
    # The calm face sets the crop: else a smile, which lifts the mouth, would come with a zoom.
    crop = crop_of(calm, pose, size)
    body = add_expression(calm, factors, root)
    surfaces = build_surfaces(factors, body, pose, root)
    frame = Frame.empty(size)
    _draw_all(frame, surfaces, factors, crop)
    back = draw_background(factors, size)
    color = frame.color + (1.0 - frame.cover[..., None]) * back
    image = _develop(_box_down(color))
    landmarks = (_landmarks(body, pose) @ crop[:, :2].T + crop[:, 2] + 0.5) / _SUPERSAMPLE - 0.5
    return RenderResult(image, landmarks.astype(np.float32), _majority_down(frame.segment))


def crop_of(calm: Array, pose: Pose, size: int) -> Array:
    """Affine map [2, 3] from the plane to pixels of the square of ``size`` pixels."""
    return ffhq_crop(_landmarks(calm, pose), size)


def on_screen(surface: Surface, crop: Array) -> tuple[Array, Index]:
    """Vertices [V, 3] in pixels and depth, and the order [T] in which to draw the triangles."""
    flat = _project(surface.xyz)
    screen = np.empty_like(surface.xyz)
    screen[:, :2] = flat[:, :2] @ crop[:, :2].T + crop[:, 2]
    screen[:, 2] = flat[:, 2] + max(surface.bias, 0.012 if surface.blended else 0.0)
    if surface.blended:
        depth = screen[surface.tris, 2].sum(1)
        return screen, np.argsort(depth, kind="stable").astype(np.int32)
    return screen, np.arange(len(surface.tris), dtype=np.int32)


def build_surfaces(factors: Factors, body: Array, pose: Pose, root: Path) -> list[Surface]:
    """Every surface of the head in view space, opaque ones first, blended ones in drawing order."""
    posed = pose.apply(body)
    skin = _skin_surface(factors, body, posed, root)
    opaque = [skin]
    opaque += props.eyes(factors, body, pose, root)
    opaque += props.mouth(factors, body, pose, root)
    opaque += props.clothes(factors, body, pose, root)
    opaque += props.hat(factors, body, pose, root)
    blended = props.brows_and_lashes(factors, body, pose, root)
    blended += hair.beard_shells(factors, skin, root)
    frames, lenses = props.glasses(factors, body, pose)
    blended += lenses
    blended += hair.scalp_shells(factors, skin, root)
    blended += hair.hair_surfaces(factors, body, pose, root)
    return opaque + frames + blended


@cache
def _skin_tris(root: Path, cloth: str) -> tuple[Index, Index]:
    mesh = assets.base_mesh(root)
    ids = mesh.groups["body"]
    corners = mesh.vertices[mesh.tris[ids]]
    near = (corners[..., 1].min(1) > 3.6) & (np.abs(corners[..., 0]).max(1) < 3.2)
    covered = np.zeros(len(mesh.vertices), bool)
    covered[assets.fit(root, f"clothes/{cloth}").hidden] = True
    keep = ids[near & ~covered[mesh.tris[ids]].all(1)]
    return mesh.tris[keep], mesh.uv_tris[keep]


def _skin_surface(factors: Factors, body: Array, posed: Array, root: Path) -> Surface:
    mesh = assets.base_mesh(root)
    tris, uv_tris = _skin_tris(root, assets.CLOTHES[factors.clothes % len(assets.CLOTHES)])
    return Surface(
        xyz=posed,
        normals=smooth_normals(posed, tris),
        tint=materials.skin_tint(root),
        uvs=mesh.uvs,
        tris=tris,
        uv_tris=uv_tris,
        texture=materials.skin_texture(factors, root),
        material=materials.SKIN,
        segment=SEGMENTS.index("skin"),
    )


def _landmarks(body: Array, pose: Pose) -> Array:
    return _project(pose.apply(landmark_points(body)))[:, :2]


def _project(view: Array) -> Array:
    """Perspective: view [V, 3] to plane coordinates with y down, depth kept."""
    scale = _CAMERA_DISTANCE / (_CAMERA_DISTANCE - view[:, 2])
    return np.stack([view[:, 0] * scale, -view[:, 1] * scale, view[:, 2]], 1)


def _draw_all(frame: Frame, surfaces: list[Surface], factors: Factors, crop: Array) -> None:
    lights = studio_lights(factors)
    frames = shadow_frames(lights, _SHADOW_SIZE)
    maps = np.full((len(frames), _SHADOW_SIZE, _SHADOW_SIZE), -1e9, np.float32)
    for surface in surfaces:
        if surface.casts:
            thick = surface.tint[surface.tris, 3].min(1) > 0.5 if surface.blended else slice(None)
            for m, matrix in enumerate(frames):
                placed = surface.xyz @ matrix[:3, :3].T + matrix[:3, 3]
                fill_depth(
                    maps[m],
                    placed.astype(np.float32),
                    surface.tris[thick],
                    surface.uvs,
                    surface.uv_tris[thick],
                    surface.texture,
                    0.45 if surface.blended else 0.0,
                )
    for surface in surfaces:
        _draw_one(frame, surface, crop, lights, maps, frames)


def _draw_one(
    frame: Frame, surface: Surface, crop: Array, lights: Array, maps: Array, frames: Array
) -> None:
    screen, order = on_screen(surface, crop)
    draw(
        frame.color,
        frame.depth,
        frame.segment,
        frame.cover,
        screen,
        surface.xyz,
        surface.normals,
        surface.tint,
        surface.uvs,
        surface.tris,
        surface.uv_tris,
        order,
        surface.texture,
        surface.material.vector(),
        surface.blended,
        surface.segment,
        lights,
        maps,
        frames,
    )


def _box_down(color: Array) -> Array:
    size = color.shape[0] // _SUPERSAMPLE
    return color.reshape(size, _SUPERSAMPLE, size, _SUPERSAMPLE, 3).mean((1, 3))


def _majority_down(segment: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The lower right sample of each block: labels must not be averaged."""
    return np.ascontiguousarray(segment[1::_SUPERSAMPLE, 1::_SUPERSAMPLE])


def _develop(linear: Array) -> NDArray[np.uint8]:
    """Soft shoulder above mid tones, then the sRGB curve."""
    x = np.maximum(linear, 0.0)
    x = np.where(x > 0.6, 0.6 + 0.4 * np.tanh((x - 0.6) / 0.4), x)
    srgb = np.where(x < 0.0031308, 12.92 * x, 1.055 * np.power(x + 1e-9, 1 / 2.4) - 0.055)
    return (np.clip(srgb, 0, 1) * 255.0 + 0.5).astype(np.uint8)
