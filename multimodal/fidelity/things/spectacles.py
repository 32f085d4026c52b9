"""Glasses drawn on a face's mesh: they sit on this person's eyes, and their temples reach the ears.

A generator's glasses are blurred at the photo's size, and lie where its own eyes lie.
"""

from __future__ import annotations

import cv2
import numpy as np

from multimodal.fidelity.mesh import EYES, OVAL

SIDE = 768
FRAME = (0.07, 0.06, 0.06)
SUN = (0.05, 0.05, 0.06)
EARS = (127, 356)
"""Points of the mesh at the temples, the picture's left first."""
WIDE, HIGH, DROP = 0.86, 0.112, 0.02
"""Half a lens's width in widths of the eye, half its height and how far it hangs below the eye's
middle in heights of the face."""
THICK = 0.014
ROUND = 2.8


def spectacles(
    mesh: np.ndarray, dark: bool, colour: tuple[float, float, float] | None, light: float
) -> tuple[np.ndarray, np.ndarray]:
    """Glasses on a face.

    Args:
        mesh: of the face `[468, 2]`, in parts of the crop's side.
        dark: sunglasses.
        colour: of the frame in [0, 1], or None: nearly black.
        light: brightness of the photo about the eyes, in [0, 1].

    Returns:
        colours `[768, 768, 3]` and alpha `[768, 768]`.
    """
    points = mesh * SIDE
    tall = float(np.ptp(points[list(OVAL)][:, 1]))
    width = max(THICK * tall, 2.0)
    rims = [_rim(points, eye, tall) for eye in EYES]
    alpha = np.zeros((SIDE, SIDE), np.float32)
    lens = np.zeros_like(alpha)
    for rim, ear in zip(rims, EARS, strict=True):
        _line(alpha, rim, width, True)
        cv2.fillPoly(lens, [np.round(rim * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
        outer = rim[np.argmin(np.linalg.norm(rim - points[ear], axis=1))]
        _line(alpha, np.stack([outer, points[ear]]), width * 0.8, False)
    _line(alpha, _bridge(rims, tall), width, False)
    tone = np.array(FRAME if colour is None else colour, np.float32)
    shine = cv2.GaussianBlur(alpha, (0, 0), width / 4) - cv2.GaussianBlur(
        np.roll(alpha, round(width / 3), axis=0), (0, 0), width / 3
    )
    frame = tone * (0.6 + 0.7 * light) + 0.35 * light * np.clip(shine, 0, 1)[..., None]
    shadow = cv2.GaussianBlur(np.roll(alpha, round(0.8 * width), axis=0), (0, 0), width)
    shadow = 0.35 * shadow * (1 - alpha)
    glass = lens * (0.86 if dark else 0.05)
    pane = np.array(SUN if dark else (0.9, 0.93, 0.95), np.float32) * (0.4 + 0.9 * light)
    under = np.maximum(shadow, glass)
    behind = np.where((glass >= shadow)[..., None], pane, np.float32(0.05))
    over = alpha + (1 - alpha) * under
    mixed = frame * alpha[..., None] + behind * ((1 - alpha) * under)[..., None]
    return (mixed / np.maximum(over, 1e-4)[..., None]).clip(0, 1).astype(np.float32), over


def _rim(points: np.ndarray, eye: tuple[int, ...], tall: float) -> np.ndarray:
    """The outline of a lens, `[64, 2]`: a round rectangle about an eye, turned with the face."""
    rows = [points[list(one)].mean(axis=0) for one in EYES]
    across = (rows[1] - rows[0]) / np.linalg.norm(rows[1] - rows[0])
    down = np.array([-across[1], across[0]])
    wide = WIDE * float(np.ptp(points[list(eye)] @ across))
    high = HIGH * tall
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    x, y = (np.sign(f) * np.abs(f) ** (2 / ROUND) for f in (np.cos(turn), np.sin(turn)))
    middle = points[list(eye)].mean(axis=0) + DROP * tall * down
    narrow = 1 - 0.1 * (y > 0) * np.abs(y)
    found: np.ndarray = middle + (x * wide * narrow)[:, None] * across + (y * high)[:, None] * down
    return found


def _bridge(rims: list[np.ndarray], tall: float) -> np.ndarray:
    """A bow over the nose between the lenses' inner sides."""
    left = rims[0][np.argmin(np.linalg.norm(rims[0] - rims[1].mean(axis=0), axis=1))]
    right = rims[1][np.argmin(np.linalg.norm(rims[1] - rims[0].mean(axis=0), axis=1))]
    t = np.linspace(0, 1, 12)[:, None]
    rise = np.array([0.0, -0.02 * tall])
    lift = np.array([0.0, -0.15 * HIGH * tall])
    found: np.ndarray = left * (1 - t) + right * t + rise * np.sin(np.pi * t) + lift
    return found


def _line(plane: np.ndarray, points: np.ndarray, width: float, closed: bool) -> None:
    """A line of a width, drawn four times as fine and laid into a plane."""
    drawn = np.zeros(plane.shape, np.float32)
    corners = [np.round(points * 16).astype(np.int32)]
    cv2.polylines(drawn, corners, closed, 1.0, max(round(width), 1), cv2.LINE_AA, 4)
    np.maximum(plane, cv2.GaussianBlur(drawn, (0, 0), 0.7), out=plane)
