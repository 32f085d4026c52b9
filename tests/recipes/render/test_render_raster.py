"""The rasteriser on single triangles: coverage, depth, blending, shadows."""

from __future__ import annotations

import numpy as np

from recipes.render.drawing.raster import Frame, Material, draw, fill_depth, smooth_normals

AMBIENT = np.array([[1, 1, 1, 1, 1, 1, 0, 0]], np.float32)
NO_MAPS = np.zeros((0, 4, 4), np.float32)
TRIS = np.array([[0, 1, 2]], np.int32)


def _draw(frame: Frame, z: float, color: tuple[float, ...], blended: bool = False) -> None:
    xyz = np.array([[-20, -20, z], [-20, 60, z], [60, -20, z]], np.float32)
    tint = np.tile(np.asarray(color, np.float32), (3, 1))
    texture = np.ones((2, 2, 4), np.float32)
    uvs = np.full((3, 2), 0.5, np.float32)
    normals = np.tile(np.array([0, 0, 1], np.float32), (3, 1))
    material = Material(rim=0.0).vector()
    order = np.zeros(1, np.int32)
    draw(
        frame.color, frame.depth, frame.segment, frame.cover, xyz, xyz, normals, tint, uvs, TRIS,
        TRIS, order, texture, material, blended, 3, AMBIENT, NO_MAPS, NO_MAPS,
    )  # fmt: skip


def test_opaque_triangles_cover_and_hide():
    frame = Frame.empty(16)
    _draw(frame, 0.0, (0.5, 0.2, 0.1, 1.0))
    np.testing.assert_allclose(frame.color[8, 8], [0.5, 0.2, 0.1], atol=1e-5)
    assert frame.segment[8, 8] == 3
    _draw(frame, -1.0, (1.0, 1.0, 1.0, 1.0))
    np.testing.assert_allclose(frame.color[8, 8], [0.5, 0.2, 0.1], atol=1e-5)


def test_blended_triangles_mix_and_leave_depth():
    frame = Frame.empty(16)
    _draw(frame, 0.0, (0.0, 0.0, 0.0, 1.0))
    _draw(frame, 1.0, (1.0, 1.0, 1.0, 0.25), blended=True)
    np.testing.assert_allclose(frame.color[4, 4], 0.25, atol=1e-5)
    assert frame.depth[4, 4] == 0.0
    assert frame.cover[4, 4] == 1.0


def test_depth_maps_respect_holes():
    depth = np.full((8, 8), -9.0, np.float32)
    xyz = np.array([[-9, -9, 2], [-9, 30, 2], [30, -9, 2]], np.float32)
    texture = np.zeros((2, 2, 4), np.float32)
    uvs = np.full((3, 2), 0.5, np.float32)
    fill_depth(depth, xyz, TRIS, uvs, TRIS, texture, 0.5)
    assert (depth == -9).all()
    fill_depth(depth, xyz, TRIS, uvs, TRIS, texture, 0.0)
    assert (depth == 2).all()


def test_normals_are_unit_and_face_forward():
    xyz = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    np.testing.assert_allclose(smooth_normals(xyz, TRIS), [[0, 0, 1]] * 3, atol=1e-6)
