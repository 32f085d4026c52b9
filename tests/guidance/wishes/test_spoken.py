"""What can be said aloud, and what it asks for."""

from __future__ import annotations

from guidance.wishes.spoken import common_sentences, rules, sentences, spoken, words_of


def test_commands() -> None:
    assert [spoken(text).command for text in ("undo that", "more", "start over")] == [
        "undo", "more", "reset",
    ]  # fmt: skip
    factors = [spoken(text).factor for text in ("much more", "more", "a bit more", "a bit less")]
    assert factors == sorted(factors, reverse=True)
    assert factors[2] > 1 > factors[3]


def test_a_wish_is_read() -> None:
    found = spoken("make her smile")
    assert found.command is None
    assert found.understood is not None
    assert [wish.sense for wish in found.understood.wishes] == [("expression", "smile")]


def test_sentences_are_drawn_by_seed_and_without_unsayable_words() -> None:
    assert sentences(lambda word: True, 50, 1) == sentences(lambda word: True, 50, 1)
    assert sentences(lambda word: True, 50, 1) != sentences(lambda word: True, 50, 2)
    drawn = sentences(lambda word: word not in ("beard", "undo"), 400)
    assert not {"beard", "undo"} & {word for sentence in drawn for word in sentence.split()}


def test_nearly_all_that_can_be_said_is_understood() -> None:
    drawn = dict.fromkeys(sentences(lambda word: True, 1500))
    found = [spoken(sentence) for sentence in drawn]
    read = [one.command or (one.understood and one.understood.wishes) for one in found]
    assert sum(map(bool, read)) > 0.97 * len(drawn)


def test_words_of_an_alternative() -> None:
    assert words_of("<lead> [a | an] hat") == ["a", "an", "hat"]
    assert "say" in rules()


def test_what_is_said_most_is_understood() -> None:
    common = common_sentences(lambda word: word != "goatee")
    assert len(common) == len(set(common)) > 4000
    assert {"make her smile", "a happy old woman", "an old man with a hat", "undo"} <= set(common)
    assert not [text for text in common if "goatee" in text or "<" in text or "[" in text]
    found = [spoken(text) for text in common[::7]]
    read = [one.command or (one.understood and one.understood.wishes) for one in found]
    assert sum(map(bool, read)) > 0.97 * len(found)
