"""Words as they are compared: small letters, no hyphens, no endings."""

from __future__ import annotations

import re
import string
import unicodedata
from functools import lru_cache

import snowballstemmer

BREAK = ","
"""What stands for any sign that parts a wish."""

_NOT = re.compile(r"\b(ca|wo|do|does|did|is|are|was|has|have|had|should|would|could)n ?'?t\b")
_OWNED = re.compile(r"'(?:s|re|ve|m|ll|d)\b")
_BREAKS = re.compile(r"[,;.!?&+()\[\]|\n]+|\s[-\u2013\u2014]\s")
_WORDS = re.compile(r",|[^\W_]+%?")
_STEMMER = snowballstemmer.stemmer("english")


def tokens_of(text: str) -> list[str]:
    """The words of a text in small letters, and `BREAK` where a sign parts them.

    "She isn't happy; red-haired" gives she, is, not, happy, `,`, red, haired.
    """
    plain = unicodedata.normalize("NFKC", text).lower()
    plain = plain.replace("\u2019", "'").replace("\u2018", "'").replace("`", "'")
    plain = _NOT.sub(lambda found: f"{_WHOLE.get(found[1], found[1])} not", plain)
    plain = _BREAKS.sub(f" {BREAK} ", _OWNED.sub("", plain))
    return _WORDS.findall(plain.replace("'", ""))


_WHOLE = {"ca": "can", "wo": "will"}


@lru_cache(maxsize=20000)
def stem(word: str) -> str:
    """A word without its endings (Porter 2001, Snowball's English stemmer): smiling and smiles are
    both smile."""
    return str(_STEMMER.stemWord(word))


def bases(word: str) -> list[str]:
    """What a comparative or superlative may be one of: "happier" gives happy, "thinner" thin."""
    for ending in ("est", "er"):
        root = word.removesuffix(ending)
        if root != word and len(root) >= 2:
            doubled = root[:-1] if len(root) > 2 and root[-1] == root[-2] else root
            weak = root[:-1] + "y" if root.endswith("i") else root + "e"
            return list(dict.fromkeys((root, doubled, weak)))
    return []


@lru_cache(maxsize=2000)
def edits_of(word: str) -> frozenset[str]:
    """All words one letter away: one left out, added, changed, or two swapped (Damerau 1964)."""
    cuts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    letters = string.ascii_lowercase
    found = {a + b[1:] for a, b in cuts if b}
    found |= {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    found |= {a + c + b[1:] for a, b in cuts if b for c in letters}
    found |= {a + c + b for a, b in cuts for c in letters}
    return frozenset(found - {word})
