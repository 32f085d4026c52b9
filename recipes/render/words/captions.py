"""A caption grammar over the factors, class labels, and zero-shot prompts with held-out
wordings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recipes.render.factors import HAIR_LENGTH, SPLITS, Factors
from recipes.render.words.heldout import HELD_OUT_WORDINGS
from recipes.render.words.wordings import NEUTRAL_NOUNS, NOUNS, OPENINGS, WORDINGS

_STYLE_CLASS = {
    **{"bald": "bald", "balding": "balding", "buzz": "buzz", "afro": "afro", "braid": "braid"},
    **{"ponytail": "ponytail", "bob": "bob", "bob_fringe": "bob", "bob_wavy": "wavy"},
    **{"shoulder_wavy": "wavy", "long_wavy": "wavy"},
}
# Chance that a caption mentions the attribute when it has something to say.
_INTEREST = {
    **{"age": 0.45, "hair_color": 0.5, "hair_length": 0.3, "hair_style": 0.5, "beard": 0.5},
    **{"glasses": 0.6, "expression": 0.65, "lipstick": 0.5, "freckles": 0.5, "skin": 0.3},
    **{"weight": 0.35, "hat": 0.7, "makeup": 0.35, "turn": 0.2, "light": 0.1, "background": 0.15},
}
_RARE_NEGATIVES = {
    **{("glasses", "none"): 0.12, ("beard", "none"): 0.12, ("lipstick", "no"): 0.05},
    **{("freckles", "no"): 0.03, ("hat", "no"): 0.03, ("expression", "neutral"): 0.45},
    ("turn", "front"): 0.08,
}


@dataclass(frozen=True)
class Prompts:
    """Prompts of one class: wordings that training reads, and wordings it never does."""

    train: tuple[str, ...]
    heldout: tuple[str, ...]


def age_group(age: float) -> str:
    """child (to 12), teen (to 19), young (to 35), middle (to 59) or old."""
    for limit, name in ((13, "child"), (20, "teen"), (36, "young"), (60, "middle")):
        if age < limit:
            return name
    return "old"


def labels(factors: Factors) -> dict[str, str]:
    """The class of the head in each attribute that applies to it."""
    group = age_group(factors.age)
    out = {
        "sex": "male" if factors.sex > 0.5 else "female",
        "age": "young" if group == "teen" else group,
        "hair_length": HAIR_LENGTH[factors.hair_style],
        "beard": factors.beard_style,
        "glasses": {"none": "none", "sunglasses": "sunglasses"}.get(factors.glasses, "clear"),
        "expression": factors.expression,
        "lipstick": "yes" if factors.lipstick > 0.3 else "no",
        "freckles": "yes" if factors.freckles > 0.3 else "no",
        "skin": ("light", "medium", "dark")[int(np.digitize(factors.skin_tone, (0.36, 0.64)))],
        "hat": "yes" if factors.hat else "no",
    }
    if factors.hair_style != "bald" and not factors.hat:
        out["hair_color"] = factors.hair_color_name
    if factors.hair_style in _STYLE_CLASS and not factors.hat:
        out["hair_style"] = _STYLE_CLASS[factors.hair_style]
    if factors.weight < 0.22 or factors.weight > 0.78:
        out["weight"] = "thin" if factors.weight < 0.5 else "heavy"
    return out | _scene_labels(factors)


def caption(factors: Factors, rng: np.random.Generator, split: str = "train") -> str:
    """One caption of the head; ``heldout`` also uses wordings that training never reads."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; valid: {SPLITS}")
    known = labels(factors)
    names = _mentioned(known, factors, rng)
    words = {name: _word(name, known[name], rng, split) for name in names}
    before = [w for n, w in words.items() if n != "age" and " " not in w and rng.random() < 0.6]
    after = [_as_phrase(n, w) for n, w in words.items() if n != "age" and w not in before]
    subject = _subject(factors, known, words.get("age", ""), before, rng, split)
    rng.shuffle(after)
    text = " ".join([subject, _join(after, rng)]).strip()
    return str(rng.choice(OPENINGS)).format(text)


def captions(factors: Factors, n: int, seed: int, split: str = "train") -> list[str]:
    """``n`` captions of the head, the same for the same seed."""
    rng = np.random.default_rng([3, SPLITS.index(split), int(seed)])
    return [caption(factors, rng, split) for _ in range(n)]


def zero_shot_prompts() -> dict[str, dict[str, Prompts]]:
    """Prompts by attribute and class, to classify pictures by their nearest prompt."""
    out: dict[str, dict[str, Prompts]] = {}
    for name, classes in HELD_OUT_WORDINGS.items():
        out[name] = {}
        for value in WORDINGS[name]:
            train = tuple(as_prompt(name, w) for w in WORDINGS[name][value])
            held = tuple(as_prompt(name, w) for w in classes.get(value, ()))
            out[name][value] = Prompts(train, held)
    return out


def _scene_labels(factors: Factors) -> dict[str, str]:
    out = {}
    if max(factors.eye_shadow, factors.blush) > 0.3:
        out["makeup"] = "yes"
    if abs(factors.yaw) > 14:
        out["turn"] = "left" if factors.yaw < 0 else "right"
    elif abs(factors.yaw) < 5:
        out["turn"] = "front"
    if abs(factors.light_yaw) > 35:
        out["light"] = "left" if factors.light_yaw < 0 else "right"
    level = float(np.mean(factors.background_color))
    if factors.background == "outdoor":
        out["background"] = "outdoor"
    elif level < 0.28 or level > 0.7:
        out["background"] = "dark" if level < 0.5 else "bright"
    return out


def _mentioned(known: dict[str, str], factors: Factors, rng: np.random.Generator) -> list[str]:
    """Attributes to mention: a random subset, now and then a single one."""
    dark = known["glasses"] == "sunglasses"
    female_or_child = known["sex"] == "female" or factors.age < 18
    chosen = []
    for name, chance in _INTEREST.items():
        if name not in known:
            continue
        chance = _RARE_NEGATIVES.get((name, known[name]), chance)
        if name == "beard" and known[name] == "none" and female_or_child:
            chance = 0.0
        if dark and known[name] in ("eyes_closed", "yes") and name in ("expression", "makeup"):
            chance = 0.0
        if name in ("lipstick", "freckles") and known[name] == "no" and known["sex"] == "male":
            chance *= 0.3
        if rng.random() < chance:
            chosen.append(name)
    if "hair_style" in chosen and "hair_length" in chosen:
        chosen.remove("hair_length")
    if chosen and rng.random() < 0.3:
        chosen = [str(rng.choice(chosen))]
    order = rng.permutation(len(chosen))
    return [chosen[k] for k in order[:6]]


def _word(name: str, value: str, rng: np.random.Generator, split: str) -> str:
    options = WORDINGS[name][value]
    held = HELD_OUT_WORDINGS.get(name, {}).get(value, ())
    if split == "heldout" and held and rng.random() < 0.5:
        options = held
    return str(rng.choice(options))


def _subject(
    factors: Factors,
    known: dict[str, str],
    age: str,
    before: list[str],
    rng: np.random.Generator,
    split: str,
) -> str:
    """Article, adjectives and noun."""
    group = age_group(factors.age)
    if " " in age or age in ("child", "kid"):
        noun = age
        if noun not in ("child", "kid") and rng.random() < 0.3:
            noun = f"{known['sex']} {age}"
    elif rng.random() < 0.8:
        held = HELD_OUT_WORDINGS["sex"][known["sex"]]
        use_held = split == "heldout" and group != "child" and rng.random() < 0.3
        nouns = NOUNS[known["sex"], group]
        noun = str(rng.choice(held if use_held else nouns))
    else:
        noun = str(rng.choice(NEUTRAL_NOUNS))
    if age and noun != age and not noun.endswith(age) and age not in noun:
        before = [*before, age]
    words = " ".join([*before, noun])
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _as_phrase(name: str, words: str) -> str:
    if name in ("hair_color", "hair_length"):
        return f"with {words}"
    return words


def as_prompt(name: str, words: str) -> str:
    """A wording of an attribute's class as "a photo of ..."."""
    return f"a photo of {_whom(name, words)}"


def _whom(name: str, words: str) -> str:
    if words.startswith(("a ", "an ")):
        return f"a person with {words}" if name.startswith("hair") else words
    noun = name == "sex" or (name == "age" and words.split()[-1] in _AGE_NOUNS)
    if not noun and " " in words:
        return f"a person {_as_phrase(name, words)}"
    described = words if noun else f"{words} person"
    return f"{'an' if words[0] in 'aeiou' else 'a'} {described}"


_AGE_NOUNS = (
    "child",
    "kid",
    "person",
    "adult",
    "citizen",
    "pensioner",
    "youngster",
    "midlife",
    "forties",
)


def _join(phrases: list[str], rng: np.random.Generator) -> str:
    if not phrases:
        return ""
    if len(phrases) == 1:
        return phrases[0]
    comma = ", " if rng.random() < 0.5 else " "
    return comma.join(phrases[:-1]) + " and " + phrases[-1]
