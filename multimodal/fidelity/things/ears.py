"""Ears at the sides of a head whose hair goes: those that show, and one of a photograph instead of
those that hair hid."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from multimodal.fidelity.mesh import OVAL
from multimodal.fidelity.things.skulls import filled

FILE = Path(__file__).with_name("ear.webp")
"""An ear of a CC0 photograph, cut by `recipes/fidelity/ear.py`: its brightness, and its alpha."""
SPAN, CELLS = ((-0.08, 0.20), (-0.22, 0.22)), (180, 280)
"""What of a head it shows, outwards and towards the crown from the cheek's rim, in widths of the
face; in how many pixels."""
RANGE = (-1.6, 0.5)
"""Logarithms of brightness that its levels stand for."""
CONTRAST, WARMER = 0.38, (0.03, -0.03, -0.05)
"""How much of its light and shadow is taken; how much redder than skin it is, in logarithms."""
EAR = (0.07, 0.145)
"""Half width and half height of an ear, in widths of the face."""
SCRAP = 0.45
"""Share of a whole ear up to which what shows of one counts as none."""
SHOWN = 0.06
"""Share of the place about an ear that shows one, from which none is added."""


def ears(
    mesh: np.ndarray, colours: np.ndarray, flesh: np.ndarray, shown: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Ears where hair hid them.

    Args:
        mesh: of the face `[468, 2]`, in parts of the square's side.
        colours: the square without hair `[S, S, 3]`.
        flesh: the colour of skin, `[3]`.
        shown: where the photo shows ears, `[S, S]` in [0, 1].

    Returns:
        colours with ears `[S, S, 3]`, and where they are new `[S, S]` in [0, 1].
    """
    side = shown.shape[0]
    points = mesh * side
    face = filled(points[list(OVAL)], side)
    wide = float(np.linalg.norm(points[356] - points[127]))
    covered = np.zeros((side, side), np.float32)
    turn = float(np.linalg.norm(points[1] - points[127]) - np.linalg.norm(points[1] - points[356]))
    for point, other, sign in ((234, 454, 1.0), (454, 234, -1.0)):
        start, out, up = frame_of(points, point, other)
        seen = float(np.clip(1 + 2.2 * sign * turn / wide, 0, 1.15))
        middle = start + 0.02 * out + 0.02 * up
        if seen < 0.35 or _share(shown, middle, wide) * seen > SHOWN:
            continue  # it is turned away, or shows already
        light, alpha = _laid((start, out * seen, up), side)
        tone = flesh * np.exp(CONTRAST * light[..., None] + np.array(WARMER, np.float32))
        over = alpha * (1 - cv2.GaussianBlur(face, (0, 0), 1.5))
        colours = colours + (tone - colours) * over[..., None]
        covered = np.maximum(covered, over)
    return colours, covered


def frame_of(points: np.ndarray, point: int, other: int) -> tuple[np.ndarray, ...]:
    """The rim of a cheek, and the ways outwards and to the crown as long as the face is wide.

    Args:
        points: of the mesh `[468, 2]`, in pixels.
        point: of the cheek's rim.
        other: that on the other side.
    """
    wide = float(np.linalg.norm(points[356] - points[127]))
    out, up = points[point] - points[other], points[10] - points[152]
    return points[point], wide * out / np.linalg.norm(out), wide * up / np.linalg.norm(up)


def _laid(frame: tuple[np.ndarray, ...], side: int) -> tuple[np.ndarray, np.ndarray]:
    """The light of the ear in a place, in logarithms, and its alpha, `[S, S]` each."""
    start, out, up = frame
    inverse = np.linalg.inv(np.stack([out, up]))
    low, high = np.array(SPAN).T
    scale = np.array(CELLS) / (high - low)
    rows = inverse * scale
    offset = (-start @ inverse - low) * scale
    rows[:, 1], offset[1] = -rows[:, 1], CELLS[1] - offset[1]
    matrix = np.concatenate([rows.T, offset[:, None]], axis=1)
    picture = _ear()
    smaller = 0.5 * float(np.sqrt(abs(np.linalg.det(rows))))
    picture = cv2.GaussianBlur(picture, (0, 0), max(smaller, 0.3))
    found = cv2.warpAffine(
        picture, matrix, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    return RANGE[0] + (RANGE[1] - RANGE[0]) * found[..., 0], found[..., 1]


@lru_cache(maxsize=1)
def _ear() -> np.ndarray:
    """Brightness and alpha `[280, 180, 2]` float32 in [0, 1]."""
    with Image.open(FILE) as picture:
        return np.asarray(picture.convert("LA"), np.float32) / 255


def whole_ears(mesh: np.ndarray, likely: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Ears without scraps of them that hair leaves free, or that hung in hair beside the head,
    `[S, S]` in [0, 1].

    Args:
        mesh: of the face `[468, 2]`, in parts of the square's side.
        likely: where ears are taken to be `[S, S]` in [0, 1].
        whole: the head without hair, likewise.
    """
    wide = float(np.linalg.norm(mesh[356] - mesh[127])) * len(likely)
    _, label, about, _ = cv2.connectedComponentsWithStats((likely > 0.3).astype(np.uint8))
    large = about[:, cv2.CC_STAT_AREA] > SCRAP * np.pi * EAR[0] * EAR[1] * wide * wide
    beside = cv2.dilate((whole > 0.5).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    large &= np.bincount(label[beside], minlength=len(large)) > 20
    large[0] = False
    near: np.ndarray = cv2.dilate(large[label].astype(np.float32), np.ones((5, 5), np.uint8))
    return likely * near


def _share(shown: np.ndarray, middle: np.ndarray, wide: float) -> float:
    """How much of the place about an ear shows one."""
    low, high = (np.clip(np.round(middle + s * 0.2 * wide), 0, len(shown)) for s in (-1, 1))
    part = shown[int(low[1]) : int(high[1]), int(low[0]) : int(high[0])]
    return float(part.mean()) if part.size else 1.0
