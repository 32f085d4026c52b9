"""Factors of a render as a plain vector: what the trainers learn to read off a face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recipes.render.factors import BEARD_STYLES, EXPRESSIONS, GLASSES, HAIR_LENGTH, HAIR_STYLES

_PLAIN = (
    *("sex", "african", "asian", "skin_tone", "weight", "beard_amount", "lipstick"),
    *("eye_shadow", "blush", "freckles", "wrinkles", "gaze_yaw", "gaze_pitch", "yaw", "pitch"),
    *("light_yaw", "light_pitch", "light_warmth", "light_strength", "ambient"),
    *("hair_volume", "hat"),
)
_SCALE = {"gaze_yaw": 25, "gaze_pitch": 15, "yaw": 25, "pitch": 12, "light_yaw": 60}
_SCALE |= {"light_pitch": 40}
_LENGTHS = ("none", "short", "medium", "long")
_AGES = {"child": (18.0, 4.0), "teen": (26.0, 14.0), "mature": (30.0, 55.0), "old": (50.0, 80.0)}
"""Ramps over age: 0 at the first year, 1 at the second; together they bend as faces do."""

NAMES: tuple[str, ...] = (
    *_PLAIN,
    "age",
    *(f"age_{n}" for n in _AGES),
    *(f"hair_{c}" for c in ("red", "green", "blue")),
    *(f"hair_length_{n}" for n in _LENGTHS),
    *(f"hair_style_{n}" for n in HAIR_STYLES),
    "bald",
    *(f"beard_{n}" for n in BEARD_STYLES[1:]),
    *(f"glasses_{n}" for n in GLASSES[1:]),
    *(f"glasses_{c}" for c in ("red", "green", "blue")),
    *(f"expression_{n}" for n in EXPRESSIONS[1:]),
)
"""Names of the vector's entries, in order."""

MIRRORED = tuple(NAMES.index(name) for name in ("yaw", "gaze_yaw", "light_yaw"))
"""Entries that change sign in the picture's mirror image."""


def attribute_vector(factors: Mapping[str, Any]) -> np.ndarray:
    """One render's factors as float32 `[len(NAMES)]`, every entry roughly in [-1, 1]."""
    age, style, worn = float(factors["age"]), factors["hair_style"], factors["glasses"]
    values = [float(factors[name]) / _SCALE.get(name, 1) for name in _PLAIN]
    values.append((age - 40) / 40)
    values.extend(float(np.clip((age - a) / (b - a), 0, 1)) for a, b in _AGES.values())
    values.extend(factors["hair_color"])
    values.extend(float(HAIR_LENGTH[style] == n) for n in _LENGTHS)
    values.extend(float(style == n) for n in HAIR_STYLES)
    values.append(float(style in ("bald", "balding")))
    values.extend(float(factors["beard_style"] == n) for n in BEARD_STYLES[1:])
    values.extend(float(worn == n) for n in GLASSES[1:])
    values.extend(c * (worn != "none") for c in factors["glasses_color"])
    strength = float(factors["expression_strength"])
    values.extend(strength * (factors["expression"] == n) for n in EXPRESSIONS[1:])
    return np.asarray(values, dtype=np.float32)


def attribute_matrix(rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Many renders' factors as float32 `[N, len(NAMES)]`."""
    return np.stack([attribute_vector(row) for row in rows])
