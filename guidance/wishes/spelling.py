"""Typing errors of one letter, and texts that are not English."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from guidance.wishes.ages import age_at
from guidance.wishes.normal import BREAK, bases, edits_of, stem
from guidance.wishes.vocabulary import Vocabulary

SHORTEST = 4
"""Letters from which a word may be a misspelt one; shorter ones are one letter from too many."""


def corrected(tokens: Sequence[str], words: Vocabulary) -> tuple[list[str], dict[str, str]]:
    """Tokens with typing errors mended, and what was taken for what."""
    changes: dict[str, str] = {}
    for token in tokens:
        if token not in changes and (meant := _meant(token, words)) is not None:
            changes[token] = meant
    return [changes.get(token, token) for token in tokens], changes


def _meant(token: str, words: Vocabulary) -> str | None:
    """The known word that a word is one letter from, or None where it is a word itself."""
    if token == BREAK or len(token) < SHORTEST or not token.isascii() or not token.isalpha():
        return None
    if is_known(token, words) or token in words.near or stem(token) in words.near:
        return None
    near = edits_of(token) & words.known
    if not near:
        return None
    return min(
        near, key=lambda word: (word[0] != token[0], word not in words.heads, -len(word), word)
    )


def is_known(token: str, words: Vocabulary) -> bool:
    """Does any table hold the word, or its stem?"""
    roots = [token, *bases(token), token.removesuffix("ish"), token.removesuffix("less")]
    if any(root in words.known for root in roots) or age_at([token, "years"]) is not None:
        return True
    return (stem(token),) in words.stems


def foreign(text: str, tokens: Sequence[str], words: Vocabulary) -> str | None:
    """Why a text cannot be read as English, or None."""
    letters = [sign for sign in text if sign.isalpha()]
    strange = [sign for sign in letters if not unicodedata.name(sign, "").startswith("LATIN")]
    if len(strange) * 2 > len(letters):
        return "only English is read"
    pictures = [sign for sign in text if unicodedata.category(sign) in ("So", "Sk")]
    if not letters:
        return "emoji are not read" if pictures else "it holds no words"
    small = [token for token in tokens if token in words.words["foreign"]]
    unknown = [t for t in tokens if t != BREAK and not is_known(t, words) and t not in small]
    alien = small and (unknown or len(small) == len(tokens))
    return "only English is read" if alien else None
