"""Expressions as weighted facial units, a few units each, strong enough that a stranger names them."""

from __future__ import annotations

from recipes.render.factors import EXPRESSIONS

# Weights at full strength; "*" stands for both left and right.
_UNITS: dict[str, dict[str, float]] = {
    "neutral": {},
    "smile": {"mouth-corner-puller": 1.0, "eye-*-slit": 0.35},
    "laugh": {"mouth-corner-puller": 1.0, "mouth-open": 0.5, "eye-*-slit": 0.7},
    "sad": {"mouth-depression": 1.0, "eyebrows-*-inner-up": 1.0, "eye-*-slit": 0.3},
    "crying": {"mouth-depression": 1.0, "eyebrows-*-inner-up": 1.0, "eye-*-closure": 0.6},
    "angry": {"eyebrows-*-down": 1.0, "mouth-compression": 1.0, "nose-*-dilatation": 0.8},
    "surprised": {"eyebrows-*-up": 1.0, "eye-*-opened-up": 1.0, "mouth-open": 0.8},
    "afraid": {"eyebrows-*-inner-up": 1.0, "eye-*-opened-up": 1.0, "mouth-retraction": 0.8},
    "disgusted": {"nose-*-elevation": 1.0, "mouth-elevation": 0.8, "eye-*-slit": 0.6},
    "eyes_closed": {"eye-*-closure": 1.0},
    "mouth_open": {"mouth-open": 0.9},
    "tired": {"eye-*-closure": 0.5, "mouth-open": 0.6},
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
