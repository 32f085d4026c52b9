"""The vocabulary: phrases and what they mean, parts of a face, colours, and the grammar's words.

Two files say it all: `vocabulary.toml`, written by hand, and `words.toml`, gathered by
`recipes.words.gather`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from guidance.wishes.colors import Palette, from_hex
from guidance.wishes.normal import BREAK, stem, tokens_of
from guidance.wishes.types import Color, Sense

GRAMMAR = Path(__file__).with_name("vocabulary.toml")
WORDS = Path(__file__).with_name("words.toml")
SOURCES = ("captions", "wordnet")
LONGEST = 8
"""Words of the longest phrase that is looked for."""

PERSON = {"sex", "age"}
"""Attributes that one word may speak of together."""

Key = tuple[str, ...]


@dataclass(frozen=True)
class Head:
    """A part of a face, of which something is said.

    Args:
        name: of the part.
        said: what is said of it, and the class that is then meant.
        sense: the class it stands for by itself (a beard), or None.
        negated: the class where it is turned down ("no hair"), or None.
        colors: the attribute that its colour is, or None.
    """

    name: str
    said: Mapping[str, Sense]
    sense: Sense | None = None
    negated: Sense | None = None
    colors: str | None = None


@dataclass(frozen=True)
class Vocabulary:
    """All that is known of words.

    Args:
        phrases: words to their classes, each of another attribute.
        stems: the same by the words' stems.
        heads: words to the part of a face they name; `shape` is of the face itself.
        colors: names of colours to values.
        strengths: words to multiples.
        words: the grammar's sets of words, by name ("fill", "negators" ...).
        contrary: a class's opposite.
        labels: what a class is called.
        palettes: colours of the classes of an attribute.
        reach: how far from them a colour may lie.
        missing: what an attribute is called that models lack.
        step: share of the way that a comparative goes.
        ends: of attributes that have two, from one to the other.
        known: every single word in it.
        near: words that may be one letter from a known one and yet are no typing errors.
    """

    phrases: Mapping[Key, tuple[Sense, ...]]
    stems: Mapping[Key, tuple[Sense, ...]]
    heads: Mapping[str, Head]
    shape: Head
    colors: Mapping[Key, Color]
    strengths: Mapping[Key, float]
    words: Mapping[str, frozenset[str]]
    contrary: Mapping[Sense, Sense]
    labels: Mapping[Sense, str]
    palettes: Mapping[str, Palette]
    reach: Mapping[str, float]
    missing: Mapping[str, str]
    step: float
    ends: Mapping[str, tuple[str, str]]
    known: frozenset[str]
    near: frozenset[str]

    def label(self, sense: Sense) -> str:
        """What a class is called."""
        return self.labels.get(sense, f"{sense[0]} {sense[1]}".replace("_", " "))

    def key(self, text: str) -> Key:
        """A phrase as it is looked up: without articles."""
        return tuple(t for t in tokens_of(text) if t not in self.words["articles"] and t != BREAK)


def taught(leave: frozenset[str] = frozenset()) -> dict[Sense, list[str]]:
    """The words of every class, as they were gathered, the commonest source first.

    Args:
        leave: words that are left out, with and without articles.
    """
    words, lists = _toml(WORDS), _lists(_toml(GRAMMAR))
    left = {_key(word, lists) for word in leave}
    out: dict[Sense, list[str]] = {}
    for source in SOURCES:
        for attribute, classes in words[source].items():
            for value, texts in classes.items():
                kept = [text for text in texts if _key(text, lists) not in left]
                out.setdefault((attribute, value), []).extend(kept)
    return {sense: list(dict.fromkeys(texts)) for sense, texts in out.items()}


@lru_cache(maxsize=4)
def load_vocabulary(leave: frozenset[str] = frozenset()) -> Vocabulary:
    """The vocabulary of the two files.

    Args:
        leave: words and names of colours that are left out, to measure what becomes of words that
            nobody taught.
    """
    grammar, words = _toml(GRAMMAR), _toml(WORDS)
    lists = _lists(grammar)
    left = {_key(word, lists) for word in leave}
    every = [(sense_of(c), text) for c, texts in grammar["own"].items() for text in texts]
    own = [(sense, text) for sense, text in every if _key(text, lists) not in left]
    entries = [(sense, text) for sense, texts in taught(leave).items() for text in texts]
    phrases = _phrases(entries, lists, _phrases(own, lists))
    heads = {name: _head(name, table) for name, table in grammar["heads"].items()}
    named = {w: heads[n] for n, t in grammar["heads"].items() for w in t["words"].split()}
    shape = heads.pop("shape")
    named = {word: head for word, head in named.items() if head.name != "shape"}
    colors = {_key(n, lists): from_hex(v) for n, v in words["colors"].items() if n not in leave}
    strengths = {
        _key(phrase, lists): float(size)
        for size, texts in grammar["strengths"].items()
        for phrase in texts
    }
    said = {word for head in (*named.values(), shape) for word in head.said}
    single = {t for key in (*phrases, *colors, *strengths) for t in key} | set(named) | said
    return Vocabulary(
        phrases=phrases,
        stems=_stems(phrases),
        heads=named,
        shape=shape,
        colors=colors,
        strengths=strengths,
        words=lists | {"foreign": frozenset(grammar["foreign"]["words"].split())},
        contrary={sense_of(a): sense_of(b) for a, b in grammar["contrary"].items()},
        labels={sense_of(name): label for name, label in grammar["labels"].items()},
        palettes={
            attribute: {value: [from_hex(c) for c in known] for value, known in classes.items()}
            for attribute, classes in grammar["palette"].items()
        },
        reach=grammar["reach"],
        missing=grammar["missing"],
        step=float(grammar["comparative"]["step"]),
        ends={name: (a, b) for name, (a, b) in grammar["comparative"]["ends"].items()},
        known=frozenset(single).union(*lists.values()),
        near=frozenset(words["english"]["near"].split()).union(*map(tokens_of, _texts(words))),
    )


def sense_of(name: str) -> Sense:
    """Attribute and class of "attribute: class"."""
    attribute, _, value = name.partition(": ")
    return attribute, value


def _lists(grammar: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    return {name: frozenset(text.split()) for name, text in grammar["grammar"].items()}


def _texts(words: Mapping[str, Any]) -> Iterable[str]:
    """Every phrase that was gathered: English, whether a vocabulary holds it or not."""
    classes = (cs for source in SOURCES for cs in words[source].values())
    return (text for cs in classes for texts in cs.values() for text in texts)


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _key(text: str, lists: Mapping[str, frozenset[str]]) -> Key:
    return tuple(t for t in tokens_of(text) if t not in lists["articles"] and t != BREAK)


def _phrases(
    entries: Iterable[tuple[Sense, str]],
    lists: Mapping[str, frozenset[str]],
    own: Mapping[Key, tuple[Sense, ...]] | None = None,
) -> dict[Key, tuple[Sense, ...]]:
    """Phrases to classes, the first that is given; a boy is male and a child as well. Phrases with
    a "no" are left to the grammar, and words that say nothing to it too."""
    out = dict(own or {})
    turned = (
        set() if own is None else lists["negators"] | lists["after_negators"] | {"any", "nothing"}
    )
    for sense, text in entries:
        key = _key(text, lists)
        if not key or len(key) > LONGEST or turned & set(key):
            continue
        if own is not None and set(key) <= lists["fill"]:
            continue
        known = out.get(key, ())
        others = {attribute for attribute, _ in known}
        if not known or (sense[0] not in others and {sense[0], *others} <= PERSON):
            out[key] = (*known, sense)
    return out


def _stems(phrases: Mapping[Key, tuple[Sense, ...]]) -> dict[Key, tuple[Sense, ...]]:
    out: dict[Key, tuple[Sense, ...]] = {}
    for key, senses in phrases.items():
        out.setdefault(tuple(stem(token) for token in key), senses)
    return out


def _head(name: str, table: Mapping[str, Any]) -> Head:
    said = {w: sense_of(sense) for sense, ws in table.get("said", {}).items() for w in ws.split()}
    own, negated = table.get("is"), table.get("negated")
    return Head(
        name,
        said,
        None if own is None else sense_of(own),
        None if negated is None else sense_of(negated),
        table.get("colors"),
    )
