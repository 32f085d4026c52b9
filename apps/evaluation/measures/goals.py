"""What an edit is asked for, and how the judge's reading says that it is there.

The prompts cover expression, age, sex, hair, beard, glasses, skin and make-up; half of them use
words that no training caption has (`recipes.render.words.heldout`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multimodal.recognition.judge import JudgeConfig, Reading

THRESHOLD = 0.5
"""Probability from which an attribute counts as there."""

SURE, LOST = 0.6, 0.4
"""An unrelated attribute flips when its class falls from `SURE` or more to below `LOST`."""

WATCHED = (
    *("sex", "age", "hair_color", "hair_length", "beard", "glasses", "expression"),
    *("skin", "lipstick", "freckles", "weight", "hat"),
)
"""Attributes watched for unwanted change; each stands for its near doubles (bald, make-up)."""

RELATED: dict[str, tuple[str, ...]] = {
    "age": ("hair_color", "hair_length", "beard", "freckles", "weight"),
    "sex": ("beard", "hair_length", "lipstick", "weight"),
    "hair_style": ("hair_length", "hair_color", "hat"),
    "bald": ("hair_length", "hair_color", "hat"),
    "hair_length": ("hair_color", "hat"),
    "hair_color": ("age",),
    "beard": ("sex", "age"),
    "lipstick": ("sex",),
    "makeup": ("sex", "lipstick"),
    "skin": ("hair_color", "freckles"),
}
"""What may change with an attribute: nature or custom goes that way (old hair is gray)."""


@dataclass(frozen=True)
class Goal:
    """Classes of one attribute, any of which fulfils the wish.

    Args:
        attribute: a name of the judge's.
        classes: some of its classes.
    """

    attribute: str
    classes: tuple[str, ...]

    def share(self, config: JudgeConfig, reading: Reading, row: int = 0) -> float:
        """Probability of the goal in a reading, 0..1."""
        values = reading[self.attribute][row]
        return float(sum(values[config.index(self.attribute, c)] for c in self.classes))


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Args:
        text: in words.
        goals: any of them fulfils it; none: nothing about the face is asked for.
        needs: what a face must be for the wish to make sense there.
        heldout: worded as no training caption is.
    """

    text: str
    goals: tuple[Goal, ...]
    needs: tuple[Goal, ...] = ()
    heldout: bool = False

    @property
    def related(self) -> frozenset[str]:
        """Attributes that may change with it."""
        own = {goal.attribute for goal in self.goals}
        return frozenset(own.union(*(RELATED.get(name, ()) for name in own)))

    def share(self, config: JudgeConfig, reading: Reading, row: int = 0) -> float:
        """Probability of the likeliest goal, 0..1; 0 without goals."""
        return max((goal.share(config, reading, row) for goal in self.goals), default=0.0)

    def fulfilled(self, config: JudgeConfig, reading: Reading, row: int = 0) -> bool:
        """Does the judge see it?"""
        return self.share(config, reading, row) >= THRESHOLD

    def applies(self, config: JudgeConfig, before: Reading, row: int = 0) -> bool:
        """Is it not there yet, on a face for which it makes sense?"""
        fits = all(need.share(config, before, row) >= THRESHOLD for need in self.needs)
        return fits and not self.fulfilled(config, before, row)


def flipped(
    config: JudgeConfig, before: Reading, after: Reading, related: Sequence[str] | frozenset[str]
) -> list[str]:
    """Watched attributes (first row of the readings) that changed though nobody asked."""
    out = []
    for name in WATCHED:
        if name in related or name not in config.classes:
            continue
        first = before[name][0]
        top = int(first.argmax())
        if float(first[top]) >= SURE and float(after[name][0][top]) < LOST:
            out.append(name)
    return out


def _wish(
    text: str, attribute: str, *classes: str, held: bool = False, needs: tuple[Goal, ...] = ()
) -> Wish:
    return Wish(text, (Goal(attribute, classes),), needs, held)


_MAN = (Goal("sex", ("male",)), Goal("age", ("young", "middle", "old")))
_WOMAN = (Goal("sex", ("female",)),)
_HAIR = (Goal("bald", ("no",)),)

PROMPTS: tuple[Wish, ...] = (
    _wish("a smiling person", "expression", "smile", "laugh"),
    _wish("a grinning person", "expression", "smile", "laugh", held=True),
    _wish("an angry person", "expression", "angry"),
    _wish("a surprised person", "expression", "surprised", "afraid", "mouth_open"),
    _wish("a glum person", "expression", "sad", "crying", held=True),
    _wish("a person with shut eyelids", "expression", "eyes_closed", held=True),
    _wish("an old person", "age", "old"),
    _wish("a youngster", "age", "child", held=True),
    _wish("a woman", "sex", "female"),
    _wish("a bloke", "sex", "male", held=True),
    _wish("a person with blond hair", "hair_color", "blond", "white", needs=_HAIR),
    _wish("a person with copper hair", "hair_color", "red", held=True, needs=_HAIR),
    _wish("a person with raven hair", "hair_color", "black", held=True, needs=_HAIR),
    _wish("a bald person", "bald", "yes"),
    _wish("a person with long hair", "hair_length", "long", needs=_HAIR),
    _wish("a man with a full beard", "beard", "full", needs=_MAN),
    _wish("a smooth-shaven man", "beard", "none", held=True, needs=_MAN),
    _wish("a person wearing glasses", "glasses", "clear", "sunglasses"),
    _wish("a person wearing shades", "glasses", "sunglasses", held=True),
    _wish("a person with dark skin", "skin", "dark"),
    _wish("a woman wearing lipstick", "lipstick", "yes", needs=_WOMAN),
    _wish("a plump person", "weight", "heavy", held=True),
)
"""The prompts that text edits are measured by."""

PAIRS: tuple[tuple[str, str], ...] = (
    ("a smiling person", "a person with blond hair"),
    ("an old person", "a person wearing glasses"),
    ("a woman", "an angry person"),
)
"""Edits that are made one after the other, in both orders."""

SPACE_PROMPTS: tuple[str, ...] = (
    *("a smiling person", "an angry person", "an old person", "a woman"),
    *("a person with blond hair", "a person wearing glasses"),
)
"""Edits that show how well a code can be edited."""


def _heard(text: str, *goals: tuple[str, str]) -> Wish:
    return Wish(text, tuple(Goal(name, tuple(value.split())) for name, value in goals))


SOUNDS: Mapping[str, Wish] = {
    "laugh": _heard("a laughing person", ("expression", "smile laugh")),
    "giggle": _heard("a laughing person", ("expression", "smile laugh")),
    "baby": _heard("a crying baby", ("age", "child"), ("expression", "crying sad")),
    "scream": _heard(
        "a screaming frightened person", ("expression", "afraid surprised mouth_open angry")
    ),
    "cheer": _heard("a cheering happy person", ("expression", "smile laugh mouth_open")),
    "moan": _heard(
        "a person groaning in pain", ("expression", "sad crying tired disgusted mouth_open afraid")
    ),
    "sob": _heard("a crying person", ("expression", "crying sad")),
    "cry": _heard("a crying person", ("expression", "crying sad")),
    "yawn": _heard("a yawning tired person", ("expression", "tired mouth_open eyes_closed")),
    "snor": _heard("a sleeping person", ("expression", "tired eyes_closed mouth_open")),
    "cough": _heard("a coughing person", ("expression", "mouth_open tired disgusted")),
    "sneez": _heard("a sneezing person", ("expression", "mouth_open eyes_closed disgusted")),
    "angry": _heard("an angry person", ("expression", "angry")),
    "sad": _heard("a sad person", ("expression", "sad crying")),
    "happy": _heard("a happy person", ("expression", "smile laugh")),
    "child": _heard("a child", ("age", "child")),
    "woman": _heard("a woman", ("sex", "female")),
    "man": _heard("a man", ("sex", "male")),
    "dog": _heard("a dog barking"),
    "bird": _heard("birds singing"),
    "piano": _heard("piano music"),
}
"""What a sound means, by how a word of its file's name begins; the first that fits counts."""


def meaning_of(name: str) -> Wish | None:
    """What a sound file of that name asks for; None where the name says nothing we know."""
    words = re.findall(r"[a-z]+", name.lower())
    fitting = (w for part, w in SOUNDS.items() if any(word.startswith(part) for word in words))
    return next(fitting, None)


def prompt(text: str) -> Wish:
    """The prompt of that text among `PROMPTS`.

    Raises:
        ValueError: there is none.
    """
    for wish in PROMPTS:
        if wish.text == text:
            return wish
    raise ValueError(f"{text!r} is not one of the prompts")
