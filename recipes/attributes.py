"""Factors of a render as a plain vector: what the trainers learn to read off a face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recipes.render.factors import BEARD_STYLES, EXPRESSIONS, GLASSES, HAIR_LENGTH

_PLAIN = (
    *("sex", "african", "asian", "skin_tone", "weight", "beard_amount", "lipstick"),
    *("eye_shadow", "blush", "freckles", "wrinkles", "gaze_yaw", "gaze_pitch", "yaw", "pitch"),
    *("light_yaw", "light_pitch", "light_warmth", "hair_volume", "hat"),
)
_SCALE = {"gaze_yaw": 25, "gaze_pitch": 15, "yaw": 25, "pitch": 12, "light_yaw": 60}
_SCALE |= {"light_pitch": 40}
_LENGTHS = ("none", "short", "medium", "long")

NAMES: tuple[str, ...] = (
    *_PLAIN,
    "age",
    *(f"hair_{c}" for c in ("red", "green", "blue")),
    *(f"hair_length_{n}" for n in _LENGTHS),
    "bald",
    *(f"beard_{n}" for n in BEARD_STYLES[1:]),
    *(f"glasses_{n}" for n in GLASSES[1:]),
    *(f"expression_{n}" for n in EXPRESSIONS[1:]),
)
"""Names of the vector's entries, in order."""


def attribute_vector(factors: Mapping[str, Any]) -> np.ndarray:
    """One render's factors as float32 `[len(NAMES)]`, every entry roughly in [-1, 1]."""
    values = [float(factors[name]) / _SCALE.get(name, 1) for name in _PLAIN]
    values.append((float(factors["age"]) - 40) / 40)
    values.extend(factors["hair_color"])
    values.extend(float(HAIR_LENGTH[factors["hair_style"]] == n) for n in _LENGTHS)
    values.append(float(factors["hair_style"] in ("bald", "balding")))
    values.extend(float(factors["beard_style"] == n) for n in BEARD_STYLES[1:])
    values.extend(float(factors["glasses"] == n) for n in GLASSES[1:])
    strength = float(factors["expression_strength"])
    values.extend(strength * (factors["expression"] == n) for n in EXPRESSIONS[1:])
    return np.asarray(values, dtype=np.float32)


def attribute_matrix(rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Many renders' factors as float32 `[N, len(NAMES)]`."""
    return np.stack([attribute_vector(row) for row in rows])
