"""Which hair fits a head: that of a face seen from the same side, of like outline and texture."""

from __future__ import annotations

import numpy as np

from multimodal.fidelity.hairstyles.asking import Wanted
from multimodal.fidelity.hairstyles.heads import Head
from multimodal.fidelity.hairstyles.library import Style, styles
from multimodal.fidelity.mesh import EYES, OVAL

FIXED = tuple(dict.fromkeys((*OVAL, *(point for eye in EYES for point in eye), 1, 4, 6, 168)))
"""Points of a mesh that no expression moves far."""
POSE, CURL, LIGHT, TONE = 20.0, 0.7, 0.3, 0.15
"""What unlike poses, textures, lights and shades cost."""
WORST = 0.085
"""Mean distance of two faces' points, in widths of the face, from which hair does not fit."""


def fitting(head: Head, wanted: Wanted, liked: str | None = None) -> list[Style]:
    """The styles that fit a head, the best first.

    Args:
        head: who shall wear one.
        wanted: the hair that will do.
        liked: the style that comes first if it fits at all.
    """
    low, high = wanted.curl
    costs = []
    for style in styles():
        if style.kind not in wanted.kinds or not low <= style.curl <= high:
            continue
        away = unlike(head.mesh, style.mesh)
        if away > WORST:
            continue
        cost = POSE * away + CURL * (style.curl - head.curl) ** 2
        cost += LIGHT * abs(style.light - head.light)
        cost += TONE * max(float(head.tones.mean()) - float(style.tones.mean()), 0.0)
        costs.append((style.known != liked, cost, style))
    return [style for *_, style in sorted(costs, key=lambda one: one[:2])]


def similar(points: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """The turn, size and shift `[3, 2]` that bring points `[N, 2]` nearest to others."""
    middles = points.mean(axis=0), onto.mean(axis=0)
    one, two = ((p - m) @ (1, 1j) for p, m in zip((points, onto), middles, strict=True))
    turn = (np.conj(one) @ two) / (np.conj(one) @ one)
    rows = np.array([[turn.real, turn.imag], [-turn.imag, turn.real]])
    return np.concatenate([rows, (middles[1] - middles[0] @ rows)[None]])


def unlike(mesh: np.ndarray, other: np.ndarray) -> float:
    """How far two faces are from being one, turned and sized, in widths of the second."""
    one, two = mesh[list(FIXED)], other[list(FIXED)]
    rows = similar(one, two)
    away = one @ rows[:2] + rows[2] - two
    wide = float(np.linalg.norm(other[356] - other[127]))
    return float(np.sqrt(np.square(away).sum(axis=1).mean())) / wide
