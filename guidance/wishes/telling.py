"""What was understood, in words for a person."""

from __future__ import annotations

from collections.abc import Sequence

from guidance.wishes.types import Understood, Wish
from guidance.wishes.vocabulary import Vocabulary

EXAMPLES = "'a bit older', 'red hair', 'no glasses', 'a smile'"

PARTS = {"eye_color": "eyes", "hair_dye": "hair"}


def named(wish: Wish, words: Vocabulary) -> str:
    """A wish as a person would say it: "a bit more: old", "not: afro"."""
    label = words.label(wish.sense)
    if wish.years is not None and wish.relative:
        return f"{abs(wish.years):g} years {'older' if wish.years > 0 else 'younger'}"
    if wish.years is not None:
        return f"{wish.years:g} years old"
    if wish.attribute in words.missing or wish.part:
        label = f"{wish.value} {wish.part or PARTS[wish.attribute]}"
    before = "not " if wish.negated else ""
    if wish.relative:
        before = "more: " if wish.strength >= words.step else "a bit more: "
    elif wish.strength <= words.step:
        before += "a bit: "
    return f"{before}{label}"


def told(understood: Understood, left: Sequence[Wish], words: Vocabulary) -> tuple[str, ...]:
    """Lines for a person: what was understood, what was taken for what, what nothing means.

    Args:
        understood: what was read.
        left: wishes that the model cannot do.
        words: names the classes.
    """
    done = [named(wish, words) for wish in understood.wishes if wish not in left]
    lines = [f"understood: {', '.join(done)}"] if done else []
    lines += understood.notes
    lines += [_cannot(wish, words) for wish in left]
    if understood.unknown:
        lines.append(_unknown(understood))
    return tuple(lines)


def refusal(understood: Understood, left: Sequence[Wish], text: str, words: Vocabulary) -> str:
    """Why a text changes nothing.

    Args:
        understood: what was read: nothing that the model can do.
        left: wishes that the model cannot do.
        text: as it was given.
        words: names the classes.
    """
    if left:
        return "; ".join(_cannot(wish, words) for wish in left)
    if understood.unknown and understood.notes and not understood.nearest:
        return f"nothing here means {_short(text)!r}: {understood.notes[0]}; say {EXAMPLES}"
    if understood.unknown:
        return _unknown(understood)
    return f"{_short(text)!r} asks for no change of a face; say {EXAMPLES}"


def _unknown(understood: Understood) -> str:
    parts = ", ".join(repr(_short(part)) for part in understood.unknown)
    if not understood.nearest:
        return f"nothing here means {parts}; say {EXAMPLES}"
    return f"nothing here means {parts}; nearest: {', '.join(understood.nearest[:3])}"


def _cannot(wish: Wish, words: Vocabulary) -> str:
    part = words.missing.get(wish.attribute, words.label(wish.sense))
    return f"this model cannot change {part} ({_short(wish.said)!r})"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
