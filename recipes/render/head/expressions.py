"""Expressions as weighted facial units, a few units each, strong enough that a stranger
names them.
"""

from __future__ import annotations

from recipes.render.factors import EXPRESSIONS

# Weights at full strength; "*" stands for both left and right.
_UNITS: dict[str, dict[str, float]] = {
    "neutral": {},
    "smile": {
        "mouth-corner-puller": 0.9,
        "mouth-upward-retraction": 0.4,
        "eye-*-slit": 0.25,
    },
    "laugh": {
        "mouth-upward-retraction": 0.8,
        "mouth-corner-puller": 0.4,
        "mouth-open": 0.36,
        "eye-*-slit": 0.6,
        "eyebrows-*-inner-up": 0.3,
    },
    "sad": {
        "mouth-depression": 0.95,
        "eyebrows-*-inner-up": 1.4,
        "eye-*-closure": 0.2,
    },
    "crying": {
        "mouth-depression": 0.7,
        "mouth-depression-retraction": 0.6,
        "eyebrows-*-inner-up": 1.3,
        "eye-*-slit": 0.7,
    },
    "angry": {
        "eyebrows-*-down": 1.6,
        "mouth-elevation": 0.45,
        "mouth-part-later": 0.35,
        "mouth-depression": 0.5,
        "nose-*-dilatation": 1.0,
        "nose-*-elevation": 0.6,
        "eye-*-slit": 0.25,
        "neck-platysma": 0.5,
    },
    "surprised": {
        "eyebrows-*-up": 1.1,
        "eyebrows-*-inner-up": 0.9,
        "eye-*-opened-up": 1.4,
        "mouth-open": 0.6,
    },
    "afraid": {
        "eyebrows-*-inner-up": 1.5,
        "eyebrows-*-up": 0.4,
        "eye-*-opened-up": 1.5,
        "mouth-depression-retraction": 1.0,
        "neck-platysma": 0.7,
    },
    "disgusted": {
        "nose-*-elevation": 1.5,
        "mouth-elevation": 1.1,
        "mouth-eversion": 0.5,
        "eyebrows-*-down": 0.6,
        "eye-*-slit": 0.7,
    },
    "eyes_closed": {"eye-*-closure": 1.0},
    "mouth_open": {"mouth-open": 0.68},
    "tired": {"eye-*-closure": 0.72, "mouth-open": 0.66, "eyebrows-*-inner-up": 0.6},
}


def expression_units(name: str, strength: float) -> dict[str, float]:
    """Weights of the facial units of expression ``name`` at ``strength`` in [0, 1]."""
    if name not in _UNITS:
        raise ValueError(f"unknown expression {name!r}; valid: {list(EXPRESSIONS)}")
    out: dict[str, float] = {}
    for unit, weight in _UNITS[name].items():
        for one in _both(unit):
            out[one] = weight * strength
    return out


def _both(unit: str) -> list[str]:
    if "*" not in unit:
        return [unit]
    return [unit.replace("*", "left"), unit.replace("*", "right")]
