"""What of a head decides which hair it can wear."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from multimodal.fidelity.hairstyles.library import DARK
from multimodal.fidelity.mesh import BROWS, EYES, OVAL
from multimodal.fidelity.regions import Surroundings, share

HAIR = ("hair",)
LEAST, LEAST_BROWS = 400, 20
"""Pixels of hair, and of brows, whose colour counts."""
BESIDE, LONG = (0.15, 0.5), 0.12
"""Heights below the eyes, in widths of the face, between which long hair hangs beside a face; how
much of it makes hair long, in squares of that width."""
BELOW, HANGING = 0.8, 0.6
"""Height from which hair hangs before clothes; from how much of it on nothing is known of them."""
FOREHEAD = (0.25, 1.5)
"""Heights above the eyes between which a hair line is sought, in widths of the face."""
HATS = 0.12
"""How much of hats and scarves there may be, in squares of the face's width."""
SHADES = (0.02, 0.75)
"""Quantiles of brightness of a head's hair between which it counts: skin shines through short hair,
and long hair has deeper shades."""
CURLY = (0.72, 0.42)
"""How much strands run one way, from 0 to 1, in straight hair and in an afro."""
MUCH = (4000.0, 10000.0)
"""Pixels of hair, where a face is 100 wide, from which that says little, and says all."""


def width_of(mesh: np.ndarray) -> float:
    """Width of a face with a mesh `[468, 2]`."""
    return float(np.linalg.norm(mesh[356] - mesh[127]))


def upright(mesh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middle of the eyes of a mesh `[468, 2]`, and the way to the crown, of length 1."""
    eyes = mesh[[point for eye in EYES for point in eye]].mean(axis=0)
    up = mesh[10] - mesh[152]
    return eyes, up / np.linalg.norm(up)


def hairline_of(hair: np.ndarray, mesh: np.ndarray) -> tuple[float, float] | None:
    """Heights above the eyes, in widths of the face, between which a forehead's middle shows hair;
    None: it shows none.

    Args:
        hair: where there is hair, `[S, S]` in [0, 1].
        mesh: of the face `[468, 2]`, in parts of its side.
    """
    side, (eyes, up) = len(hair), upright(mesh)
    level = np.array([-up[1], up[0]])
    heights = np.arange(*FOREHEAD, 0.01)
    across = np.linspace(-0.15, 0.15, 7)[:, None, None] * level
    middle = eyes + (mesh[list(OVAL)].mean(axis=0) - eyes) @ level * level
    at = np.floor((middle + width_of(mesh) * (across + heights[:, None] * up)) * side).astype(int)
    inside = ((at >= 0) & (at < side)).all(axis=-1)
    at = at.clip(0, side - 1)
    shown = (hair[at[..., 1], at[..., 0]] > 0.5) & inside
    shown = shown[shown.any(axis=1)]
    if len(shown) < 4:
        return None
    low, high = shown.argmax(axis=1), shown.shape[1] - 1 - shown[:, ::-1].argmax(axis=1)
    return float(np.median(heights[low])), float(np.median(heights[high]))


@dataclass(frozen=True, eq=False)
class Head:
    """A head, and how it wears its hair.

    Args:
        around: the square about it.
        mesh: of its face `[468, 2]`, in parts of the square's side.
    """

    around: Surroundings
    mesh: np.ndarray

    @property
    def wide(self) -> float:
        """Width of the face in parts of the square's side."""
        return width_of(self.mesh)

    @property
    def hairline(self) -> float | None:
        """Height of its hair line above the eyes, in widths of the face; None: it has none."""
        found = hairline_of(self.hair, self.mesh)
        return None if found is None else found[0]

    @cached_property
    def hair(self) -> np.ndarray:
        """Where the square shows its hair `[S, S]` in [0, 1]."""
        return self.around.where(HAIR)

    @property
    def is_long(self) -> bool:
        """Does hair hang beside the face?"""
        across, down = self._places
        beside = (down > BESIDE[0]) & (down < BESIDE[1]) & (np.abs(across) < 1.2)
        return self._much(self.hair * beside) > LONG

    @property
    def hangs_low(self) -> bool:
        """Does so much hair hang before clothes that nothing is known of them?"""
        return self._much(self.hair * (self._places[1] > BELOW)) > HANGING

    @property
    def wears_hat(self) -> bool:
        """Does a hat, a hood or a scarf hide the head?"""
        across, down = self._places
        near = (np.abs(across) < 0.9) & (down < 0.4) & (down > -1.2)
        return self._much((share(self.around.likely, ("hat",)) > 0.5) & near) > HATS

    @cached_property
    def tones(self) -> np.ndarray:
        """Logarithms of the colours of its hair `[N, 3]`; where there is none, of its brows."""
        picture = self.around.picture
        colours = picture[self.hair > 0.9]
        if len(colours) < LEAST:
            colours = self.around.levels(("brows",), 0.6)
        if len(colours) < LEAST_BROWS:
            spots = np.concatenate([self.mesh[list(brow)] for brow in BROWS]) * len(picture)
            at = np.round(spots).astype(int).clip(0, len(picture) - 1)
            colours = picture[at[:, 1], at[:, 0]]
        bright = colours.mean(axis=-1)
        low, high = np.quantile(bright, SHADES)
        return np.asarray(np.log(colours[(bright >= low) & (bright <= high)] + DARK))

    @cached_property
    def curl(self) -> float:
        """How curly its hair is, in [0, 1]: how little its strands run one way. Little short hair
        tells that less surely, except where skin is dark."""
        side = round(100 / self.wide)
        planes = np.log(self.around.picture.mean(axis=-1) + 0.03), share(self.around.likely, HAIR)
        bright, hair = (
            cv2.resize(plane.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
            for plane in planes
        )
        inside = cv2.erode((hair > 0.9).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        if inside.sum() < LEAST:
            return 0.0
        steps = cv2.Sobel(bright, cv2.CV_32F, 1, 0), cv2.Sobel(bright, cv2.CV_32F, 0, 1)
        products = (steps[0] * steps[0], steps[1] * steps[1], steps[0] * steps[1])
        xx, yy, xy = (cv2.GaussianBlur(one, (0, 0), 3)[inside] for one in products)
        along = float(np.hypot(xx - yy, 2 * xy).sum() / ((xx + yy).sum() + 1e-6))
        curly = float(np.clip((CURLY[0] - along) / (CURLY[0] - CURLY[1]), 0, 1))
        skin = self.around.levels(("skin", "nose"))
        dark = float(np.clip((0.42 - np.median(skin)) / 0.12, 0, 1)) if len(skin) else 0.0
        return curly * max(dark, float(np.clip((inside.sum() - MUCH[0]) / np.ptp(MUCH), 0, 1)))

    @cached_property
    def light(self) -> float:
        """How much lighter the face's right half in the picture is, in logarithms."""
        across, _ = self._places
        skin = share(self.around.likely, ("skin",)) > 0.8
        bright = np.log(cv2.GaussianBlur(self.around.picture.mean(axis=-1), (0, 0), 2) + 0.02)
        halves = [bright[skin & (across * sign > 0)] for sign in (1, -1)]
        if min(len(half) for half in halves) < 100:
            return 0.0
        return float(np.median(halves[0]) - np.median(halves[1]))

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each pixel: distance from the head's middle line, and height below the eyes, in widths
        of the face, `[S, S]` each."""
        side = self.around.picture.shape[0]
        points = self.mesh * side
        eyes, up = upright(points)
        axis = -up
        middle = points[list(OVAL)].mean(axis=0)
        spots = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1)
        wide = self.wide * side
        across = (spots - middle) @ np.array([axis[1], -axis[0]]) / wide
        return across.astype(np.float32), ((spots - eyes) @ axis / wide).astype(np.float32)

    def _much(self, area: np.ndarray) -> float:
        """An area in squares of the face's width."""
        return float(area.sum()) / (self.wide * len(area)) ** 2
