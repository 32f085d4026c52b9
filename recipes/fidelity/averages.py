"""Average faces of groups of photographs on one mesh: shape, colours, and fine contrast."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from multimodal.fidelity.looks.unfolding import Cells, cells_of
from multimodal.fidelity.mesh import OVAL

SIDE = 192
"""Side of the textures while they are averaged."""
STEADY = (
    33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 10, 151, 9, 8, 234, 454, 127, 356,
)  # fmt: skip
"""Points that expressions hardly move; meshes are laid over each other by them."""
TURNED = 0.35
"""Faces turned further (depth of the temples' difference by their distance) are left out."""
ROOM = 1.12
DARK = 0.03


@dataclass(frozen=True, eq=False)
class Average:
    """Mean of a group.

    Args:
        shape: `[468, 2]` in the frame of the mean mesh.
        texture: logarithms of colours, its median at 0, `[S, S, 3]`.
        energy: mean fine contrast at three widths, `[S, S, 3]`.
    """

    shape: np.ndarray
    texture: np.ndarray
    energy: np.ndarray


@dataclass(frozen=True, eq=False)
class Frame:
    """The mean mesh `[468, 2]` that all faces are brought onto."""

    mesh: np.ndarray

    @cached_property
    def places(self) -> np.ndarray:
        """The mesh in parts of a texture's side."""
        rim = self.mesh[list(OVAL)]
        low, high = rim.min(axis=0), rim.max(axis=0)
        return (self.mesh - (low + high) / 2) / ((high - low).max() * ROOM) + 0.5

    @cached_property
    def partners(self) -> np.ndarray:
        """For each point the one on the other side of the face."""
        away = np.linalg.norm(self.mesh[:, None] - self.mirrored(self.mesh)[None], axis=-1)
        return linear_sum_assignment(away)[1]

    def mirrored(self, mesh: np.ndarray) -> np.ndarray:
        """A mesh seen in a mirror, its points in their order."""
        turned = mesh.copy()
        turned[..., 0] = 2 * self.mesh[168, 0] - turned[..., 0]
        return turned

    def symmetric(self, mesh: np.ndarray) -> np.ndarray:
        """The mean of a mesh `[468, 2]` and its mirror image."""
        return (mesh + self.mirrored(mesh)[self.partners]) / 2

    @cached_property
    def _cells(self) -> Cells:
        return cells_of(self.places, SIDE)

    def average(self, faces: Iterable[tuple[np.ndarray, np.ndarray]]) -> Average:
        """Mean of faces: pictures `[H, H, 3]` in [0, 1] and their meshes `[468, 2 or 3]`.

        Raises:
            ValueError: none of them looks at the camera.
        """
        shapes, textures, energies = [], [], []
        for picture, mesh in faces:
            if abs(turn_of(mesh)) > TURNED:
                continue
            flat = mesh[:, :2]
            shapes.append(self.symmetric(laid_over(flat, self.mesh)))
            colours = self._cells.read(picture, flat)
            logs = np.log(colours + DARK)
            textures.append(logs - np.median(logs[self._cells.inside], axis=0))
            energies.append(np.log(fine_contrast(colours) + 1e-4))
        if not shapes:
            raise ValueError("no face of the group looks at the camera")
        both = np.concatenate([textures, np.array(textures)[:, :, ::-1]])
        energy = np.concatenate([energies, np.array(energies)[:, :, ::-1]])
        return Average(
            np.mean(shapes, axis=0), np.median(both, axis=0), np.exp(energy.mean(axis=0))
        )


def frame_of(meshes: np.ndarray) -> Frame:
    """The mean mesh of faces `[N, 468, 3]` that look at the camera."""
    straight = np.array([mesh[:, :2] for mesh in meshes if abs(turn_of(mesh)) < TURNED / 2])
    mean = straight.mean(axis=0)
    for _ in range(3):
        mean = np.mean([laid_over(mesh, mean) for mesh in straight], axis=0)
    return Frame(mean)


def turn_of(mesh: np.ndarray) -> float:
    """How far a face `[468, 3]` is turned: difference of the temples' depths by their distance."""
    wide = np.linalg.norm(mesh[234, :2] - mesh[454, :2])
    return float((mesh[234, 2] - mesh[454, 2]) / max(wide, 1e-6))


def laid_over(mesh: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """A mesh turned, scaled and moved onto another by its steady points."""
    ours, theirs = mesh[list(STEADY)], onto[list(STEADY)]
    a, b = ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)
    left, sizes, right = np.linalg.svd(a.T @ b)
    turn = left @ np.diag([1.0, np.sign(np.linalg.det(left @ right))]) @ right
    return (mesh - ours.mean(axis=0)) @ turn * (sizes.sum() / (a * a).sum()) + theirs.mean(axis=0)


def fine_contrast(colours: np.ndarray) -> np.ndarray:
    """Local fine contrast of a texture at three widths, beside its brightness, `[S, S, 3]`."""
    grey = colours @ np.array([0.3, 0.59, 0.11], np.float32)
    smooth = [grey] + [cv2.GaussianBlur(grey, (0, 0), width) for width in (1.2, 3.0, 7.0)]
    bands = [np.abs(smooth[k] - smooth[k + 1]) / (smooth[3] + 0.05) for k in range(3)]
    return np.stack([cv2.GaussianBlur(band, (0, 0), 5) for band in bands], axis=-1)
