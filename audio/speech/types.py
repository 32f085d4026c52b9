"""What recognisers of speech have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from audio.io import SoundSource

LONGEST_S = 15.0
"""Seconds of a spoken wish that are heard."""


@dataclass(frozen=True)
class Heard:
    """Words that were heard.

    Args:
        text: the likeliest words, or empty.
        doubt: the larger, the less likely it is that they were said; each recogniser's own measure.
    """

    text: str
    doubt: float


class SpeechReader(Protocol):
    """Something that reads speech."""

    most_doubt: float

    def read(self, sound: SoundSource) -> Heard:
        """The words that were said."""
        ...
