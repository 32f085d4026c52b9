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
LEAST = 0.3
"""How much of a smile is added at least to one that is there."""
TAKEN = {"expression: surprised": 0.5, "expression: sad": 0.9, "expression: crying": 0.9}
"""Share of the photo's own smile that an expression takes off."""
ADDED = {
    "expression: surprised": ("surprised", 1.0),
    "expression: sad": ("sad", 1.0),
    "expression: crying": ("sad", 1.3),
}
"""Looks that words name, and how much of each."""
GOALS = {"expression: smile": SMILING, "expression: laugh": LAUGHING}
"""Smiles that words name."""
FELT = (*GOALS, *ADDED)


def smile_of(mesh: np.ndarray) -> float:
    """How much a mouth smiles: its place along the look of a smile, by least squares.

    Args:
        mesh: of the face `[468, 2]`.
    """
    known = looks()
    lips = sorted({*OUTER_LIPS, *INNER_LIPS})
    laid = np.concatenate([mesh, np.ones((len(mesh), 1))], axis=1) @ fitted(mesh, known.mesh)
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
        else:
            wanted = -min(amount, 1.0) * TAKEN[sense] * max(own - NEUTRAL - 0.2, 0.0)
            name, much = ADDED[sense]
            found[name] = found.get(name, 0.0) + much * amount
        found["smile"] = found.get("smile", 0.0) + wanted
    return found


def _way() -> np.ndarray:
    known: Looks = looks()
    return known.shapes[known.names.index("smile")]
