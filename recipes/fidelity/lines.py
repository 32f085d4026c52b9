"""Wrinkles: the lines of some old faces, as factors of brightness over the looks' textures.

Means of many faces have no lines, as each has its own elsewhere; so they are taken from single
faces (expression ratio images: Liu, Shan and Zhang 2001, here of age), several laid over each
other so that nobody's are copied whole.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from multimodal.fidelity.change import filled
from multimodal.fidelity.colours.tints import GREY
from multimodal.fidelity.looks.unfolding import Cells, cells_of
from multimodal.fidelity.mesh import OVAL
from multimodal.fidelity.regions import parsed, share

SIDE = 256
GRAIN, FOLD = 0.0047, 0.022
"""Widths of lines, in parts of the textures' side: finer is grain, broader is light."""
DARKEST, BRIGHTEST = -0.7, 0.15
"""Bounds of their logarithms: folds are dark, and skin between them hardly shines."""
DARK = 0.03
PARSED = 256
NOSTRILS, HOLE = ((79, 166, 60, 20), (309, 392, 290, 250)), 0.035
"""Points about the nostrils, whose shadows are no lines, and how far those reach, likewise."""
FACE = 0.93
"""Size of the face's outline within which lines are taken: further out are ears and hair."""


def lines_of(faces: Sequence[tuple[np.ndarray, np.ndarray]], places: np.ndarray) -> np.ndarray:
    """Lines `[SIDE, SIDE]` in logarithms of factors of brightness.

    Args:
        faces: pictures of old people who look at the camera `[H, H, 3]` in [0, 1], and their
            meshes `[468, 2 or 3]`; none: there are no lines.
        places: where the mesh's points lie in the textures `[468, 2]`.
    """
    found = np.zeros((SIDE, SIDE), np.float32)
    cells, place = cells_of(places, SIDE), _place(places)
    for picture, mesh in faces:
        found += place * _lines(picture.astype(np.float32), mesh[:, :2], cells)
    total: np.ndarray = (found / max(len(faces), 1) ** 0.5).clip(DARKEST, BRIGHTEST)
    return total


def _place(places: np.ndarray) -> np.ndarray:
    """Where lines are taken `[SIDE, SIDE]` in [0, 1]."""
    rim = places[list(OVAL)]
    found = filled(rim, SIDE, FACE)
    for points in NOSTRILS:
        middle = np.round(places[list(points)].mean(axis=0) * SIDE).astype(int)
        hole = np.zeros_like(found)
        cv2.circle(hole, (int(middle[0]), int(middle[1])), round(HOLE * SIDE), 1.0, -1)
        found = found * (1 - cv2.GaussianBlur(hole, (0, 0), SIDE / 85))
    return found


def _lines(picture: np.ndarray, mesh: np.ndarray, cells: Cells) -> np.ndarray:
    small = cv2.resize(picture, (PARSED, PARSED), interpolation=cv2.INTER_AREA)
    bare = share(parsed(small), ("skin", "nose"))
    skin = cells.read(bare, mesh, cv2.INTER_CUBIC).clip(0, 1) * cells.inside
    skin = np.clip((cv2.erode(skin, np.ones((5, 5))) - 0.5) * 3, 0, 1).astype(np.float32)
    colours = cv2.GaussianBlur(cells.read(picture, mesh, cv2.INTER_CUBIC), (0, 0), GRAIN * SIDE)
    light = np.log(np.clip(colours @ GREY, 0, None) + DARK)
    broad = cv2.GaussianBlur(light * skin, (0, 0), FOLD * SIDE)
    broad /= cv2.GaussianBlur(skin, (0, 0), FOLD * SIDE) + 1e-3
    soft = skin * cv2.GaussianBlur(skin, (0, 0), SIDE / 107)
    return np.asarray(((light - broad) * soft).clip(DARKEST, BRIGHTEST + 0.2), np.float32)
