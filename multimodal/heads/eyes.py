"""Eyes that look elsewhere, or close: where their pixels come from in the photo."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from multimodal.fidelity.mesh import BROWS, EYES
from multimodal.heads.solid import GRID, Solid

BALL = 0.4
"""Radius of an eyeball in widths of the eye between its corners: 12 of 30 millimetres."""
IRIS = 0.2
"""Radius of the iris, likewise."""
FOLLOWS = 0.025
"""How far the upper lid closes for every degree that the eye looks down."""
LID = 0.75
"""How much of the skin between the eye and the brow is drawn down, from the eye up."""
SHUT = 0.97
STEPS = 8


@dataclass(frozen=True, eq=False)
class Eye:
    """An eye in its own frame: from corner to corner is 0 to 1, downwards in the same unit.

    Args:
        corner: its left corner in the square `[2]`.
        axes: the frame's axes as rows `[2, 2]`.
        upper: height of the upper rim at 33 places from corner to corner.
        lower: of the lower rim.
        brow: of the brow's lower edge.
        iris: the iris's middle `[2]`.
    """

    corner: np.ndarray
    axes: np.ndarray
    upper: np.ndarray
    lower: np.ndarray
    brow: np.ndarray
    iris: np.ndarray

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Points `[..., 2]` of the square in the eye's frame."""
        return (points - self.corner) @ np.linalg.inv(self.axes)

    def outside(self, points: np.ndarray) -> np.ndarray:
        """Points of the eye's frame in the square."""
        return points @ self.axes + self.corner

    def rims(self, across: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Heights of the upper rim, the lower rim and the brow at places between the corners."""
        line = np.linspace(0, 1, len(self.upper))
        at = np.clip(across, 0, 1)
        upper, lower, brow = (np.interp(at, line, r) for r in (self.upper, self.lower, self.brow))
        return upper, lower, brow


def eyes_of(solid: Solid) -> list[Eye]:
    """Both eyes, the picture's left one first."""
    return [_eye(solid, *sides) for sides in zip(EYES, BROWS, strict=True)]


def looking(solid: Solid, places: np.ndarray, yaw: float, pitch: float, blink: float) -> np.ndarray:
    """Places `[..., 2]` of the square, as they are read when eyes look elsewhere or close.

    Args:
        solid: the head.
        places: where the pixels would come from otherwise.
        yaw: degrees by which the gaze turns to the picture's right.
        pitch: degrees downwards.
        blink: 0 leaves the lids, 1 closes them.
    """
    closed = float(np.clip(blink + FOLLOWS * max(pitch, 0.0) * (1 - blink), 0, 1)) * SHUT
    for eye in eyes_of(solid):
        points = eye.inside(places)
        if closed > 0:
            points = _closed(eye, points, closed)
        if (yaw or pitch) and closed < SHUT:
            points = _turned(eye, points, yaw, pitch)
        near = np.abs(eye.inside(places) - 0.5).max(axis=-1) < 1.5
        places = np.where(np.expand_dims(near, -1), eye.outside(points), places)
    return places


def _closed(eye: Eye, points: np.ndarray, amount: float) -> np.ndarray:
    """The upper rim comes down to the lower one, and the skin above it is drawn after it."""
    across, down = points[..., 0], points[..., 1]
    upper, lower, brow = eye.rims(across)
    fade = np.clip(1 - np.abs(across - np.clip(across, 0, 1)) / 0.15, 0, 1)
    rim = upper + amount * (lower - upper) * fade
    top = upper + (brow - upper) * LID
    share = np.clip((down - top) / np.maximum(rim - top, 1e-6), 0, 1)
    above = top + share * (upper - top)
    moved = np.where((down > top) & (down <= rim), above, down)
    return np.stack([across, moved], axis=-1)


def _turned(eye: Eye, points: np.ndarray, yaw: float, pitch: float) -> np.ndarray:
    """The iris slides under the lids; the eye's corners stay."""
    shift = BALL * np.sin(np.radians([yaw, pitch]))
    upper, lower, _ = eye.rims(points[..., 0])
    found = points.copy()
    for _ in range(STEPS):
        away = found[..., 0] - eye.iris[0]
        room = np.where(away > 0, 1 - eye.iris[0], eye.iris[0]) - IRIS
        share = np.clip(1 - (np.abs(away) - IRIS) / np.maximum(room, 0.05), 0, 1)
        found = 0.5 * found + 0.5 * (points - shift * share[..., None])
    found[..., 1] = np.clip(found[..., 1], upper + 0.02, np.maximum(lower - 0.02, upper + 0.02))
    depth = np.minimum(points[..., 1] - upper, lower - points[..., 1])
    soft = np.clip(depth / 0.04, 0, 1)[..., None]
    return points + (found - points) * soft


def _eye(solid: Solid, rim: tuple[int, ...], brow: tuple[int, ...]) -> Eye:
    ring = solid.mesh[list(rim), :2]
    upper, lower = ring[:9], np.concatenate([ring[:1], ring[:7:-1]])
    if upper[0, 0] > upper[-1, 0]:
        upper, lower = upper[::-1], lower[::-1]
    right = upper[-1] - upper[0]
    axes = np.stack([right, np.array([-right[1], right[0]])])
    edge = solid.mesh[list(brow[5:]), :2]
    none = np.zeros(1)
    bare = Eye(upper[0], axes, none, none, none, np.zeros(2))
    line = np.linspace(0, 1, 33)
    high, low, over = (_heights(bare.inside(points), line) for points in (upper, lower, edge))
    over = np.minimum(over, high - 0.1)
    return Eye(upper[0], axes, high, low, over, _iris(solid, bare, high, low))


def _heights(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    order = np.argsort(points[:, 0])
    return np.interp(line, points[order, 0], points[order, 1])


def _iris(solid: Solid, eye: Eye, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """The middle of the iris: where the eye is darkest and the parser sees one."""
    places = np.stack(np.meshgrid(np.linspace(0.15, 0.85, 57), np.linspace(-0.4, 0.4, 33)), axis=-1)
    line = np.linspace(0, 1, len(upper))
    high, low = np.interp(places[..., 0], line, upper), np.interp(places[..., 0], line, lower)
    within = (places[..., 1] > high) & (places[..., 1] < low)
    spots = (eye.outside(places) * GRID - 0.5).astype(np.float32)
    seen = cv2.remap(solid.share("iris"), spots[..., 0], spots[..., 1], cv2.INTER_LINEAR)
    weight = seen * within
    if weight.sum() < 1.0:
        return np.array([0.5, float((upper + lower)[len(upper) // 2]) / 2])
    middle: np.ndarray = (places * weight[..., None]).sum(axis=(0, 1)) / weight.sum()
    return middle
