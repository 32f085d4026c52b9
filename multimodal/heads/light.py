"""Heads lit from elsewhere: shading from the head's shape, shadows from its depth."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch

from multimodal.fidelity.mesh import OVAL
from multimodal.heads.carrying import carried
from multimodal.heads.solid import DEEPER, HEAD, Solid, cells
from multimodal.parsing.guided import guided_enlarge

DIRECTIONS = {
    "left": (-60.0, -10.0),
    "right": (60.0, -10.0),
    "above": (0.0, -60.0),
    "below": (0.0, 50.0),
    "front": (0.0, 0.0),
}
"""Where light comes from: degrees to the picture's right, and downwards."""
GAIN = 0.8
"""Change of the logarithm of light from the darkest to the brightest side, at strength 1."""
WIDTHS = (0.035, 0.012)
"""How smooth the head is taken to be beyond the face, and on it, in parts of the square's side."""
BIAS, SOFT, MARCH = 0.015, 0.03, 28
"""Of shadows: depth that casts none, depth over which they set in, steps towards the light."""
DARK = 0.25
"""Of the shading, what a shadow takes."""


def direction_of(said: str) -> tuple[float, float]:
    """A direction of light by name, or as two numbers of degrees: "60,-20".

    Raises:
        ValueError: neither.
    """
    if said in DIRECTIONS:
        return DIRECTIONS[said]
    try:
        yaw, pitch = (float(part) for part in said.split(","))
    except ValueError:
        names = ", ".join(DIRECTIONS)
        raise ValueError(
            f"light from {said!r}: give one of {names}, or degrees to the right and down, as 60,-20"
        ) from None
    if not (abs(yaw) <= 90 and abs(pitch) <= 90):
        raise ValueError(f"light from {said!r}: degrees are from -90 to 90")
    return yaw, pitch


def lit(
    solid: Solid, light: tuple[float, float], strength: float, matrix: np.ndarray
) -> np.ndarray:
    """The logarithm of the factor by which light changes every cell of the photo's square.

    Args:
        solid: the head.
        light: where it comes from, degrees to the picture's right and downwards.
        strength: 1 is a lamp in a lit room, 0 leaves everything.
        matrix: how the head is turned `[3, 3]`.

    Returns:
        `[G, G]`, its mean over the face 0.
    """
    depth = carried(solid, solid.mesh[:, 2:])[..., 0] / DEEPER
    side = depth.shape[0]
    broad, fine = (cv2.GaussianBlur(depth, (0, 0), side * width) for width in WIDTHS)
    depth = fine + (broad - fine) * (1 - _inner(solid))
    down, across = np.gradient(depth, 1 / side)
    normal = np.stack([-across, -down, np.ones_like(depth)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    a, b = (math.radians(v) for v in light)
    towards = np.array([math.sin(a) * math.cos(b), math.sin(b), math.cos(a) * math.cos(b)])
    shading = ((normal @ matrix.T @ towards + 1) / 2) ** 1.5
    shading *= 1 - DARK * _shadow(depth, matrix.T @ towards)
    face = solid.share("skin", "nose", "lips", "brows")
    mean = float((shading * face).sum() / max(face.sum(), 1e-6))
    change = GAIN * strength * 2 * (shading - mean)
    return cv2.GaussianBlur(change * _softly(solid), (0, 0), 1.0)


def factors(solid: Solid, change: np.ndarray, crop: np.ndarray) -> np.ndarray:
    """The factor of every pixel of a crop `[S, S, 3]` uint8, ending where the head ends there.

    What is bright already is brightened less, so that nothing burns out.
    """
    side = crop.shape[0]
    head = torch.from_numpy(solid.share(*HEAD, "clothes"))[None, None].float()
    guide = torch.from_numpy(crop.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    mask = (guided_enlarge(head, guide)[0, 0].numpy() * 1.5 - 0.5).clip(0, 1)
    level = cv2.resize(change.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    base = cv2.GaussianBlur(crop.max(axis=-1).astype(np.float32) / 255, (0, 0), side / 100)
    factor = np.where(level > 0, 1 + (np.exp(level) - 1) * (1 - base**2), np.exp(level))
    result: np.ndarray = 1 + (factor - 1) * mask
    return result


def _inner(solid: Solid) -> np.ndarray:
    """1 well inside the face's outline, 0 from there on, `[G, G]`."""
    side = solid.likely.shape[-1]
    outline = solid.mesh[list(OVAL), :2]
    middle = outline.mean(axis=0)
    points = np.round((middle + (outline - middle) * 0.85) * side * 16 - 8).astype(np.int32)
    mask = np.zeros((side, side), np.float32)
    cv2.fillPoly(mask, [points], 1.0, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(mask, (0, 0), side * 0.03)


def _softly(solid: Solid) -> np.ndarray:
    """1 on the head, fading over clothes and to the square's border."""
    side = solid.likely.shape[-1]
    head = solid.share(*HEAD).astype(np.float32)
    wide = cv2.GaussianBlur(head, (0, 0), side * 0.05) * 1.6
    edge = np.abs(cells(side) - 0.5).max(axis=-1)
    return np.clip(np.maximum(head, np.clip(wide, 0, 1)), 0, 1) * np.clip((0.5 - edge) / 0.08, 0, 1)


def _shadow(depth: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """How far each cell lies in the head's own shadow, `[G, G]` in [0, 1]."""
    side, here = depth.shape[0], cells(depth.shape[0])
    reach = 0.3 / max(float(np.hypot(*towards[:2])), 0.3)
    worst = np.zeros_like(depth)
    for step in np.linspace(0.02, reach, MARCH):
        spots = ((here + step * towards[:2]) * side - 0.5).astype(np.float32)
        there = cv2.remap(
            depth, spots[..., 0], spots[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
        )
        worst = np.maximum(worst, there - depth - step * towards[2])
    shadow = np.clip((worst - BIAS) / SOFT, 0, 1)
    return cv2.GaussianBlur(shadow * shadow * (3 - 2 * shadow), (0, 0), 2.0)
