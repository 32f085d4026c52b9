"""The classes that captions name, as factors of a face."""

from __future__ import annotations

from typing import Any

from recipes.render.factors import HAIR_COLORS, hair_tint

PARTS: dict[str, tuple[str, ...]] = {
    "sex": ("sex",),
    "age": ("age", "wrinkles"),
    "hair_color": ("hair_red", "hair_green", "hair_blue"),
    "hair": ("hair_length", "hair_style", "bald"),
    "beard": ("beard",),
    "glasses": ("glasses",),
    "expression": ("expression",),
    "lipstick": ("lipstick",),
    "freckles": ("freckles",),
    "skin": ("skin_tone",),
    "weight": ("weight",),
    "hat": ("hat",),
    "makeup": ("eye_shadow",),
    "turn": ("yaw",),
}
"""What a class speaks of: beginnings of factors' names."""


def _age(years: float) -> dict[str, Any]:
    return {"age": years, "wrinkles": min(1.0, max(0.0, (years - 34) / 42))}


def _hair(name: str) -> dict[str, Any]:
    return {"hair_color": hair_tint(name, 0.5, 0.5), "hair_color_name": name}


_LENGTHS = {"none": "bald", "short": "short_neat", "medium": "bob", "long": "long"}
_STYLES = ("bald", "balding", "buzz", "afro", "ponytail", "braid", "bob")
_FELT = (
    *("smile", "laugh", "sad", "crying", "angry", "surprised", "afraid", "disgusted"),
    *("eyes_closed", "mouth_open", "tired"),
)
_WORN = {"clear": "square", "sunglasses": "sunglasses", "none": "none"}

CLASSES: dict[tuple[str, str], tuple[tuple[str, ...], dict[str, Any]]] = {
    ("sex", "male"): (("sex",), {"sex": 0.97}),
    ("sex", "female"): (("sex", "beard"), {"sex": 0.03}),
    ("age", "child"): (("age", "beard"), _age(7)),
    ("age", "young"): (("age",), _age(22)),
    ("age", "middle"): (("age",), _age(50)),
    ("age", "old"): (("age",), _age(78)),
    **{("hair_color", n): (("hair_color",), _hair(n)) for n in HAIR_COLORS},
    **{("hair_length", n): (("hair",), {"hair_style": s}) for n, s in _LENGTHS.items()},
    **{("hair_style", n): (("hair",), {"hair_style": n}) for n in _STYLES},
    ("hair_style", "wavy"): (("hair",), {"hair_style": "shoulder_wavy"}),
    ("beard", "none"): (("beard",), {}),
    **{
        ("beard", n): (("beard",), {"beard_style": n, "beard_amount": 0.95})
        for n in ("stubble", "moustache", "goatee", "full")
    },
    **{("glasses", n): (("glasses",), {"glasses": worn}) for n, worn in _WORN.items()},
    ("expression", "neutral"): (("expression",), {}),
    **{
        ("expression", n): (("expression",), {"expression": n, "expression_strength": 1.0})
        for n in _FELT
    },
    ("lipstick", "yes"): (("lipstick",), {"lipstick": 1.0}),
    ("lipstick", "no"): (("lipstick",), {}),
    ("freckles", "yes"): (("freckles",), {"freckles": 1.0}),
    ("freckles", "no"): (("freckles",), {}),
    ("skin", "light"): (("skin",), {"skin_tone": 0.1}),
    ("skin", "medium"): (("skin",), {"skin_tone": 0.5}),
    ("skin", "dark"): (("skin",), {"skin_tone": 0.9}),
    ("weight", "thin"): (("weight",), {"weight": 0.08}),
    ("weight", "heavy"): (("weight",), {"weight": 0.92}),
    ("hat", "yes"): (("hat",), {"hat": True}),
    ("hat", "no"): (("hat",), {}),
    ("makeup", "yes"): (("makeup", "lipstick"), {"eye_shadow": 1.0, "lipstick": 0.8}),
    ("turn", "left"): (("turn",), {"yaw": -18.0}),
    ("turn", "right"): (("turn",), {"yaw": 18.0}),
    ("turn", "front"): (("turn",), {}),
}
"""Attribute and class to what it speaks of, and a face of that class."""
