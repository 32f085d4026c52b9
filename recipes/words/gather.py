"""Gathers the words for each class of a face: the captions' own, WordNet's, and named colours.

    python -m recipes.words.gather --out guidance/wishes/words.toml

Needs Debian's `wordnet-base`. `roots.toml` says where in WordNet each class lies. The result is one
readable file, shipped with the program; WordNet's licence stands beside it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from guidance.wishes.normal import edits_of, stem, tokens_of
from multimodal.files.weights import atomic
from recipes.render.words.wordings import WORDINGS
from recipes.words.clip_words import clip_words
from recipes.words.wordnet import HOME, Synset, WordNet

ROOTS = Path(__file__).with_name("roots.toml")
OUT = Path("guidance/wishes/words.toml")
FIRST_SENSES = 2
"""A one-word lemma stands for a class only where that is among its commonest meanings."""

LEAST_TYPED = 4
"""Letters from which a word may be taken for a misspelt one."""

_UNKIND = re.compile(
    r"offensive|slur|disparag|derogat|obscen|vulgar|taboo|insult|sexual|slang", re.I
)
_WORD = re.compile(r"[A-Za-z][A-Za-z' .-]*")

Words = dict[str, dict[str, list[str]]]


def wordnet_words(net: WordNet, roots: dict[str, Any]) -> Words:
    """WordNet's words by attribute and class. Of the classes of an attribute, a word is of the one
    whose root it lies nearest to."""
    left = {id(s) for entry in roots["leave"]["synsets"] for s, _ in _found(net, entry)}
    unwanted = set(roots["leave"]["words"])
    out: Words = {}
    for attribute, classes in roots["roots"].items():
        depths: dict[str, dict[str, float]] = {}
        for value, entries in classes.items():
            for word, depth in _depths(net, entries, left, unwanted):
                known = depths.setdefault(word, {})
                known[value] = min(depth, known.get(value, depth))
        out[attribute] = {value: [] for value in classes}
        for word, known in depths.items():
            out[attribute][min(known, key=lambda value: known[value])].append(word)
    return out


def _depths(
    net: WordNet, entries: Sequence[str], left: set[int], unwanted: set[str]
) -> Iterable[tuple[str, float]]:
    """Words of a class, and how many steps from its roots they lie; the roots' names come first."""
    for entry in entries:
        root = entry.split(".")[0].replace("_", " ")
        for synset, depth in _found(net, entry):
            if id(synset) in left or _UNKIND.search(synset.gloss):
                continue
            for word in _lemmas(net, synset, root):
                if word == root or word not in unwanted:
                    yield word, -1 if word == root else depth


def _found(net: WordNet, entry: str) -> list[tuple[Synset, int]]:
    """The synsets of an entry of `roots.toml`, and how many steps each lies away."""
    name, *steps = entry.split()
    found = [(net.synset(name), 0)]
    for step in steps:
        if step == "below":
            found = [(below, d + far) for one, d in found for below, far in net.below(one)]
        else:
            near = [(to, d + 1) for one, d in found for to in net.follow(one, step)]
            found = [*found, *near]
    return found


def _lemmas(net: WordNet, synset: Synset, root: str) -> Iterable[str]:
    """The words of a synset that are words of everyday use in this meaning: no names, no numbers,
    and no common word of which this is a rare meaning."""
    for lemma in synset.lemmas:
        word = lemma.lower()
        if not _WORD.fullmatch(lemma) or (lemma[0].isupper() and word != root):
            continue
        own = [s for s in net.senses(word) if s.pos == synset.pos]
        if " " in word or any(s is synset for s in own[:FIRST_SENSES]):
            yield word


def caption_words() -> Words:
    """The words that the bundled CLIP was taught, by attribute and class."""
    out: Words = {a: {v: list(ws) for v, ws in cs.items()} for a, cs in WORDINGS.items()}
    for attribute, classes in clip_words().items():
        for value, words in classes.items():
            held = out.setdefault(attribute, {}).setdefault(value, [])
            held.extend(w for w in words if w not in held)
    return out


def color_values() -> dict[str, str]:
    """Names of colours and their sRGB values: XKCD's survey of 2010 (CC0)."""
    from matplotlib.colors import XKCD_COLORS

    named = {name.removeprefix("xkcd:"): str(value) for name, value in XKCD_COLORS.items()}
    plain = re.compile(r"[a-z /'-]+")
    unkind = ("poo", "puke", "vomit", "shit", "snot", "booger", "diarrhea", "barf", "pee")
    kept = {n: v for n, v in named.items() if plain.fullmatch(n)}
    return {n: v for n, v in sorted(kept.items()) if not any(w in n for w in unkind)}


def real_words(net: WordNet, known: Iterable[str]) -> list[str]:
    """English words within one letter of a known one: not to be taken for misspelt ones."""
    stems = {stem(w) for w in known}
    near = {t for word in known if len(word) >= LEAST_TYPED for t in edits_of(word)}
    single = {w for w in net.words() if w.isalpha() and len(w) >= LEAST_TYPED}
    return sorted(w for w in single & near if w not in known and stem(w) not in stems)


def written(words: dict[str, Words], colors: dict[str, str], near: Sequence[str]) -> str:
    """The file's text."""
    lines = [
        "# Words for the classes of a face, gathered by recipes.words.gather: change it there.",
        "# `captions`: what the bundled CLIP was taught. `wordnet`: WordNet 3.0, Copyright 2006",
        "# Princeton University, see WORDNET_LICENSE. `colors`: XKCD's colour survey (CC0).",
    ]
    for source, attributes in words.items():
        for attribute, classes in attributes.items():
            lines += ["", f"[{source}.{attribute}]"]
            lines += [
                f"{v} = [\n{_wrapped(map(_quoted, ws), ', ')},\n]"
                for v, ws in classes.items()
                if ws
            ]
    lines += ["", "[colors]", *(f'"{name}" = "{value}"' for name, value in colors.items())]
    lines += [
        "",
        "# English words one letter from a known one; they are not misspelt.",
        "[english]",
    ]
    lines += [f'near = """\n{_wrapped(near, " ")}\n"""']
    return "\n".join(lines) + "\n"


def _quoted(word: str) -> str:
    return '"' + word.replace('"', "'") + '"'


def _wrapped(parts: Iterable[str], between: str, width: int = 98) -> str:
    lines = [""]
    for part in parts:
        joined = f"{lines[-1]}{between if lines[-1] else ''}{part}"
        if len(joined) > width and lines[-1]:
            lines[-1] += between.rstrip()
            joined = part
            lines.append(joined)
        else:
            lines[-1] = joined
    return "\n".join(lines)


def main(
    out: Annotated[Path, typer.Option(help="the file to write")] = OUT,
    wordnet: Annotated[Path, typer.Option(help="folder of WordNet's database")] = HOME,
) -> None:
    """Write the words of all classes, the colours, and the words that only look misspelt."""
    net = WordNet(wordnet)
    roots = tomllib.loads(ROOTS.read_text(encoding="utf-8"))
    words = {"captions": caption_words(), "wordnet": wordnet_words(net, roots)}
    colors = color_values()
    known = {
        token
        for attributes in words.values()
        for classes in attributes.values()
        for texts in classes.values()
        for text in texts
        for token in tokens_of(text)
    } | {token for name in colors for token in tokens_of(name)}
    near = real_words(net, known)
    with atomic(out) as part:
        part.write_text(written(words, colors, near), encoding="utf-8")
    total = sum(len(ws) for a in words.values() for cs in a.values() for ws in cs.values())
    typer.echo(f"{total} words, {len(colors)} colours, {len(near)} words near them: {out}")


if __name__ == "__main__":
    typer.run(main)
