"""Spoken wishes: a recording to words, and words to a wish or a command."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audio.io import SoundSource
    from audio.speech.types import SpeechReader
    from guidance.wishes.spoken import Spoken

EXAMPLES = "'make her smile', 'a little older', 'red hair', 'no glasses'"
NOTHING = f"no wish was understood in this recording; say one clearly, such as {EXAMPLES}"


@lru_cache(maxsize=1)
def speech_reader() -> SpeechReader:
    """The recogniser, loaded once.

    Raises:
        ValueError: it is not installed.
    """
    from audio.speech.sphinx import SphinxReader, sayable
    from guidance.wishes.spoken import common_sentences, sentences

    return SphinxReader(sentences(sayable), common_sentences(sayable))


def hear_wish(path: SoundSource, reader: SpeechReader | None = None) -> Spoken:
    """What somebody said: a wish, or "more", "less", "undo", "redo", "reset".

    Args:
        path: a recording.
        reader: reads speech; the program's own when None.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a sound, or nothing in it was understood.
    """
    from guidance.wishes.spoken import spoken

    reader = reader or speech_reader()
    heard = reader.read(path)
    found = spoken(heard.text)
    sure = bool(heard.text) and heard.doubt <= reader.most_doubt
    if not sure or not (found.command or (found.understood and found.understood.wishes)):
        raise ValueError(NOTHING)
    return found


def told_wish(found: Spoken) -> str:
    """What was understood, for a person, before anything is done."""
    from guidance.wishes.telling import told
    from guidance.wishes.vocabulary import load_vocabulary

    if found.understood is None:
        return f"heard {found.text!r}"
    return "; ".join((f"heard {found.text!r}", *told(found.understood, (), load_vocabulary())))


def wish_for_edit(path: Path) -> Spoken:
    """A spoken wish for a single edit.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a sound, nothing understood, or a command that needs an edit before it.
    """
    found = hear_wish(path)
    if found.command is not None:
        raise ValueError(
            f"heard {found.text!r}, which needs an edit made before: say a wish, such as {EXAMPLES}"
        )
    return found
