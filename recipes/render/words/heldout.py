"""What training never sees, listed in one place: factor pairs, hair tints and caption wordings.

The ``train`` split leaves these out; the ``heldout`` split may hold them. Evaluation on held-out
renders and
wordings therefore measures generalisation, not memory.
"""

from __future__ import annotations

# (field, value, other field, other value): no training head has both.
HELD_OUT_PAIRS: tuple[tuple[str, str, str, str], ...] = (
    ("hair_color_name", "red", "expression", "surprised"),
    ("hair_color_name", "blond", "glasses", "round"),
    ("hair_style", "afro", "expression", "laugh"),
    ("beard_style", "goatee", "expression", "sad"),
    ("hair_style", "bob", "glasses", "sunglasses"),
    ("beard_style", "full", "hair_color_name", "gray"),
    ("hair_style", "ponytail", "expression", "angry"),
)

# Hair tints vary on the unit square (lightness, warmth); training leaves out this inner square.
HELD_OUT_TINT: tuple[float, float] = (0.55, 0.8)

# Caption wordings that training never reads, by attribute and class.
HELD_OUT_WORDINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "sex": {"male": ("fellow", "bloke"), "female": ("lass", "dame")},
    "age": {
        "child": ("youngster",),
        "young": ("twenty-something",),
        "middle": ("person in midlife",),
        "old": ("senior citizen", "pensioner"),
    },
    "hair_color": {
        "black": ("raven hair",),
        "brown": ("brunette hair",),
        "blond": ("flaxen hair", "blonde locks"),
        "red": ("copper hair",),
        "gray": ("silvery hair",),
        "white": ("snowy hair",),
    },
    "hair_length": {
        "short": ("closely trimmed hair",),
        "medium": ("hair down to the jaw",),
        "long": ("lengthy hair",),
    },
    "hair_style": {
        "bald": ("shaven-headed", "lacking any hair"),
        "balding": ("with a receding hairline",),
        "buzz": ("with a military haircut",),
        "afro": ("with an afro hairdo",),
        "ponytail": ("with hair gathered at the back",),
        "braid": ("with a plaited hairdo",),
        "bob": ("with a bobbed hairdo",),
        "wavy": ("with undulating hair",),
    },
    "beard": {
        "none": ("beardless", "smooth-shaven"),
        "stubble": ("with five o'clock shadow",),
        "moustache": ("with a mustache",),
        "goatee": ("with a chin beard",),
        "full": ("with whiskers all over the jaw", "a bearded fellow"),
    },
    "glasses": {
        "none": ("not wearing spectacles",),
        "clear": ("wearing spectacles", "bespectacled"),
        "sunglasses": ("wearing shades",),
    },
    "expression": {
        "neutral": ("with an impassive face",),
        "smile": ("grinning", "beaming"),
        "laugh": ("cracking up",),
        "sad": ("glum", "downcast"),
        "crying": ("sobbing",),
        "angry": ("irate", "fuming"),
        "surprised": ("flabbergasted", "stunned"),
        "afraid": ("horrified",),
        "disgusted": ("revolted",),
        "eyes_closed": ("with shut eyelids",),
        "mouth_open": ("with a gaping mouth",),
        "tired": ("drowsy",),
    },
    "lipstick": {"yes": ("with painted lips",), "no": ("with bare lips",)},
    "freckles": {"yes": ("with a freckly face",), "no": ("with an even complexion",)},
    "skin": {
        "light": ("fair-skinned",),
        "medium": ("with an olive complexion",),
        "dark": ("with a deep complexion",),
    },
    "weight": {"thin": ("gaunt",), "heavy": ("plump",)},
    "hat": {"yes": ("wearing a trilby",), "no": ("bareheaded",)},
}
