"""Reads wishes: `read_wishes("an old bald man, no glasses")`.

A text is cut into items (`items`), colours and adjectives find what they speak of (`attach`), and a
walk over the items keeps account of what is turned down, compared, strengthened or weakened.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from guidance.wishes.attach import attached, attributes_of
from guidance.wishes.items import Item, items_of
from guidance.wishes.normal import tokens_of
from guidance.wishes.spelling import corrected, foreign
from guidance.wishes.types import Meaning, Sense, Understood, Wish
from guidance.wishes.vocabulary import Vocabulary, load_vocabulary

SURE = 0.5
"""How sure a meaning must be for a word that is not in the vocabulary."""

NAMED = 3
STRONGEST = 3.0
_WEIGHT = re.compile(r":\s*([+-]?\d+(?:\.\d+)?)\s*(?=,|$)")
_AGES = ((13, "child"), (36, "young"), (60, "middle"))


def read_wishes(
    text: str, words: Vocabulary | None = None, meaning: Meaning | None = None
) -> Understood:
    """What a text wishes for.

    Args:
        text: in English: "a bit younger, with red hair and no glasses". A weight may follow a part
            ("smile:0.5").
        words: the vocabulary; the program's own when None.
        meaning: finds classes for words that the vocabulary lacks, or None.
    """
    words = words or load_vocabulary()
    reason = foreign(text, tokens_of(text), words)
    if reason is not None:
        return Understood((), (text.strip(),), (reason,))
    found = [_read_part(part, weight, words, meaning) for part, weight in _parts(text)]
    return Understood(
        _settled([wish for one in found for wish in one.wishes]),
        tuple(part for one in found for part in one.unknown),
        tuple(dict.fromkeys(note for one in found for note in one.notes)),
        tuple(dict.fromkeys(name for one in found for name in one.nearest)),
    )


def _parts(text: str) -> list[tuple[str, float]]:
    """The text cut after every weight, each part with its own."""
    out, start = [], 0
    for found in _WEIGHT.finditer(text):
        whole = text[start : found.start()]
        before, _, own = whole.rpartition(",")
        if before.strip():
            out.append((before, 1.0))
        out.append((own, float(found.group(1))))
        start = found.end()
    rest = text[start:]
    return [*out, (rest, 1.0)] if rest.strip(" ,") or not out else out


def _read_part(text: str, weight: float, words: Vocabulary, meaning: Meaning | None) -> Understood:
    tokens, changes = corrected(tokens_of(text), words)
    items = attached(items_of(tokens, words), words)
    walk = _Walk(words, meaning)
    for index, item in enumerate(items):
        walk.take(item, items[index + 1] if index + 1 < len(items) else None)
    walk.close()
    notes = [f"took {wrong!r} for {right!r}" for wrong, right in changes.items()]
    wishes = tuple(_weighted(wish, weight, words) for wish in walk.wishes)
    return Understood(wishes, tuple(walk.unknown), (*notes, *walk.notes), tuple(walk.nearest))


def _weighted(wish: Wish, weight: float, words: Vocabulary) -> Wish:
    strength = min(wish.strength * abs(weight), STRONGEST)
    wish = replace(wish, strength=strength)
    return turned_down(wish, words) if weight < 0 else wish


def turned_down(wish: Wish, words: Vocabulary) -> Wish:
    """The wish for its opposite."""
    other = words.contrary.get(wish.sense)
    if other is None:
        return replace(wish, negated=not wish.negated)
    return replace(wish, attribute=other[0], value=other[1], color=None, opposite=not wish.opposite)


@dataclass
class _Walk:
    """Account of a walk over the items of a text."""

    words: Vocabulary
    meaning: Meaning | None
    wishes: list[Wish] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    nearest: list[str] = field(default_factory=list)
    loose: list[Item] = field(default_factory=list)
    turning: bool = False
    joined: str = ""
    turned: bool = False
    size: float | None = None
    compared: int = 0
    since: int = 0

    def take(self, item: Item, after: Item | None) -> None:
        """One item more."""
        if item.kind == "word":
            self.loose.append(item)
            if after is None or after.kind != "word":
                self._guess(after)
            return
        if item.kind == "stop":
            self.close()
        elif item.kind == "join":
            self.joined = item.text
        elif item.kind == "no":
            self.turning, self.turned = True, False
        elif item.kind == "off":
            self._turn_last()
        elif item.kind == "strength":
            self.size = item.amount * (self.size or 1.0)
        elif item.kind in ("more", "less"):
            self.compared = 1 if item.kind == "more" else -1
        elif item.kind == "age":
            self._wish(_of_age(item), item)
        elif item.kind == "sense":
            for wish in [
                Wish(*sense, color=item.color, said=item.text, part=item.part)
                for sense in item.senses
            ]:
                self._wish(wish, item)
            self.turned = self.turning
            self.size, self.compared = None, 0
        elif item.kind == "head" and item.head is not None:
            self._head(item)

    def close(self) -> None:
        """The end of a clause: a strength that stands behind belongs to what was before."""
        if self.wishes[self.since :] and (self.size is not None or self.compared):
            last = self.wishes[-1]
            self.wishes[-1] = self._sized(last, Item("", "sense"))
        self.turning = self.turned = False
        self.size, self.compared, self.joined = None, 0, ""
        self.since = len(self.wishes)

    def _wish(self, wish: Wish, item: Item) -> None:
        """A wish, turned down where a "no" reaches it."""
        if self.turned:
            reaches = self.joined in ("or", "nor") or (self.joined == "and" and not item.fresh)
            self.turning = self.turning and reaches
        wish = self._sized(wish, item)
        self.wishes.append(turned_down(wish, self.words) if self.turning else wish)
        self.joined = ""

    def _sized(self, wish: Wish, item: Item) -> Wish:
        """With the strength that was said, and as a comparison where it was one."""
        size = 1.0 if self.size is None else self.size
        if self.turning:
            return wish
        if self.compared < 0:
            return replace(turned_down(wish, self.words), strength=self.words.step * size)
        if self.compared > 0 or item.compared:
            strength = min(self.words.step * size, STRONGEST)
            return replace(wish, strength=strength, relative=True)
        return replace(wish, strength=min(size, STRONGEST))

    def _turn_last(self) -> None:
        """ "Glasses off": what was said last is turned down; "take off": what comes next."""
        if not self.wishes[self.since :]:
            self.turning, self.turned = True, False
        elif not self.turning:
            self.wishes[-1] = turned_down(self.wishes[-1], self.words)

    def _head(self, item: Item) -> None:
        """A part of a face of which nothing is said: only turned down it means something."""
        assert item.head is not None
        if self.turning and item.head.negated is not None:
            self.wishes.append(Wish(*item.head.negated, said=item.text))
            self.turned = True

    def _guess(self, after: Item | None) -> None:
        """Words that are not in the vocabulary: by their meaning, where that is sure."""
        phrase = " ".join(item.text for item in self.loose)
        fresh, self.loose = self.loose[0].fresh, []
        head = None if after is None or after.kind != "head" else after
        if self.meaning is None:
            self.unknown.append(phrase)
            return
        attributes = () if head is None or head.head is None else attributes_of(head.head)
        whole = phrase if head is None else f"{phrase} {head.text}"
        found = self.meaning(whole, attributes)
        if found and found[0][1] >= SURE:
            sense = found[0][0]
            self.notes.append(f"took {phrase!r} for {self.words.label(sense)!r}")
            self.take(Item(whole, "sense", fresh, (sense,)), None)
            return
        self.unknown.append(phrase)
        self.nearest += [self.words.label(sense) for sense, _ in found[:NAMED]]


def _of_age(item: Item) -> Wish:
    """A wish for an age, or for a change of it."""
    if item.after:
        value = "old" if item.amount > 0 else "young"
        return Wish("age", value, relative=True, years=item.amount, said=item.text)
    value = next((name for limit, name in _AGES if item.amount < limit), "old")
    return Wish("age", value, years=item.amount, said=item.text)


_YIELDS: dict[Sense, Sense] = {
    ("expression", "smile"): ("expression", "laugh"),
    ("expression", "sad"): ("expression", "crying"),
}
"""Of two moods said at once, the second is what the first grows into."""


def _settled(wishes: Sequence[Wish]) -> tuple[Wish, ...]:
    """Of an attribute of a part the last class said, unless it was turned down and another was
    not."""
    kept: dict[tuple[str, str], Wish] = {}
    for wish in wishes:
        before = kept.pop((wish.attribute, wish.part), None)
        if before is not None:
            yields = _YIELDS.get(wish.sense) == before.sense
            wish = before if yields or (wish.opposite and not before.opposite) else wish
        kept[wish.attribute, wish.part] = wish
    return tuple(kept.values())
