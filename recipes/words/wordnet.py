"""WordNet's database files (Miller 1995; `wordnet-base` in Debian), read as they stand.

A synset is named as "happy.a.1": a lemma, its part of speech (n, v, a, r) and the number of the
sense in the order WordNet lists them. The format is that of the manual page wndb(5).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

HOME = Path("/usr/share/wordnet")
FILES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
RELATIONS = {
    "hyponyms": ("~", "~i"),
    "similar": ("&",),
    "derived": ("+",),
    "attributes": ("=",),
    "pertains": ("\\",),
    "up": ("@", "@i"),
    "also": ("^",),
    "opposite": ("!",),
}
"""What can be followed from a synset, and WordNet's signs for it."""


@dataclass(frozen=True)
class Synset:
    """One meaning.

    Args:
        pos: n, v, a or r.
        lemmas: words that have it, with spaces.
        pointers: sign, part of speech and place of each related synset.
        gloss: WordNet's explanation.
        place: in the file of its part of speech; with that it is named.
    """

    pos: str
    lemmas: tuple[str, ...]
    pointers: tuple[tuple[str, str, int], ...]
    gloss: str
    place: int


class WordNet:
    """The database of a folder.

    Args:
        folder: holds `index.noun`, `data.noun` and so on.

    Raises:
        FileNotFoundError: it does not.
    """

    def __init__(self, folder: Path = HOME) -> None:
        missing = [n for n in FILES.values() if not (folder / f"data.{n}").is_file()]
        if missing:
            raise FileNotFoundError(f"no WordNet in {folder}: install Debian's wordnet-base")
        self._data = {p: (folder / f"data.{n}").read_bytes() for p, n in FILES.items()}
        self._index = {p: _index(folder / f"index.{n}") for p, n in FILES.items()}
        self.at = lru_cache(maxsize=None)(self._at)

    def __contains__(self, word: str) -> bool:
        """Is it a lemma of any part of speech?"""
        return any(word in index for index in self._index.values())

    def words(self) -> Iterator[str]:
        """All lemmas, with spaces."""
        for index in self._index.values():
            yield from index

    def synset(self, name: str) -> Synset:
        """The synset of a name such as "happy.a.1".

        Raises:
            ValueError: there is none.
        """
        lemma, pos, number = name.rsplit(".", 2)
        offsets = self._index.get(pos, {}).get(lemma.replace("_", " "), ())
        if not 0 < int(number) <= len(offsets):
            raise ValueError(f"WordNet has no {name!r}: {lemma} has {len(offsets)} senses as {pos}")
        return self.at(pos, offsets[int(number) - 1])

    def senses(self, word: str) -> list[Synset]:
        """All synsets of a word."""
        return [self.at(p, o) for p, index in self._index.items() for o in index.get(word, ())]

    def follow(self, start: Synset, relation: str) -> list[Synset]:
        """The synsets one step away."""
        signs = RELATIONS[relation]
        return [self.at(pos, place) for sign, pos, place in start.pointers if sign in signs]

    def below(self, start: Synset) -> list[tuple[Synset, int]]:
        """A synset and all its hyponyms, each once, with how many steps below it they are."""
        found, layer, depth = {id(start): (start, 0)}, [start], 0
        while layer:
            depth += 1
            layer = [near for one in layer for near in self.follow(one, "hyponyms")]
            layer = [one for one in layer if id(one) not in found]
            found |= {id(one): (one, depth) for one in layer}
        return list(found.values())

    def _at(self, pos: str, place: int) -> Synset:
        data = self._data[pos]
        line = data[place : data.index(b"\n", place)].decode("utf-8")
        fields, _, gloss = line.partition("|")
        part = fields.split()
        count = int(part[3], 16)
        lemmas = tuple(part[4 + 2 * i].partition("(")[0].replace("_", " ") for i in range(count))
        rest = part[4 + 2 * count :]
        pointers = tuple(
            (rest[1 + 4 * i], rest[3 + 4 * i].replace("s", "a"), int(rest[2 + 4 * i]))
            for i in range(int(rest[0]))
        )
        return Synset(pos, lemmas, pointers, gloss.strip(), place)


def _index(path: Path) -> dict[str, tuple[int, ...]]:
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(" "):
            part = line.split()
            count = int(part[2])
            found[part[0].replace("_", " ")] = tuple(int(p) for p in part[-count:])
    return found
