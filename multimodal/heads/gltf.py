"""A face as a textured mesh in binary glTF 2.0 (the Khronos Group's specification, ISO 12113)."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from multimodal.faces.align import FaceTransform, cut
from multimodal.files.weights import atomic
from multimodal.heads.solid import Solid

TEXTURE = 1024
"""Longest side of the texture."""
WIDTH = 0.14
"""Width of a face in metres, the unit of glTF."""
_FLOAT, _SHORT, _VERTICES, _INDICES = 5126, 5123, 34962, 34963
_MAGIC, _JSON, _BINARY = 0x46546C67, 0x4E4F534A, 0x004E4942


def save_glb(solid: Solid, path: str | Path) -> Path:
    """Write the face of a photo: 468 points, their triangles and normals, the photo as texture.

    It looks along +z, up is +y, as viewers expect.

    Returns:
        the path.
    """
    path = Path(path)
    with atomic(path) as part:
        part.write_bytes(glb_bytes(solid))
    return path


def glb_bytes(solid: Solid) -> bytes:
    """The file's content: a header, the scene as JSON, the numbers and the picture."""
    triangles = solid.triangles[:, ::-1]  # counter-clockwise where y goes up
    size = WIDTH / float(np.ptp(solid.mesh[:, 0]))
    points = (solid.mesh - solid.middle) * (1, -1, 1) * size
    parts = [
        np.ascontiguousarray(points, "<f4").tobytes(),
        np.ascontiguousarray(_normals(points, triangles), "<f4").tobytes(),
        np.ascontiguousarray(solid.mesh[:, :2].clip(0, 1), "<f4").tobytes(),
        np.ascontiguousarray(triangles, "<u2").tobytes(),
        _texture(solid),
    ]
    views, start = [], 0
    for part, target in zip(parts, (*(_VERTICES,) * 3, _INDICES, None), strict=True):
        view = {"buffer": 0, "byteOffset": start, "byteLength": len(part)}
        views.append(view if target is None else {**view, "target": target})
        start += len(part) + -len(part) % 4
    scene = _scene(points.astype(np.float32), triangles.size, views, start)
    text = json.dumps(scene, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    data = b"".join(part + b"\0" * (-len(part) % 4) for part in parts)
    whole = 12 + 8 + len(text) + 8 + len(data)
    head = struct.pack("<III", _MAGIC, 2, whole) + struct.pack("<II", len(text), _JSON)
    return head + text + struct.pack("<II", len(data), _BINARY) + data


def _scene(points: np.ndarray, corners: int, views: list[Any], size: int) -> dict[str, Any]:
    count = len(points)
    vectors = {"componentType": _FLOAT, "count": count, "type": "VEC3"}
    bounds = {"min": points.min(axis=0).tolist(), "max": points.max(axis=0).tolist()}
    return {
        "asset": {"version": "2.0", "generator": "Semblance", "extras": {"edited by AI": True}},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "face"}],
        "meshes": [
            {
                "primitives": [
                    {
                        "attributes": {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2},
                        "indices": 3,
                        "material": 0,
                    }
                ]
            }
        ],
        "materials": [
            {
                "pbrMetallicRoughness": {
                    "baseColorTexture": {"index": 0},
                    "metallicFactor": 0,
                    "roughnessFactor": 1,
                },
                "doubleSided": True,
                "extensions": {"KHR_materials_unlit": {}},  # the photo has its light already
            }
        ],
        "textures": [{"source": 0, "sampler": 0}],
        "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}],
        "images": [{"bufferView": 4, "mimeType": "image/png"}],
        "accessors": [
            {"bufferView": 0, **vectors, **bounds},
            {"bufferView": 1, **vectors},
            {"bufferView": 2, "componentType": _FLOAT, "count": count, "type": "VEC2"},
            {"bufferView": 3, "componentType": _SHORT, "count": corners, "type": "SCALAR"},
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": size}],
    }


def _normals(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Of unit length, `[N, 3]`: the mean of those of the triangles about each point."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros_like(points)
    for k in range(3):
        np.add.at(total, triangles[:, k], across)
    total[np.linalg.norm(total, axis=1) < 1e-12] = (0, 0, 1)
    normals: np.ndarray = total / np.linalg.norm(total, axis=1, keepdims=True)
    return normals


def _texture(solid: Solid) -> bytes:
    side = int(np.clip(round(solid.place.side), 64, TEXTURE))
    picture = cut(Image.fromarray(solid.photo), FaceTransform(solid.place.quad, side))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
