"""The words that the vocabulary knows, as a fit takes them."""

from __future__ import annotations

from collections.abc import Mapping

from guidance.wishes.types import Sense
from guidance.wishes.vocabulary import load_vocabulary, taught

Known = Mapping[str, set[Sense]]


def known_words(leave: frozenset[str] = frozenset()) -> dict[str, set[Sense]]:
    """Phrases and their classes, without those that a "no" turns down."""
    words = load_vocabulary()
    turned = words.words["negators"] | words.words["after_negators"] | {"any", "nothing"}
    out: dict[str, set[Sense]] = {}
    for sense, texts in taught(leave).items():
        for text in texts:
            if not turned & set(words.key(text)):
                out.setdefault(text, set()).add(sense)
    return out
