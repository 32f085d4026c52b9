"""WordNet as it is read, and the words that are held out."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from guidance.wishes.vocabulary import WORDS, load_vocabulary, taught
from recipes.words.gather import written
from recipes.words.heldout import chosen, heldout, key_of
from recipes.words.related import Relations, fitted
from recipes.words.related import written as written_words
from recipes.words.wordnet import HOME, WordNet

LINE = "{offset:08d} 00 n {count:02x} {lemmas} {pointers} | {gloss}"


@pytest.fixture
def tiny(tmp_path: Path) -> WordNet:
    """A database of three synsets: hats, and two kinds of them."""
    data, places = "", {}
    for name, pointers in (("hat", 2), ("top_hat", 0), ("fedora", 0)):
        places[name] = len(data)
        kinds = " ".join(f"~ {place:08d} n 0000" for place in (0, 0)) if pointers else ""
        data += f"{places[name]:08d} 06 n 01 {name} 0 {pointers:03d} {kinds}| a {name}\n"
    first = data.index("~ 00000000") + 2
    second = data.index("~ 00000000", first) + 2
    data = data[:first] + f"{places['top_hat']:08d}" + data[first + 8 :]
    data = data[:second] + f"{places['fedora']:08d}" + data[second + 8 :]
    index = "".join(f"{n} n 1 0 1 0 {p:08d}\n" for n, p in places.items())
    for part in ("noun", "verb", "adj", "adv"):
        (tmp_path / f"data.{part}").write_text(data if part == "noun" else "")
        (tmp_path / f"index.{part}").write_text("  licence\n" + (index if part == "noun" else ""))
    return WordNet(tmp_path)


def test_synsets(tiny: WordNet) -> None:
    hat = tiny.synset("hat.n.1")
    assert (hat.lemmas, hat.gloss) == (("hat",), "a hat")
    below = [(one.lemmas[0], depth) for one, depth in tiny.below(hat)]
    assert below == [("hat", 0), ("top hat", 1), ("fedora", 1)]
    assert "top hat" in tiny
    with pytest.raises(ValueError, match=r"has no 'hat\.n\.2'"):
        tiny.synset("hat.n.2")


def test_what_is_fitted_to_words_reads_their_kin(tiny: WordNet) -> None:
    relations = Relations(tiny)
    assert relations.lemma("a top hat") == "top hat"
    assert relations.features("top hat")["word top hat"] > 0
    known = {"hat": {("hat", "yes")}, "top hat": {("hat", "yes")}}
    model = fitted(relations, known, ["fedora"])
    hat, fedora = model.odds([relations.features("top hat"), relations.features("fedora")])
    assert hat[0] > 0 > fedora[0]
    assert related_words_of(written_words(model, relations, ["top hat"])) == {"top_hat"}


def related_words_of(text: str) -> set[str]:
    return {
        entry.split(":")[0] for value in tomllib.loads(text).values() for entry in value.split()
    }


def test_missing_database(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="wordnet-base"):
        WordNet(tmp_path)


@pytest.mark.skipif(not HOME.is_dir(), reason="Debian's wordnet-base is not installed")
def test_the_roots_are_synsets() -> None:
    from recipes.words.gather import ROOTS

    net = WordNet()
    roots = tomllib.loads(ROOTS.read_text(encoding="utf-8"))["roots"]
    for classes in roots.values():
        for entries in classes.values():
            for entry in entries:
                net.synset(entry.split()[0])


def test_the_file_reads_back() -> None:
    words = {"captions": {"hat": {"yes": ["a hat", 'o\'clock "cap"']}}, "wordnet": {}}
    found = tomllib.loads(written(words, {"red": "#ff0000"}, ["hate"]))
    assert found["captions"]["hat"]["yes"][0] == "a hat"
    assert found["colors"] == {"red": "#ff0000"}
    assert found["english"]["near"].split() == ["hate"]


def test_a_quarter_is_held_out_by_stem() -> None:
    words = tomllib.loads(WORDS.read_text(encoding="utf-8"))
    every = {w for sense in taught().values() for w in sense} | set(words["colors"])
    held = heldout()
    assert 0.2 < len(held & every) / len(every) < 0.3
    keys = {key_of(word) for word in held}
    assert not [word for word in every - held if key_of(word) in keys]
    assert chosen(words) == sorted(held)


def test_held_out_words_are_not_in_a_vocabulary_without_them() -> None:
    held = heldout()
    words = load_vocabulary(held)
    known = {" ".join(key) for key in words.phrases}
    lost = [w for w in held if " ".join(words.key(w)) in known]
    assert not lost
