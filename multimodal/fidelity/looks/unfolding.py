"""Pictures of faces laid flat over the square of the looks' textures, by the mesh."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import Delaunay


@dataclass(frozen=True, eq=False)
class Cells:
    """A square of N cells a side over a mesh that lies flat.

    Args:
        corners: of each cell's triangle, `[N * N, 3]` points of the mesh.
        weights: of these corners `[N * N, 3]`.
        inside: the cell lies on the face, `[N, N]`.
    """

    corners: np.ndarray
    weights: np.ndarray
    inside: np.ndarray

    def read(
        self, picture: np.ndarray, mesh: np.ndarray, how: int = cv2.INTER_LINEAR
    ) -> np.ndarray:
        """What a picture `[S, S, ...]` shows in each cell `[N, N, ...]`.

        Args:
            picture: of a face.
            mesh: of that face `[468, 2]`, in parts of its side.
            how: OpenCV's interpolation.
        """
        spots = (mesh[self.corners] * self.weights[..., None]).sum(axis=1) * picture.shape[0] - 0.5
        spots = spots.reshape(*self.inside.shape, 2).astype(np.float32)
        border = cv2.BORDER_REFLECT_101
        found: np.ndarray = cv2.remap(picture, spots[..., 0], spots[..., 1], how, borderMode=border)
        return found


def cells_of(places: np.ndarray, side: int) -> Cells:
    """The cells of a square.

    Args:
        places: where the mesh's points lie in it `[468, 2]`, in parts of its side.
        side: N.
    """
    line = (np.arange(side) + 0.5) / side
    cells = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    mesh = Delaunay(places)
    found = mesh.find_simplex(cells)
    turned = mesh.transform[found]
    first = np.einsum("nij,nj->ni", turned[:, :2], cells - turned[:, 2])
    weights = np.concatenate([first, 1 - first.sum(axis=1, keepdims=True)], axis=1)
    return Cells(mesh.simplices[found], weights, (found >= 0).reshape(side, side))
