"""Loads the MakeHuman meshes, fits and textures; each file is read once a process."""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]
Index = NDArray[np.int32]

CLOTHES = (
    "male_casualsuit01",
    "male_casualsuit02",
    "male_casualsuit03",
    "male_casualsuit04",
    "male_casualsuit05",
    "male_casualsuit06",
    "male_elegantsuit01",
    "male_worksuit01",
    "female_casualsuit01",
    "female_casualsuit02",
    "female_elegantsuit01",
    "female_sportsuit01",
)
_DEFAULT_ROOT = Path(__file__).resolve().parents[4] / "shared" / "assets" / "faces3d"


@dataclass(frozen=True)
class Mesh:
    """Triangles over vertices and texture corners: ``tris`` and ``uv_tris`` [T, 3], ``uvs``
    [U, 2].
    """

    vertices: Array  # [V, 3]
    uvs: Array  # [U, 2], v upwards
    tris: Index  # [T, 3] into vertices
    uv_tris: Index  # [T, 3] into uvs
    groups: dict[str, Index]  # group name -> triangle indices


@dataclass(frozen=True)
class Fit:
    """How a garment follows the body: each vertex is a weighted triple of body vertices plus an
    offset.
    """

    mesh: Mesh
    corners: Index  # [V, 3] into body vertices
    weights: Array  # [V, 3]
    offsets: Array  # [V, 3]
    scales: tuple[
        tuple[int, int, float], ...
    ]  # per axis: two body vertices and their rest distance
    hidden: Index  # body vertices that the garment covers

    def apply(self, body: Array) -> Array:
        """Vertices [V, 3] of the garment on the body vertices [B, 3]."""
        size = [
            abs(body[a, axis] - body[b, axis]) / rest
            for axis, (a, b, rest) in enumerate(self.scales)
        ]
        base = np.einsum("vk,vkc->vc", self.weights, body[self.corners])
        return (base + self.offsets * np.asarray(size, np.float32)).astype(np.float32)


def default_root() -> Path:
    """Folder of the assets: ``$SEMBLANCE_ASSETS``, else ``../shared/assets/faces3d`` beside the
    code.
    """
    return Path(os.environ.get("SEMBLANCE_ASSETS", _DEFAULT_ROOT))


def check_root(root: Path) -> Path:
    """Return ``root``; a folder without the base mesh is a FileNotFoundError."""
    if not (root / "mpfb2" / "3dobjs" / "base.obj").is_file():
        raise FileNotFoundError(f"no MakeHuman assets in {root} (mpfb2/3dobjs/base.obj is missing)")
    return root


@cache
def base_mesh(root: Path) -> Mesh:
    """The body mesh hm08 with its helper groups."""
    return _read_obj(check_root(root) / "mpfb2" / "3dobjs" / "base.obj")


@cache
def fit(root: Path, folder: str, name: str = "") -> Fit:
    """The garment in ``root/folder`` (hair, eyebrows, clothes ...), by its ``.mhclo``."""
    stem = name or Path(folder).name
    path = root / folder / f"{stem}.mhclo"
    if not path.is_file():
        raise FileNotFoundError(f"no garment {path}")
    return _read_mhclo(path)


@cache
def texture(root: Path, relative: str) -> Array:
    """A picture as float32 [H, W, 4] in [0, 1], first row on top."""
    with Image.open(root / relative) as image:
        return np.asarray(image.convert("RGBA"), np.float32) / 255.0


@cache
def target(root: Path, name: str) -> tuple[Index, Array]:
    """A morph target by its path under ``targets`` without suffix: vertex ids [N], offsets
    [N, 3].
    """
    path = root / "mpfb2" / "targets" / f"{name}.target.gz"
    if not path.is_file():
        raise FileNotFoundError(f"no morph target {path}")
    with gzip.open(path, "rt") as file:
        lines = [line for line in file if line.strip() and not line.startswith("#")]
    values = np.array(" ".join(lines).split(), np.float64).reshape(-1, 4)
    return values[:, 0].astype(np.int32), values[:, 1:].astype(np.float32)


def _read_obj(path: Path) -> Mesh:
    vertices: list[list[float]] = []
    uvs: list[list[float]] = []
    tris: list[tuple[int, ...]] = []
    uv_tris: list[tuple[int, ...]] = []
    groups: dict[str, list[int]] = {}
    group = groups.setdefault("", [])
    for line in path.read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(x) for x in rest.split()[:3]])
        elif kind == "vt":
            uvs.append([float(x) for x in rest.split()[:2]])
        elif kind == "g":
            group = groups.setdefault(rest.strip(), [])
        elif kind == "f":
            corners = [part.split("/") for part in rest.split()]
            for k in range(1, len(corners) - 1):
                picked = (corners[0], corners[k], corners[k + 1])
                group.append(len(tris))
                tris.append(tuple(int(c[0]) - 1 for c in picked))
                uv_tris.append(tuple(int(c[1]) - 1 if len(c) > 1 and c[1] else 0 for c in picked))
    return Mesh(
        np.asarray(vertices, np.float32),
        np.asarray(uvs or [[0.0, 0.0]], np.float32),
        np.asarray(tris, np.int32),
        np.asarray(uv_tris, np.int32),
        {name: np.asarray(ids, np.int32) for name, ids in groups.items()},
    )


def _read_mhclo(path: Path) -> Fit:
    rows: list[list[float]] = []
    scales: dict[str, tuple[int, int, float]] = {}
    hidden: list[int] = []
    mesh_file, section = "", ""
    for line in path.read_text(errors="replace").splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "verts":
            section = "verts"
        elif words[0] == "delete_verts":
            section = "hidden"
        elif words[0] == "obj_file":
            mesh_file = words[1]
        elif words[0] in ("x_scale", "y_scale", "z_scale"):
            scales[words[0]] = (int(words[1]), int(words[2]), float(words[3]))
        elif not words[0].lstrip("-").replace(".", "").isdigit():
            continue
        elif section == "verts":
            rows.append(_vertex_row(words))
        elif section == "hidden":
            hidden += _ranges(words)
    table = np.asarray(rows, np.float64)
    axes = tuple(scales[f"{axis}_scale"] for axis in "xyz")
    corners, weights = table[:, :3].astype(np.int32), table[:, 3:6].astype(np.float32)
    mesh = _read_obj(path.parent / mesh_file)
    offsets = table[:, 6:9].astype(np.float32)
    return Fit(mesh, corners, weights, offsets, axes, np.asarray(hidden, np.int32))


def _vertex_row(words: list[str]) -> list[float]:
    if len(words) == 1:
        return [float(words[0])] * 3 + [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    return [float(w) for w in words[:9]]


def _ranges(words: list[str]) -> list[int]:
    ids: list[int] = []
    k = 0
    while k < len(words):
        if k + 2 < len(words) and words[k + 1] == "-":
            ids += range(int(words[k]), int(words[k + 2]) + 1)
            k += 3
        else:
            ids.append(int(words[k]))
            k += 1
    return ids
