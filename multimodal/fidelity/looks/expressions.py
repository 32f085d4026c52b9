"""Expressions that words name, led from what the photo's own face shows already.

Who smiles does not smile twice as wide when asked for a smile, and cannot look sad with a laugh on
the lips: that is taken off first.
"""

from __future__ import annotations

import numpy as np

from multimodal.fidelity.looks.prototypes import Looks, looks
from multimodal.fidelity.mesh import INNER_LIPS, OUTER_LIPS
from multimodal.fidelity.registration import fitted
from multimodal.fidelity.wishes import Wishes

NEUTRAL, SMILING, LAUGHING = -0.85, 0.95, 1.3
"""Smiles of the mouth as `smile_of` measures them: at rest, with teeth, laughing."""
LEAST = 0.55
"""How much of a smile is added at least to one that is there."""
TAKEN = {
    "expression: surprised": 0.5,
    "expression: afraid": 0.7,
    "expression: sad": 0.9,
    "expression: crying": 0.9,
    "expression: neutral": 1.0,
}
"""Share of the photo's own smile that an expression takes off."""
ADDED = {
    "expression: surprised": ("surprised", 1.0),
    "expression: afraid": ("surprised", 0.9),
    "expression: sad": ("sad", 1.0),
    "expression: crying": ("sad", 1.3),
    "expression: neutral": ("smile", 0.0),
}
"""Looks that words name, and how much of each."""
GOALS = {"expression: smile": SMILING, "expression: laugh": LAUGHING}
"""Smiles that words name."""
OPENED = {"expression: laugh": 0.4}
"""How far smiles open the mouth beside, in looks of surprise."""
SHUT = ("expression: sad", "expression: neutral")
"""Expressions with closed lips."""
FELT = (*GOALS, *ADDED)


def smile_of(mesh: np.ndarray) -> float:
    """How much a mouth smiles: its place along the look of a smile, by least squares.

    Args:
        mesh: of the face `[468, 2]`.
    """
    known = looks()
    lips = sorted({*OUTER_LIPS, *INNER_LIPS})
    laid = _laid(mesh)
    away, way = ((plane[lips] - plane[lips].mean(axis=0)) for plane in (laid - known.mesh, _way()))
    return float((away * way).sum() / (way * way).sum())


def felt(mesh: np.ndarray, wishes: Wishes) -> dict[str, float]:
    """Amounts of looks by their names, for expressions that words name; empty: they name none.

    Args:
        mesh: of the photo's face `[468, 2]`.
        wishes: what the words say.
    """
    found: dict[str, float] = {}
    asked = {sense: wishes.amount(sense) for sense in FELT}
    if not any(amount > 0 for amount in asked.values()):
        return found
    own = smile_of(mesh)
    for sense, amount in asked.items():
        if amount <= 0:
            continue
        if sense in GOALS:
            wanted = amount * max(GOALS[sense] - own, LEAST)
            found["surprised"] = found.get("surprised", 0.0) + amount * OPENED.get(sense, 0.0)
        else:
            wanted = -min(amount, 1.0) * TAKEN[sense] * max(own - NEUTRAL - 0.2, 0.0)
            name, much = ADDED[sense]
            found[name] = found.get(name, 0.0) + much * amount
        found["smile"] = found.get("smile", 0.0) + wanted
    return found


def shut(mesh: np.ndarray, shape: np.ndarray, wishes: Wishes) -> np.ndarray:
    """What closes a mouth that shall not show its teeth, beside a look's shape `[468, 2]`.

    Args:
        mesh: of the photo's face `[468, 2]`.
        shape: what the look moves, in the frame of the looks' mesh `[468, 2]`.
        wishes: what the words say.
    """
    much = min(max(wishes.amount(sense) for sense in SHUT), 1.0)
    moved = shape.copy()
    if much <= 0:
        return moved
    points = _laid(mesh) + shape
    rim = points[list(INNER_LIPS)]
    upper, lower = rim[:11], np.concatenate([rim[10:], rim[:1]])[::-1]
    across = points[:, 0]
    top, low = (np.interp(across, line[:, 0], line[:, 1]) for line in (upper, lower))
    gap = np.clip(low - top, 0, None) * ((across > rim[0, 0]) & (across < rim[10, 0]))
    depth = (points[:, 1] - low) / max(float(points[152, 1] - rim[15, 1]), 1e-3)
    share = np.where(depth > -0.02, 1 - 0.6 * np.clip(depth, 0, 1), 0.0)
    below = points[:, 1] > (top + low) / 2
    moved[:, 1] -= much * gap * share * below
    return moved


def _laid(mesh: np.ndarray) -> np.ndarray:
    """A mesh in the frame of the looks' mesh."""
    found: np.ndarray = _extended(mesh) @ fitted(mesh, looks().mesh)
    return found


def _extended(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, np.ones((len(points), 1))], axis=1)


def _way() -> np.ndarray:
    known: Looks = looks()
    return known.shapes[known.names.index("smile")]
