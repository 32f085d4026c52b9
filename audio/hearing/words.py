"""What sounds are called, and which of them a face makes: AudioSet's classes put into words."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_HERE = Path(__file__).parent
WORDS_FILE, CLASSES_FILE = _HERE / "words.toml", _HERE / "audioset.txt"


@dataclass(frozen=True)
class Word:
    """One kind of thing that can be heard.

    Args:
        name: what is said to have been heard.
        sounds: AudioSet's classes that are heard as this.
        face: the face that makes the sound, in words; None: no face does.
        voice: somebody speaks, in a mood that the sound's class does not tell.
    """

    name: str
    sounds: tuple[str, ...]
    face: str | None = None
    voice: bool = False


@lru_cache(maxsize=1)
def audioset_classes() -> tuple[str, ...]:
    """Display names of AudioSet's 521 classes that YAMNet knows, in its order."""
    return tuple(CLASSES_FILE.read_text(encoding="utf-8").splitlines())


@lru_cache(maxsize=1)
def all_words() -> tuple[Word, ...]:
    """The words of `words.toml`, then every other class under its own name.

    Raises:
        ValueError: the file names no class, an unknown one, or one twice.
    """
    listed = read_words(WORDS_FILE.read_text(encoding="utf-8"))
    taken = {sound for word in listed for sound in word.sounds}
    rest = (name for name in audioset_classes() if name not in taken)
    return (*listed, *(Word(name.lower(), (name,)) for name in rest))


def read_words(text: str) -> tuple[Word, ...]:
    """Parse the form of `words.toml`.

    Raises:
        ValueError: see `all_words`.
    """
    words = tuple(
        Word(raw["name"], tuple(raw["sounds"]), raw.get("face"), raw.get("voice", False))
        for raw in tomllib.loads(text)["words"]
    )
    sounds = [sound for word in words for sound in word.sounds]
    unknown = sorted(set(sounds) - set(audioset_classes()))
    twice = sorted({sound for sound in sounds if sounds.count(sound) > 1})
    empty = [word.name for word in words if not word.sounds]
    if unknown or twice or empty:
        raise ValueError(f"words: unknown {unknown}, twice {twice}, without sounds {empty}")
    return words
