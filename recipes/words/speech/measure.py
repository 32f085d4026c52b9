"""How many spoken wishes are understood wholly: 40 sentences, three voices, and disturbed copies.

    python -m recipes.words.speech.measure

Needs Debian's `espeak-ng`. A sentence is understood wholly where what is heard asks for exactly
what the sentence asks for, strength included.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer

from apps.speech.wishes import hear_wish
from audio.io import RATE
from guidance.wishes.spoken import Spoken, spoken
from recipes.words.speech.aloud import Voice, disturbed, read_aloud

SENTENCES = (
    *("make her smile", "a little older", "red hair", "more", "less", "undo", "no glasses"),
    *("make him look angry", "give her long blond hair", "take off the glasses", "a bit younger"),
    *("much happier", "turn her into a man", "add freckles", "she should have a beard"),
    *("ten years older", "make his hair black", "a sad old man with a hat", "stop crying"),
    *("close her eyes", "open your mouth", "remove the beard", "give him a mustache", "bald"),
    *("a young woman with curly hair", "put on sunglasses", "make her look surprised"),
    *("without a hat", "a smile", "gray hair", "darker skin", "make him thinner", "red lipstick"),
    *("turn him into a child", "seventy years old", "a bit more", "start over", "less freckles"),
    *("make me look tired", "a happy old woman"),
)
VOICES = (Voice("en-us"), Voice("en-gb", pitch=40), Voice("en-us+f3", pitch=60))
COPIES = 2
"""Disturbed copies of every reading."""


@dataclass(frozen=True)
class Reading:
    """A sentence as it was read, and what was heard."""

    voice: str
    text: str
    heard: str
    right: bool


def asked(found: Spoken) -> tuple[object, ...]:
    """What a sentence asks for, to be compared."""
    wishes = () if found.understood is None else found.understood.wishes
    named = ((*w.sense, w.relative, w.negated, w.years, round(w.strength, 2)) for w in wishes)
    return found.command, round(found.factor, 2), *sorted(map(str, named))


def measured(
    hear: Callable[[tuple[int, np.ndarray]], Spoken], sentences: Sequence[str] = SENTENCES
) -> list[Reading]:
    """All readings, clean and disturbed."""
    draw, out = random.Random(7), []
    for voice in VOICES:
        for text in sentences:
            clean = read_aloud(text, voice)
            for samples in (clean, *(disturbed(clean, draw) for _ in range(COPIES))):
                try:
                    found = hear((RATE, samples))
                except ValueError:
                    found = Spoken("")
                right = asked(found) == asked(spoken(text))
                out.append(Reading(voice.name, text, found.text, right))
    return out


def main(
    wrong: Annotated[bool, typer.Option(help="say what was misheard")] = False,
) -> None:
    """Read aloud, hear, count."""
    found = measured(hear_wish)
    for voice in dict.fromkeys(one.voice for one in found):
        own = [one.right for one in found if one.voice == voice]
        typer.echo(f"{voice}: {sum(own) / len(own):.3f} of {len(own)}")
    typer.echo(f"all: {sum(one.right for one in found) / len(found):.3f} of {len(found)}")
    for one in found if wrong else ():
        if not one.right:
            typer.echo(f"{one.voice}: {one.text!r} heard as {one.heard!r}")


if __name__ == "__main__":
    typer.run(main)
