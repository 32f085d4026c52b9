"""From words to items: what each stretch of a text is, before what belongs together is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from guidance.wishes.ages import age_at
from guidance.wishes.normal import BREAK, bases, stem
from guidance.wishes.types import Color, Sense
from guidance.wishes.vocabulary import LONGEST, Head, Key, Vocabulary


@dataclass(frozen=True)
class Item:
    """A stretch of a text.

    Args:
        text: its words.
        kind: "sense", "color", "head", "age", "no", "off", "strength", "more", "less", "join",
            "stop", or "word" for what is not known.
        fresh: something new begins here ("a", "with").
        senses: classes it names.
        color: the colour it names.
        head: the part of a face it names, or that the phrase ends with.
        amount: a multiple, or years.
        compared: it is a comparative: "older".
        after: years that are added or taken away, not an age.
        part: the part of a face of which it is said, where that is not what it is a class of.
    """

    text: str
    kind: str
    fresh: bool = False
    senses: tuple[Sense, ...] = ()
    color: Color | None = None
    head: Head | None = None
    amount: float = 1.0
    compared: bool = False
    after: bool = False
    part: str = ""


@dataclass(frozen=True)
class _Token:
    text: str
    fresh: bool


def items_of(texts: Sequence[str], words: Vocabulary) -> list[Item]:
    """The items of a text's tokens, in order; words that say nothing are left out."""
    tokens = list(_without_articles(texts, words))
    out, at = [], 0
    while at < len(tokens):
        item, count = _item(tokens, at, words)
        if item is not None:
            out.append(item)
        at += count
    return out


def _without_articles(tokens: Sequence[str], words: Vocabulary) -> Iterator[_Token]:
    fresh = False
    for token in tokens:
        fresh = fresh or token in words.words["fresh"]
        if token in words.words["articles"]:
            continue
        yield _Token(token, fresh)
        fresh = token in words.words["fresh"]


def _item(tokens: Sequence[_Token], at: int, words: Vocabulary) -> tuple[Item | None, int]:
    """The item that begins at a token, and how many tokens it has; None for what says nothing."""
    token = tokens[at]
    if token.text == BREAK or token.text in words.words["stops"]:
        return Item(token.text, "stop"), 1
    texts = [t.text for t in tokens[at : at + LONGEST]]
    found = age_at(texts)
    if found is not None:
        said = " ".join(texts[: found.count])
        return Item(said, "age", token.fresh, amount=found.years, after=found.after), found.count
    for count in range(min(LONGEST, len(texts)), 0, -1):
        if count > 1 and BREAK in texts[:count]:
            continue
        item = _phrase(tuple(texts[:count]), token.fresh, words)
        if item is not None:
            return item, count
    return _single(token, words), 1


def _phrase(key: Key, fresh: bool, words: Vocabulary) -> Item | None:
    """The item of a whole phrase; the grammar's single words come before other meanings."""
    text = " ".join(key)
    if len(key) == 1 and (own := _grammar(key[0], fresh, words)) is not None:
        return own
    if key in words.strengths:
        return Item(text, "strength", fresh, amount=words.strengths[key])
    senses = words.phrases.get(key)
    color = words.colors.get(key)
    if senses is None and color is None and len(key) == 1 and key[0] not in words.words["fill"]:
        senses = words.stems.get((stem(key[0]),))
    elif senses is None and color is None and len(key) > 1:
        senses = words.stems.get(tuple(stem(token) for token in key))
    if senses is not None or color is not None:
        ends = [words.heads[token] for token in (key[-1], key[0]) if token in words.heads]
        head = ends[0] if ends else None
        return Item(text, "color" if color else "sense", fresh, senses or (), color, head)
    return None


def _grammar(token: str, fresh: bool, words: Vocabulary) -> Item | None:
    """An item of the grammar's own words, or a part of a face."""
    sets = {"no": "negators", "off": "after_negators", "join": "joins"}
    sets |= {"more": "more", "less": "less"}
    for kind, name in sets.items():
        if token in words.words[name]:
            return Item(token, kind, fresh)
    if token in words.heads:
        return Item(token, "head", fresh, head=words.heads[token])
    return None


def _single(token: _Token, words: Vocabulary) -> Item | None:
    """The item of a word that no phrase holds: a comparative, something said of a part, or a word
    that is not known."""
    text = token.text
    known = _compared(text, token.fresh, words)
    if known is not None:
        return known
    if text in words.words["fill"] or text.endswith("%") or text.isdigit():
        return None
    for ending in ("less", "free"):
        root = text.removesuffix(ending)
        if root != text and (senses := words.stems.get((stem(root),))):
            return Item(text, "sense", token.fresh, tuple(words.contrary.get(s, s) for s in senses))
    ish = text.removesuffix("ish")
    for root in (ish, ish[:-1], ish + "e"):
        if ish != text and (color := words.colors.get((root,))):
            return Item(text, "color", token.fresh, color=color)
    return Item(text, "word", token.fresh)


def _compared(text: str, fresh: bool, words: Vocabulary) -> Item | None:
    for base in bases(text):
        senses, color = words.phrases.get((base,)), words.colors.get((base,))
        said = any(base in head.said for head in words.heads.values())
        if senses or color or said:
            kind = "sense" if senses else "color" if color else "word"
            return Item(base, kind, fresh, senses or (), color, compared=True)
    return None
