"""Where a face lies in a photo, in the drawing before an edit and in the drawing after it.

The three are brought together by their meshes: inside the face's outline the mesh is trusted, from
there to a ring around the face the motion fades away, and beyond it nothing moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import Delaunay

from multimodal.fidelity.looks.prototypes import Look, looks, partners
from multimodal.fidelity.mesh import OVAL

GRID = 128
"""Side of the grid on which the maps are worked out."""
RING = (1.12, 1.28)
"""Where motion has halved and where it has ended, in sizes of the face's outline."""
STILL = 0.001
"""Motion of mesh points up to this, in parts of the crop's side, is unrest."""
SMOOTH = 0.8
"""Standard deviation by which the maps' kinks at the mesh's edges are smoothed, in grid cells."""


@dataclass(frozen=True, eq=False)
class Maps:
    """Where each point of the edited face comes from; all in parts of the crop's side.

    Args:
        photo: `[G, G, 2]`, in the photo's crop.
        before: `[G, G, 2]`, in the drawing before the edit.
        after: `[G, G, 2]`, in the drawing after it.
        places: `[G, G, 2]`, in the textures of looks, in parts of their side.
        mesh: the edited face's mesh `[468, 2]`.
        motion: how far its points moved `[468, 2]`.
    """

    photo: np.ndarray
    before: np.ndarray
    after: np.ndarray
    places: np.ndarray
    mesh: np.ndarray
    motion: np.ndarray


def register(
    photo: np.ndarray, before: np.ndarray, after: np.ndarray, look: Look | None = None
) -> Maps:
    """Maps from the edited face to the photo and to both drawings.

    Args:
        photo: the mesh `[468, 2]` in the photo's crop, in parts of its side.
        before: that in the drawing before the edit.
        after: that in the drawing after it.
        look: a look of photographs that the face takes on too.
    """
    affine = fitted(photo, before)
    motion = _even((after - before) @ np.linalg.inv(affine[:2]), photo)
    moved = photo + _cored(motion) * (1.0 if look is None else 1 - look.led)
    if look is not None:
        moved = moved + look.shape @ fitted(looks().mesh, photo)[:2]
    inner, outer = _rings(photo)
    rim = list(OVAL)
    half = inner + 0.5 * (moved - photo)[rim]
    border = _border()
    still = np.concatenate([outer, border])
    targets = np.concatenate([moved, half, still])
    outside = np.concatenate([inner, still])
    frame = _moved(affine, outside)
    sources = np.concatenate(
        [
            np.concatenate([photo, inner, still]),
            np.concatenate([before, frame]),
            np.concatenate([after, frame]),
            np.concatenate([looks().places, _moved(fitted(photo, looks().places), outside)]),
        ],
        axis=1,
    )
    maps = _interpolated(targets, sources - np.tile(targets, 4))
    here, then, now, places = np.split(maps + np.tile(_grid(), 4), 4, axis=-1)
    return Maps(here, then, now, places, moved, moved - photo)


def _even(motion: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """Motion that both sides of a face share: a drawing's mouth is crooked where none should be."""
    straight = fitted(mesh, looks().mesh)[:2]
    seen = motion @ straight
    both = (seen + seen[partners()] * (-1.0, 1.0)) / 2
    found: np.ndarray = both @ np.linalg.inv(straight)
    return found


def _cored(motion: np.ndarray) -> np.ndarray:
    """Motion without what is only the mesh's unrest."""
    size = np.linalg.norm(motion, axis=-1, keepdims=True)
    return motion * np.clip(size / STILL - 1, 0, 1)


def fitted(points: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """The affine map `[3, 2]` that brings points `[N, 2]` nearest to others, by least squares."""
    return np.linalg.lstsq(_extended(points), onto, rcond=None)[0]


def _extended(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, np.ones((len(points), 1))], axis=1)


def _moved(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    return _extended(points) @ affine


def _rings(mesh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two outlines around the face's own, `[36, 2]` each."""
    rim = mesh[list(OVAL)]
    middle = rim.mean(axis=0)
    near, far = (middle + (rim - middle) * size for size in RING)
    return near, far


def _border(count: int = 9) -> np.ndarray:
    """Points around the crop, somewhat beyond it."""
    line = np.linspace(-0.25, 1.25, count)
    low, high = np.full(count, -0.25), np.full(count, 1.25)
    sides = [(line, low), (line, high), (low, line), (high, line)]
    return np.unique(np.concatenate([np.stack(side, axis=1) for side in sides]), axis=0)


def _grid() -> np.ndarray:
    """The middles of the grid's cells, `[G, G, 2]`."""
    line = (np.arange(GRID) + 0.5) / GRID
    return np.stack(np.meshgrid(line, line), axis=-1)


def _interpolated(points: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values at scattered points as a smooth map over the grid."""
    found = LinearNDInterpolator(Delaunay(points), values, fill_value=0.0)(_grid())
    return cv2.GaussianBlur(found, (0, 0), SMOOTH)
