"""What an edit does with sounds: those that a face makes drive it, the others are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

INSISTED = 1.0
"""Strength above which a sound that no face makes is followed by its name all the same."""


class HeardSound(Protocol):
    """What was heard in a sound."""

    @property
    def has_face(self) -> bool:
        """Does a face make it?"""
        ...

    @property
    def summary(self) -> str:
        """One line for people."""
        ...


@runtime_checkable
class Listener(Protocol):
    """A sound encoder that can say what it hears."""

    def heard(self, sound: Any) -> HeardSound | None:
        """What was heard; None where it cannot be put into words."""
        ...


@dataclass(frozen=True)
class Followed:
    """The sounds of an edit.

    Args:
        sounds: those that are followed.
        notes: what was heard, a line each.
        still: nothing is left that a face could follow: it stays as it is.
    """

    sounds: tuple[Any, ...]
    notes: tuple[str, ...] = ()
    still: bool = False


def follow(ears: object, text: str | None, sound: Any, strength: float) -> Followed:
    """Which sounds an edit follows.

    A sound that no face makes is left out where there are words, which say what is meant, or
    another sound that a face makes; alone it is followed at strengths above 1 only.

    Args:
        ears: the model's sound encoder; one that cannot say what it hears follows every sound.
        text: the words beside, or None.
        sound: a sound, a list of them, or None.
        strength: of the edit.
    """
    sounds = tuple(sounds_of(sound))
    if not sounds or not isinstance(ears, Listener):
        return Followed(sounds)
    heard = [ears.heard(one) for one in sounds]
    made = [h is None or h.has_face for h in heard]
    notes = tuple(h.summary for h in heard if h is not None)
    kept = tuple(one for one, has in zip(sounds, made, strict=True) if has)
    if kept or text is not None:
        return Followed(kept, notes)
    if abs(strength) > INSISTED:
        return Followed(sounds, notes)
    return Followed((), notes, still=True)


def sounds_of(sound: Any) -> Sequence[Any]:
    """Sounds as a sequence: none, one, or several. A pair that begins with a rate is one."""
    if sound is None:
        return ()
    pair = isinstance(sound, tuple) and len(sound) == 2 and isinstance(sound[0], int | np.integer)
    return sound if isinstance(sound, list | tuple) and not pair else (sound,)
