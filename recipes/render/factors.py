"""The factors of a rendered face: plain named values that fix a picture, and their sampling."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from recipes.render.words.heldout import HELD_OUT_PAIRS, HELD_OUT_TINT
from recipes.render.words.vocabulary import (
    BACKGROUNDS,
    BEARD_STYLES,
    EXPRESSIONS,
    EYE_COLORS,
    GLASSES,
    HAIR_COLORS,
    HAIR_LENGTH,
    HAIR_STYLES,
    IDENTITY_SIZE,
    SPLITS,
)

__all__ = [
    "BACKGROUNDS",
    "BEARD_STYLES",
    "EXPRESSIONS",
    "EYE_COLORS",
    "GLASSES",
    "HAIR_COLORS",
    "HAIR_LENGTH",
    "HAIR_STYLES",
    "IDENTITY_SIZE",
    "SPLITS",
    "Factors",
    "hair_tint",
    "is_held_out",
    "sample_factors",
]


@dataclass(frozen=True)
class Factors:
    """Everything that fixes one picture. Angles in degrees, colours sRGB in [0, 1], amounts in [0,
    1].
    """

    seed: int = 0
    sex: float = 0.0  # 0 female .. 1 male
    age: float = 30.0  # years, 3 .. 85
    african: float = 0.0  # the three weights sum to 1
    asian: float = 0.0
    caucasian: float = 1.0
    skin_tone: float = 0.2  # 0 lightest .. 1 darkest
    weight: float = 0.5  # 0 thin .. 1 heavy
    identity: tuple[float, ...] = (0.0,) * IDENTITY_SIZE  # local shape weights, -1 .. 1
    hair_style: str = "short_neat"
    hair_color: tuple[float, float, float] = (0.25, 0.16, 0.1)
    hair_color_name: str = "brown"
    hair_volume: float = 0.5
    hair_mirror: bool = False  # the parting on the other side
    eyebrow: int = 0  # 0 .. 11
    eyelash: int = 0  # 0 .. 3
    beard_style: str = "none"
    beard_amount: float = 0.0
    glasses: str = "none"
    glasses_color: tuple[float, float, float] = (0.1, 0.1, 0.1)
    lipstick: float = 0.0
    lipstick_color: tuple[float, float, float] = (0.7, 0.12, 0.18)
    eye_shadow: float = 0.0
    eye_shadow_color: tuple[float, float, float] = (0.35, 0.25, 0.4)
    blush: float = 0.0
    freckles: float = 0.0
    wrinkles: float = 0.0
    expression: str = "neutral"
    expression_strength: float = 0.0
    gaze_yaw: float = 0.0  # + looks to the picture's right
    gaze_pitch: float = 0.0  # + looks up
    yaw: float = 0.0  # + turns to the picture's right
    pitch: float = 0.0  # + raises the chin
    eye_color: str = "brown"
    light_yaw: float = -30.0  # + comes from the picture's right
    light_pitch: float = 30.0  # + comes from above
    light_warmth: float = 0.0  # -1 cool .. 1 warm
    light_strength: float = 1.0
    ambient: float = 0.5
    background: str = "gradient"
    background_color: tuple[float, float, float] = (0.6, 0.62, 0.65)
    background_seed: int = 0
    clothes: int = 0  # index into assets.CLOTHES
    clothes_color: tuple[float, float, float] = (0.3, 0.35, 0.45)
    hat: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-ready values, tuples as lists."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Factors:
        """Build from ``to_dict``'s output; an unknown name is a ValueError."""
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"unknown factors {unknown}; valid: {sorted(known)}")
        plain: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**plain)


def hair_tint(name: str, lightness: float, warmth: float) -> tuple[float, float, float]:
    """Colour of a named hair at a tint: ``lightness`` and ``warmth`` in [0, 1], sRGB out."""
    if name not in HAIR_COLORS:
        raise ValueError(f"unknown hair colour {name!r}; valid: {sorted(HAIR_COLORS)}")
    dark, light = HAIR_COLORS[name]
    mixed = np.asarray(dark) * (1 - lightness) + np.asarray(light) * lightness
    shift = (warmth - 0.5) * 0.16
    rgb = np.clip(mixed * np.array([1 + shift, 1.0, 1 - 1.3 * shift]), 0, 1)
    return float(rgb[0]), float(rgb[1]), float(rgb[2])


def is_held_out(factors: Factors) -> bool:
    """Whether the head has one of the factor pairs kept out of training."""
    values = vars(factors)
    return any(values[a] == x and values[b] == y for a, x, b, y in HELD_OUT_PAIRS)


def sample_factors(seed: int, split: str = "train") -> Factors:
    """Draw the factors of head ``seed``; the splits never share a head.

    Each factor is drawn on its own, except where nature (or strong custom) forbids: no beards on
    women and
    children, gray hair mostly on the old, dark skin mostly with dark hair and eyes.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; valid: {SPLITS}")
    rng = np.random.default_rng([SPLITS.index(split), int(seed)])
    while True:
        factors = _draw(rng, seed, split)
        if split == "heldout" or not is_held_out(factors):
            return factors


def _draw(rng: np.random.Generator, seed: int, split: str) -> Factors:
    factors = replace(Factors(seed=int(seed)), **_draw_body(rng))
    factors = replace(factors, **_draw_hair(rng, factors, split))
    factors = replace(factors, **_draw_face_hair(rng, factors))
    factors = replace(factors, **_draw_make_up(rng, factors))
    factors = replace(factors, **_draw_expression(rng))
    return replace(factors, **_draw_scene(rng, factors))


def _uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def _normal(rng: np.random.Generator, sigma: float, limit: float) -> float:
    return float(np.clip(rng.normal(0.0, sigma), -limit, limit))


def _pick(rng: np.random.Generator, weights: dict[str, float]) -> str:
    p = np.array(list(weights.values()), dtype=float)
    return str(rng.choice(list(weights), p=p / p.sum()))


def _draw_age(rng: np.random.Generator) -> float:
    group = _pick(rng, {"child": 0.13, "teen": 0.1, "young": 0.27, "middle": 0.25, "old": 0.25})
    spans = {
        "child": (3, 12),
        "teen": (13, 19),
        "young": (20, 35),
        "middle": (36, 58),
        "old": (60, 85),
    }
    return _uniform(rng, *spans[group])


def _draw_body(rng: np.random.Generator) -> dict[str, Any]:
    sex = float(rng.beta(1, 9))
    sex = sex if rng.random() < 0.5 else 1.0 - sex
    ancestry = rng.dirichlet([0.35, 0.35, 0.45])
    expected = float(ancestry @ [0.82, 0.33, 0.2])
    tone = float(np.clip(0.8 * expected + 0.2 * rng.random() + rng.normal(0, 0.1), 0, 1))
    return {
        "sex": sex,
        "age": _draw_age(rng),
        "african": float(ancestry[0]),
        "asian": float(ancestry[1]),
        "caucasian": float(ancestry[2]),
        "skin_tone": tone,
        "weight": float(np.clip(rng.normal(0.5, 0.24), 0, 1)),
        "identity": tuple(float(x) for x in np.clip(rng.normal(0, 0.42, IDENTITY_SIZE), -1, 1)),
    }


def _hair_color_weights(f: Factors) -> dict[str, float]:
    gray = 1.0 / (1.0 + math.exp(-(f.age - 62) / 6))
    light = max(0.12, 1.0 - 1.3 * f.skin_tone - 0.4 * f.asian)
    weights = {
        "black": 0.2 + 0.5 * f.skin_tone,
        "brown": 0.32,
        "blond": 0.32 * light,
        "red": 0.24 * light,
    }
    weights = {k: v * (1 - 0.9 * gray) for k, v in weights.items()}
    return weights | {"gray": 0.02 + 0.5 * gray, "white": 0.01 + 0.4 * gray}


def _draw_tint(rng: np.random.Generator, split: str) -> tuple[float, float]:
    low, high = HELD_OUT_TINT
    if split == "heldout" and rng.random() < 0.5:
        return _uniform(rng, low, high), _uniform(rng, low, high)
    while True:
        tint = (_uniform(rng, 0, 1), _uniform(rng, 0, 1))
        if split == "heldout" or not all(low <= t <= high for t in tint):
            return tint


_FEMALE_HAIR = {
    **{
        "bald": 2,
        "buzz": 2,
        "crop": 3,
        "short_neat": 3,
        "short_swept": 4,
        "short_spiky": 3,
        "short_messy": 4,
    },
    **{"short_curls": 5, "afro": 6, "bob": 9, "bob_fringe": 6, "bob_wavy": 7, "shoulder": 9},
    **{"shoulder_wavy": 8, "long": 9, "long_wavy": 9, "ponytail": 8, "tied_back": 7, "braid": 7},
}
_MALE_HAIR = {
    **{
        "bald": 9,
        "balding": 7,
        "buzz": 8,
        "crop": 8,
        "short_neat": 12,
        "short_swept": 10,
        "short_spiky": 9,
    },
    **{"short_messy": 10, "short_curls": 7, "afro": 4, "bob": 2, "bob_fringe": 1, "bob_wavy": 2},
    **{
        "shoulder": 3,
        "shoulder_wavy": 3,
        "long": 3,
        "long_wavy": 3,
        "ponytail": 3,
        "tied_back": 2,
        "braid": 1,
    },
}


def _draw_hair(rng: np.random.Generator, f: Factors, split: str) -> dict[str, Any]:
    weights: dict[str, float] = dict(_MALE_HAIR if f.sex > 0.5 else _FEMALE_HAIR)
    if f.age < 30:
        weights.pop("balding", None)
    if f.age < 20:
        weights.pop("bald")
    name = _pick(
        rng,
        _hair_color_weights(f) if f.age > 15 else {**_hair_color_weights(f), "gray": 0, "white": 0},
    )
    return {
        "hair_style": _pick(rng, weights),
        "hair_color": hair_tint(name, *_draw_tint(rng, split)),
        "hair_color_name": name,
        "hair_volume": _uniform(rng, 0, 1),
        "hair_mirror": bool(rng.random() < 0.5),
        "eyebrow": int(rng.integers(12)),
        "eyelash": int(rng.integers(4)),
    }


def _draw_face_hair(rng: np.random.Generator, f: Factors) -> dict[str, Any]:
    style = "none"
    if f.sex > 0.5 and f.age >= 18:
        style = _pick(rng, {"none": 42, "stubble": 14, "moustache": 12, "goatee": 12, "full": 20})
    amount = 0.0 if style == "none" else _uniform(rng, 0.45, 1.0)
    return {"beard_style": style, "beard_amount": amount}


def _amount(rng: np.random.Generator, chance: float, low: float = 0.4) -> float:
    value = _uniform(rng, low, 1.0)
    return value if rng.random() < chance else 0.0


def _draw_make_up(rng: np.random.Generator, f: Factors) -> dict[str, Any]:
    chance = (0.4 if f.sex < 0.5 else 0.015) * (1.0 if f.age > 15 else 0.05)
    reds = (
        (0.72, 0.08, 0.14),
        (0.62, 0.1, 0.3),
        (0.5, 0.05, 0.1),
        (0.78, 0.3, 0.34),
        (0.85, 0.2, 0.2),
    )
    shades = (
        (0.3, 0.2, 0.4),
        (0.25, 0.3, 0.5),
        (0.35, 0.22, 0.18),
        (0.2, 0.35, 0.3),
        (0.15, 0.13, 0.15),
    )
    lined = float(np.clip((f.age - 34) / 42 + rng.normal(0, 0.1), 0, 1))
    return {
        "lipstick": _amount(rng, chance),
        "lipstick_color": reds[int(rng.integers(len(reds)))],
        "eye_shadow": _amount(rng, chance * 0.7),
        "eye_shadow_color": shades[int(rng.integers(len(shades)))],
        "blush": _amount(rng, chance * 0.6),
        "freckles": _amount(rng, 0.14 if f.skin_tone < 0.55 else 0.01),
        "wrinkles": lined,
    }


def _draw_expression(rng: np.random.Generator) -> dict[str, Any]:
    weights = dict.fromkeys(EXPRESSIONS, 6.5) | {"neutral": 20.0, "smile": 17.0, "laugh": 7.5}
    name = _pick(rng, weights)
    strength = 0.0 if name == "neutral" else _uniform(rng, 0.55, 1.0)
    return {"expression": name, "expression_strength": strength}


def _draw_scene(rng: np.random.Generator, f: Factors) -> dict[str, Any]:
    eyes = {"brown": 3.0, "dark brown": 3.0 + 4 * f.skin_tone, "amber": 1.0}
    light = max(0.05, 1.0 - 1.4 * f.skin_tone)
    eyes |= dict.fromkeys(("green", "blue", "light blue", "blue-green", "gray"), 1.2 * light)
    aside = rng.random() < 0.25
    frames = (
        (0.06, 0.06, 0.07),
        (0.25, 0.14, 0.08),
        (0.55, 0.55, 0.57),
        (0.6, 0.45, 0.2),
        (0.35, 0.08, 0.1),
    )
    value = _uniform(rng, 0.12, 0.9)
    tint = 1 + 0.16 * rng.normal(0, 1, 3).clip(-1.3, 1.3) * rng.random()
    cloth = _uniform(rng, 0.08, 0.9) * (
        1 + 0.5 * rng.normal(0, 1, 3).clip(-1.5, 1.5) * rng.random()
    )
    return {
        "glasses": _pick(rng, {"none": 70, "round": 11, "square": 12, "sunglasses": 7}),
        "glasses_color": frames[int(rng.integers(len(frames)))],
        "gaze_yaw": _uniform(rng, -25, 25) if aside else _normal(rng, 3, 8),
        "gaze_pitch": _uniform(rng, -12, 12) if aside else _normal(rng, 2, 5),
        "yaw": _normal(rng, 12, 35),
        "pitch": _normal(rng, 6, 15),
        "eye_color": _pick(rng, eyes),
        "light_yaw": _normal(rng, 32, 70),
        "light_pitch": _uniform(rng, 8, 50),
        "light_warmth": _normal(rng, 0.4, 1),
        "light_strength": _uniform(rng, 0.8, 1.2),
        "ambient": _uniform(rng, 0.35, 0.75),
        "background": _pick(
            rng, {"plain": 2, "gradient": 3, "bokeh": 3, "indoor": 2, "outdoor": 2}
        ),
        "background_color": tuple(float(c) for c in np.clip(value * tint, 0.03, 0.97)),
        "background_seed": int(rng.integers(2**31)),
        "clothes": int(rng.integers(12)),
        "clothes_color": tuple(float(c) for c in np.clip(cloth, 0.03, 0.95)),
        "hat": bool(rng.random() < 0.04),
    }
