"""The outline of a head without hair, and ears at its sides."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from multimodal.fidelity.mesh import EYES, OVAL

ROUND = 2.35
"""Exponent of the superellipse that a skull is, seen from in front."""
HIGH, WIDE = 0.91, 1.03
"""The skull's height above the eyes in distances of eyes and chin; its width in the face's."""
EAR = (0.07, 0.145)
"""Half width and half height of an ear, in widths of the face."""
SCRAP = 0.45
"""Share of a whole ear up to which what shows of one counts as none."""
SHOWN = 0.06
"""Share of the place about an ear that shows one, from which none is added."""


@dataclass(frozen=True, eq=False)
class Skull:
    """A head without hair.

    Args:
        whole: the head down to the eyes and the face `[S, S]` in [0, 1].
        dome: of it what lies above the face, `[S, S]` in [0, 1].
        up: height above the eyes in distances of eyes and chin, `[S, S]`.
        across: distance from the head's middle in its widths, `[S, S]`.
    """

    whole: np.ndarray
    dome: np.ndarray
    up: np.ndarray
    across: np.ndarray


def skull_of(mesh: np.ndarray, side: int) -> Skull:
    """The head of a face with a mesh `[468, 2]`: it reaches back where the face is turned away."""
    points = mesh * side
    rim = points[list(OVAL)]
    eyes = points[[point for eye in EYES for point in eye]].mean(axis=0)
    axis = points[10] - points[152]
    axis = axis / np.linalg.norm(axis)
    level = np.array([-axis[1], axis[0]])
    tall = float((eyes - points[152]) @ axis)
    ends = np.sort([(points[127] - eyes) @ level, (points[356] - eyes) @ level])
    turn = float((points[1] - rim.mean(axis=0)) @ level) / float(ends[1] - ends[0])
    reach = ends * WIDE * (1 + 1.1 * abs(turn) * (np.sign(ends) * turn < 0))
    middle, half = eyes + level * reach.mean(), float(reach[1] - reach[0]) / 2
    angle = np.linspace(0, np.pi, 60)
    x, y = (np.sign(f) * np.abs(f) ** (2 / ROUND) for f in (np.cos(angle), np.sin(angle)))
    top = middle + np.outer(x * half, level) + np.outer(y * HIGH * tall, axis)
    sides = np.stack([top[-1], top[0], points[361], points[132]])
    whole, face = np.maximum(_filled(top, side), _filled(sides, side)), _filled(rim, side)
    spots = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1) - middle
    up, across = spots @ axis / tall, spots @ level / (2 * half)
    dome = whole * (1 - cv2.GaussianBlur(face, (0, 0), 3)) * (up > 0.12)
    soft = cv2.GaussianBlur(np.maximum(whole, face), (0, 0), 1.5)
    return Skull(soft, dome.astype(np.float32), up.astype(np.float32), across.astype(np.float32))


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
    face = _filled(points[list(OVAL)], side)
    wide = float(np.linalg.norm(points[356] - points[127]))
    axis = (points[10] - points[152]) / np.linalg.norm(points[10] - points[152])
    covered = np.zeros((side, side), np.float32)
    turn = float(np.linalg.norm(points[1] - points[127]) - np.linalg.norm(points[1] - points[356]))
    for point, other, sign in ((234, 454, 1.0), (454, 234, -1.0)):
        out = (points[point] - points[other]) / np.linalg.norm(points[point] - points[other])
        seen = float(np.clip(1 + 2.2 * sign * turn / wide, 0, 1.15))
        middle = points[point] + 0.02 * wide * out + 0.02 * wide * axis
        size = np.array([EAR[0] * seen, EAR[1]]) * wide
        outer, inner = (_ear(middle, size * part, out, axis, side) for part in (1.0, 0.6))
        if seen < 0.35 or _share(shown, middle, wide) * seen > SHOWN:
            continue  # it is turned away, or shows already
        shade = 0.9 - 0.22 * cv2.GaussianBlur(inner, (0, 0), 0.015 * wide)
        tone = flesh * shade[..., None] * np.array((1, 0.96, 0.95), np.float32)
        over = cv2.GaussianBlur(outer, (0, 0), 1.2) * (1 - cv2.GaussianBlur(face, (0, 0), 1.5))
        colours = colours + (tone - colours) * over[..., None]
        covered = np.maximum(covered, over)
    return colours, covered


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


def _ear(
    middle: np.ndarray, size: np.ndarray, out: np.ndarray, axis: np.ndarray, side: int
) -> np.ndarray:
    """An ear's outline, wide above and narrow below, filled."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x, y = np.cos(turn), np.sin(turn)
    wider = 1 + 0.25 * y
    lean = 0.35 * y
    spots = middle + np.outer(size[0] * (x * wider + lean), out) + np.outer(size[1] * y, axis)
    return _filled(spots, side)


def _filled(outline: np.ndarray, side: int) -> np.ndarray:
    found = np.zeros((side, side), np.float32)
    cv2.fillPoly(found, [np.round(outline * 16 - 8).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return found
