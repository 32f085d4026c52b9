"""What a text is understood as."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

Color = tuple[float, float, float]
"""sRGB, each in [0, 1]."""

Sense = tuple[str, str]
"""An attribute of a face and one of its classes: ("hair_color", "red")."""


@dataclass(frozen=True)
class Wish:
    """One thing that is wished for.

    Args:
        attribute: of a face ("hair_color", "age", "expression" ...).
        value: the class of it that is wanted ("red", "old", "smile" ...).
        strength: how much of it, 1 for wholly; from 0 to 3.
        negated: the face should be less like it; only where no class is its opposite.
        relative: a change from what the face is ("older"), not a state ("old").
        color: the very colour, where one was named.
        years: the very age, or the change of it where `relative`.
        opposite: it is what it is because its opposite was turned down.
        said: the words it was read from.
        part: what of a face has it, where that is not what the attribute speaks of: a beard has a
            colour of hair.
    """

    attribute: str
    value: str
    strength: float = 1.0
    negated: bool = False
    relative: bool = False
    color: Color | None = None
    years: float | None = None
    opposite: bool = False
    said: str = ""
    part: str = ""

    @property
    def sense(self) -> Sense:
        """Attribute and class."""
        return self.attribute, self.value


@dataclass(frozen=True)
class Understood:
    """What a text says.

    Args:
        wishes: in the order they were said.
        unknown: parts that nothing here means.
        notes: what a person should know: a typing error taken for a word, a word taken by its
            meaning, part of a wish that cannot be followed.
        nearest: names of classes near what is unknown, the nearest first.
    """

    wishes: tuple[Wish, ...] = ()
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    nearest: tuple[str, ...] = field(default=())


class Meaning(Protocol):
    """Finds classes for words that the vocabulary lacks."""

    def __call__(self, phrase: str, attributes: tuple[str, ...]) -> list[tuple[Sense, float]]:
        """Classes of these attributes (of all, where none is named), the likeliest first, with how
        sure it is that each is meant and not nothing, in [0, 1]."""
        ...
