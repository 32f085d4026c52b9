"""A second head for every head: the same person in the same picture, with some factors redrawn.

Pairs show a trainer what an edit is: only what was redrawn differs, by a known amount.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recipes.render.factors import Factors, is_held_out, sample_factors

GROUPS: dict[str, tuple[str, ...]] = {
    "sex": ("sex",),
    "age": ("age", "wrinkles"),
    "skin": ("african", "asian", "caucasian", "skin_tone", "freckles"),
    "weight": ("weight",),
    "hair style": ("hair_style", "hair_volume"),
    "hair colour": ("hair_color", "hair_color_name"),
    "beard": ("beard_style", "beard_amount"),
    "glasses": ("glasses", "glasses_color"),
    "make-up": ("lipstick", "lipstick_color", "eye_shadow", "eye_shadow_color", "blush"),
    "expression": ("expression", "expression_strength"),
    "pose": ("yaw", "pitch", "gaze_yaw", "gaze_pitch"),
    "light": ("light_yaw", "light_pitch", "light_warmth", "light_strength", "ambient"),
}
"""What is redrawn together, as fields of `Factors`."""

_CHANCE = {"expression": 0.5, "age": 0.3, "sex": 0.25, "pose": 0.12, "light": 0.12, "weight": 0.12}
_DONOR = 1_000_000_007


def redrawn(factors: Factors, split: str = "train") -> Factors:
    """The head with one or more groups taken from another head; the same for the same head.

    Beards go where the new head is a woman or a child, as everywhere in the renderer.
    """
    rng = np.random.default_rng([factors.seed, 77])
    for attempt in range(100):
        donor = sample_factors(factors.seed + _DONOR + attempt, split)
        chosen = [g for g in GROUPS if rng.random() < _CHANCE.get(g, 0.2)]
        chosen = chosen or [str(rng.choice(list(GROUPS)))]
        changed = _natural(_taken(factors, donor, chosen))
        if changed != factors and (split == "heldout" or not is_held_out(changed)):
            return changed
    return factors


def _taken(factors: Factors, donor: Factors, groups: list[str]) -> Factors:
    names = [name for group in groups for name in GROUPS[group]]
    return replace(factors, **{name: getattr(donor, name) for name in names})


def _natural(factors: Factors) -> Factors:
    if factors.sex <= 0.5 or factors.age < 18:
        return replace(factors, beard_style="none", beard_amount=0.0)
    return factors
