"""Beards of photographs, ready to grow on other faces.

Each is how much of the skin the beard of one CC0 photograph hides (`cuts/beards.json` names it),
strand by strand, and the mesh of the face that it grows on. They are cut by
`recipes/fidelity/beards.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy.interpolate import RBFInterpolator

from multimodal.fidelity.hairstyles.fitting import similar
from multimodal.fidelity.looks.prototypes import partners
from multimodal.fidelity.mesh import GROWN, INNER_LIPS, OUTER_LIPS, OVAL

FOLDER = Path(__file__).parent / "cuts"
SIDE = 768
"""Side of the crop in which beards lie, in pixels."""
MOST = 1.25
"""The greatest density that is told apart."""
GRID = 96
GUIDES = tuple(
    dict.fromkeys(
        (*OVAL, *GROWN, *OUTER_LIPS, *INNER_LIPS[::2], 1, 2, 98, 327, 205, 425, 187, 411, 18, 200,
         199, 175, 43, 273, 32, 262, 33, 263, 168)
    )
)  # fmt: skip
"""Points of the mesh that a beard follows."""
FOLDED = (0.05, 25.0)
"""Areas beside the usual one below and above which a beard would be folded or crammed."""
STIFF = 2e-6
"""How far it may stay behind them, as a thin plate."""


@dataclass(frozen=True, eq=False)
class Beard:
    """A beard as one person wears it.

    Args:
        name: of its file.
        mesh: of the face that it grows on `[468, 2]`, in parts of the crop's side.
        thin: skin shines through it.
        mirrored: it is worn the other way round.
    """

    name: str
    mesh: np.ndarray
    thin: bool
    mirrored: bool = False

    @property
    def known(self) -> str:
        """Its name, and whether it is mirrored."""
        return f"{self.name} mirrored" if self.mirrored else self.name

    @property
    def density(self) -> np.ndarray:
        """How much of the skin hairs hide, `[768, 768]` in [0, 1.25]."""
        found = _density(self.name)
        return np.ascontiguousarray(found[:, ::-1]) if self.mirrored else found

    def other_way_round(self) -> Beard:
        """The same seen in a mirror."""
        mesh = (self.mesh * (-1, 1) + (1, 0))[partners()]
        return Beard(self.name, mesh, self.thin, not self.mirrored)


@lru_cache(maxsize=1)
def beards() -> tuple[Beard, ...]:
    """All beards, and each seen in a mirror."""
    found = []
    for one in json.loads((FOLDER / "beards.json").read_text(encoding="utf-8")):
        mesh = np.array(one["mesh"], np.float64).reshape(-1, 2)
        mine = Beard(one["name"], mesh, bool(one["thin"]))
        found += [mine, mine.other_way_round()]
    return tuple(found)


def fitting(mesh: np.ndarray, dense: bool = False, liked: str | None = None) -> Beard:
    """The beard of a face that looks and holds its mouth like another.

    Args:
        mesh: of that `[468, 2]`.
        dense: no skin may shine through it.
        liked: the one that is taken if there is such a one.
    """
    found = [beard for beard in beards() if not (dense and beard.thin)]
    return min(found, key=lambda beard: (beard.known != liked, _unlike(mesh, beard.mesh)))


def grown_on(beard: Beard, mesh: np.ndarray, side: int) -> np.ndarray:
    """A beard's density on another face `[S, S]` in [0, 1.25].

    Args:
        beard: it.
        mesh: of that face `[468, 2]`, in parts of the crop's side.
        side: S.
    """
    guides = list(GUIDES)
    rows = similar(mesh[guides], beard.mesh[guides])
    turned = mesh @ rows[:2] + rows[2]
    rest = RBFInterpolator(turned[guides], (beard.mesh - turned)[guides], smoothing=STIFF)
    line = (np.arange(GRID) + 0.5) / GRID
    cells = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2) @ rows[:2] + rows[2]
    spots = (cells + rest(cells)).reshape(GRID, GRID, 2).astype(np.float32)
    plain = _unfolded(spots)
    spots = cv2.resize(spots, (side, side), interpolation=cv2.INTER_LINEAR) * SIDE - 0.5
    found: np.ndarray = cv2.remap(beard.density, spots[..., 0], spots[..., 1], cv2.INTER_LINEAR)
    return found * cv2.resize(plain, (side, side), interpolation=cv2.INTER_LINEAR)


def _unfolded(spots: np.ndarray) -> np.ndarray:
    """Where places `[G, G, 2]` follow each other as their cells do, soft, in [0, 1]: the far cheek
    of a face that is turned lies behind it."""
    right, down = np.gradient(spots, axis=1), np.gradient(spots, axis=0)
    area = right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0]
    usual = float(np.median(area))
    plain = (area > FOLDED[0] * usual) & (area < FOLDED[1] * usual)
    worn = cv2.erode(plain.astype(np.float32), np.ones((3, 3), np.uint8))
    soft: np.ndarray = cv2.GaussianBlur(worn, (0, 0), 1.0)
    return soft


def _unlike(mesh: np.ndarray, other: np.ndarray) -> float:
    guides = list(GUIDES)
    rows = similar(mesh[guides], other[guides])
    return float(np.square(mesh[guides] @ rows[:2] + rows[2] - other[guides]).mean())


@lru_cache(maxsize=4)
def _density(name: str) -> np.ndarray:
    with Image.open(FOLDER / f"{name}.webp") as picture:
        return np.asarray(picture.convert("L"), np.float32) / 255 * MOST
