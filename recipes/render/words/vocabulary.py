"""The values that named factors take."""

from __future__ import annotations

SPLITS = ("train", "heldout")
IDENTITY_SIZE = 48
HAIR_STYLES = (
    "bald",
    "balding",
    "buzz",
    "crop",
    "short_neat",
    "short_swept",
    "short_spiky",
    "short_messy",
    "short_curls",
    "afro",
    "bob",
    "bob_fringe",
    "bob_wavy",
    "shoulder",
    "shoulder_wavy",
    "long",
    "long_wavy",
    "ponytail",
    "tied_back",
    "braid",
)
HAIR_LENGTH = {
    **dict.fromkeys(("bald",), "none"),
    **dict.fromkeys(
        ("balding", "buzz", "crop", "short_neat", "short_swept", "short_spiky", "short_messy"),
        "short",
    ),
    **dict.fromkeys(("short_curls", "tied_back"), "short"),
    **dict.fromkeys(("afro", "bob", "bob_fringe", "bob_wavy"), "medium"),
    **dict.fromkeys(
        ("shoulder", "shoulder_wavy", "long", "long_wavy", "ponytail", "braid"), "long"
    ),
}
# Anchor colours (linear blend by tint), each a dark-cool and a light-warm end, sRGB in [0, 1].
HAIR_COLORS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "black": ((0.03, 0.03, 0.04), (0.11, 0.08, 0.07)),
    "brown": ((0.17, 0.11, 0.08), (0.42, 0.27, 0.16)),
    "blond": ((0.52, 0.41, 0.27), (0.84, 0.72, 0.50)),
    "red": ((0.42, 0.13, 0.06), (0.76, 0.34, 0.13)),
    "gray": ((0.36, 0.36, 0.37), (0.60, 0.59, 0.58)),
    "white": ((0.80, 0.80, 0.81), (0.96, 0.95, 0.93)),
}
BEARD_STYLES = ("none", "stubble", "moustache", "goatee", "full")
GLASSES = ("none", "round", "square", "sunglasses")
EXPRESSIONS = (
    "neutral",
    "smile",
    "laugh",
    "sad",
    "crying",
    "angry",
    "surprised",
    "afraid",
    "disgusted",
    "eyes_closed",
    "mouth_open",
    "tired",
)
EYE_COLORS = ("brown", "dark brown", "amber", "green", "blue", "light blue", "blue-green", "gray")
BACKGROUNDS = ("plain", "gradient", "bokeh", "indoor", "outdoor")
