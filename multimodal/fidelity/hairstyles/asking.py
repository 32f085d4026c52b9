"""Which hair words ask for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multimodal.fidelity.wishes import Wishes

FROM, WHOLLY = 0.4, 0.6
"""Amounts from which hair changes at all, and wholly: hair is not half there."""


@dataclass(frozen=True)
class Wanted:
    """Hair that words ask for.

    Args:
        kinds: of styles that will do.
        curl: least and most that it is curly, in [0, 1].
        sheds: it is shorter than long hair, which has to go.
        always: whoever wears such hair already gets other hair, too.
    """

    kinds: tuple[str, ...]
    curl: tuple[float, float] = (0.0, 1.0)
    sheds: bool = False
    always: bool = False


LONG, SHORT = Wanted(("long", "bob", "afro")), Wanted(("short",), sheds=True)
WANTED = {
    "hair_length: long": Wanted(("long",)),
    "hair_length: medium": Wanted(("bob", "afro"), sheds=True),
    "hair_length: short": SHORT,
    "hair_style: bob": Wanted(("bob",), sheds=True, always=True),
    "hair_style: wavy": Wanted(("long", "bob"), (0.4, 0.9), always=True),
    "hair_style: afro": Wanted(("afro",), always=True),
    "sex: female": LONG,
    "sex: male": SHORT,
}
"""Hair by what words mean, what names it before what does not."""
NAMING = ("hair_length", "hair_style", "hat")


def wanted_of(wishes: Wishes) -> tuple[Wanted | None, float]:
    """The hair that words ask for, or None, and how much of it, in [0, 1]."""
    named = any(wishes.strongest(attribute) is not None for attribute in NAMING)
    asked = {sense: wishes.amount(sense) for sense in WANTED}
    asked = {s: much for s, much in asked.items() if s.split(": ")[0] in NAMING or not named}
    sense = max(asked, key=lambda one: asked[one], default=None)
    if sense is None or wishes.amount("hair_style: bald") > 0:
        return None, 0.0
    much = float(np.clip((asked[sense] - FROM) / (WHOLLY - FROM), 0, 1))
    return (WANTED[sense], much) if much > 0 else (None, 0.0)
