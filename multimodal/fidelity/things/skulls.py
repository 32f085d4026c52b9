"""The outline of a head without hair."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from multimodal.fidelity.mesh import EYES, OVAL

ROUND = 2.35
"""Exponent of the superellipse that a skull is, seen from in front."""
HIGH, WIDE = 0.91, 1.03
"""The skull's height above the eyes in distances of eyes and chin; its width in the face's."""


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
    whole, face = np.maximum(filled(top, side), filled(sides, side)), filled(rim, side)
    spots = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1) - middle
    up, across = spots @ axis / tall, spots @ level / (2 * half)
    dome = whole * (1 - cv2.GaussianBlur(face, (0, 0), 3)) * (up > 0.12)
    soft = cv2.GaussianBlur(np.maximum(whole, face), (0, 0), 1.5)
    return Skull(soft, dome.astype(np.float32), up.astype(np.float32), across.astype(np.float32))


def filled(outline: np.ndarray, side: int) -> np.ndarray:
    """The inside of an outline `[N, 2]` in pixels, `[S, S]` in [0, 1]."""
    found = np.zeros((side, side), np.float32)
    cv2.fillPoly(found, [np.round(outline * 16 - 8).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return found
