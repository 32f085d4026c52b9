"""What was heard, told: names with scores, and the words for a face that they became."""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = "nothing in it for a face"
SURE = 0.5
"""Share of what is heard from which a sound has a face in it."""


@dataclass(frozen=True)
class Heard:
    """What was heard in a sound, or in a moment of it.

    Args:
        sounds: names with their shares of what is heard, in [0, 1], the strongest first.
        words: the face that makes the sound: wordings with their shares, the strongest first; empty
            where no face does.
        face: share of what a face makes in all that is heard, in [0, 1].
    """

    sounds: tuple[tuple[str, float], ...]
    words: tuple[tuple[str, float], ...]
    face: float

    @property
    def has_face(self) -> bool:
        """Does a face make the sound?"""
        return self.face >= SURE

    @property
    def summary(self) -> str:
        """One line for people: "heard: a dog; nothing in it for a face"."""
        name = self.sounds[0][0] if self.sounds else "nothing"
        if not self.has_face or not self.words:
            return f"heard: {name}; {NOTHING}"
        return f"heard: {name}; taken as {self.words[0][0]!r}"
