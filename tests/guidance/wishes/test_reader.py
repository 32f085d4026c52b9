"""Reading wishes: what sentences mean, and what they do not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guidance.wishes.reader import read_wishes
from guidance.wishes.telling import told
from guidance.wishes.types import Sense, Understood, Wish
from guidance.wishes.vocabulary import load_vocabulary


def _said(found: Understood) -> dict[str, str]:
    return {wish.attribute: wish.value for wish in found.wishes}


def _only(text: str) -> Wish:
    found = read_wishes(text)
    assert len(found.wishes) == 1, found
    return found.wishes[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "an old bald man with a red beard, no glasses",
            "age old, hair_style bald, sex male, hair_color red, beard full, glasses none",
        ),
        ("a person with long and curly hair", "hair_length long, hair_style wavy"),
        ("hair that is red and lips of dark pink", "hair_color red, lipstick yes"),
        ("dark haired woman with pale skin", "hair_color black, sex female, skin light"),
        ("a black man", "skin dark, sex male"),
        ("neither glasses nor a beard", "glasses none, beard none"),
        ("remove the glasses and the beard", "glasses none, beard none"),
        ("no beard and a smile", "beard none, expression smile"),
        ("a moustache but no beard", "beard moustache"),
        ("take her hat off", "hat no"),
        ("take off her hat", "hat no"),
        ("a beardless man", "beard none, sex male"),
        ("she isn't happy", "expression neutral"),
        ("stop crying", "expression neutral"),
        ("a woman with no hair", "sex female, hair_style bald"),
        ("eyes closed", "expression eyes_closed"),
        ("a grandpa in sunglasses", "sex male, age old, glasses sunglasses"),
        ("glasses:-1", "glasses none"),
        ("happy and laughing", "expression laugh"),
        ("round face", "weight heavy"),
    ],
)
def test_sentences(text: str, said: str) -> None:
    expected = dict(part.strip().split() for part in said.split(","))
    assert _said(read_wishes(text)) == expected


def test_strength() -> None:
    plain, hint, very = _only("a smile"), _only("a hint of a smile"), _only("a smile:2")
    assert (plain.strength, hint.strength, very.strength) == (1.0, 0.5, 2.0)
    assert not plain.relative
    steps = [_only(text) for text in ("a bit older", "older", "much older")]
    assert all(wish.relative and wish.sense == ("age", "old") for wish in steps)
    assert steps[0].strength < steps[1].strength < steps[2].strength
    assert _only("smile a little").strength == 0.5
    less = _only("less smile")
    assert (less.sense, less.strength < 1) == (("expression", "neutral"), True)


@pytest.mark.parametrize(
    ("text", "years", "relative"),
    [
        ("a 70 year old", 70, False),
        ("in her sixties", 65, False),
        ("aged seven", 7, False),
        ("twenty five years old", 25, False),
        ("10 years younger", -10, True),
        ("make him twenty years older", 20, True),
    ],
)
def test_ages(text: str, years: float, relative: bool) -> None:
    wish = _only(text)
    assert (wish.attribute, wish.years, wish.relative) == ("age", years, relative)


@pytest.mark.parametrize(
    ("text", "sense"),
    [
        ("teal-green eyes", ("eye_color", "teal green")),
        ("dark red hair", ("hair_color", "red")),
        ("butterscotch hair", ("hair_color", "blond")),
        ("crimson lips", ("lipstick", "yes")),
        ("gold frames", ("glasses", "clear")),
        ("pink hair", ("hair_dye", "pink")),
        ("hair dyed dark blue", ("hair_dye", "dark blue")),
    ],
)
def test_colours_go_by_their_value(text: str, sense: Sense) -> None:
    assert _only(text).sense == sense


@pytest.mark.parametrize(
    ("text", "sense", "part"),
    [
        ("a red beard", ("hair_color", "red"), "beard"),
        ("a blond moustache", ("hair_color", "blond"), "moustache"),
        ("a grey goatee", ("hair_color", "gray"), "goatee"),
        ("a green beard", ("hair_dye", "green"), "beard"),
        ("red hair", ("hair_color", "red"), ""),
        ("blond man with a beard", ("hair_color", "blond"), ""),
    ],
)
def test_colours_of_beards_are_told_from_those_of_hair(text: str, sense: Sense, part: str) -> None:
    (wish,) = (wish for wish in read_wishes(text).wishes if wish.attribute.startswith("hair"))
    assert (wish.sense, wish.part) == (sense, part)


def test_hair_and_beard_have_a_colour_each() -> None:
    found = read_wishes("a dark-haired man with grey stubble").wishes
    colours = {wish.part: wish.value for wish in found if wish.attribute == "hair_color"}
    assert colours == {"": "black", "stubble": "gray"}


def test_what_is_said_of_a_beard_is_told_of_the_beard() -> None:
    words = load_vocabulary()
    assert told(read_wishes("a white beard"), [], words) == (
        "understood: white beard, a full beard",
    )
    assert told(read_wishes("teal hair"), [], words) == ("understood: teal hair",)


def test_usual_colours_have_no_value_and_others_keep_it() -> None:
    beard = [wish.color for wish in read_wishes("a red beard").wishes]
    assert beard == [None, None]
    assert read_wishes("pink hair").wishes[0].color == pytest.approx((1.0, 0.506, 0.753), abs=0.01)


def test_a_colour_keeps_its_value() -> None:
    wish = _only("emerald eyes")
    assert wish.color == pytest.approx((1 / 255, 160 / 255, 73 / 255))


@pytest.mark.parametrize("text", ["green skin", "thin eyebrows", "a red dress", "red"])
def test_what_no_face_has_is_not_taken_for_something_near(text: str) -> None:
    found = read_wishes(text)
    assert not found.wishes
    assert found.unknown


def test_typing_errors_are_mended_and_told() -> None:
    found = read_wishes("a smilng woman with glases")
    assert _said(found) == {"expression": "smile", "sex": "female", "glasses": "clear"}
    assert found.notes == ("took 'smilng' for 'smiling'", "took 'glases' for 'glasses'")
    for word in ("bread", "boar", "bears", "cat", "heard"):  # words, one letter from known ones
        assert not read_wishes(f"a {word}").wishes


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("una mujer vieja con gafas", "only English"),
        ("ein alter Mann mit Bart", "only English"),
        ("улыбающийся человек", "only English"),
        ("笑顔の女性", "only English"),
        ("😀👍", "emoji"),
        ("!!!", "no words"),
    ],
)
def test_other_languages(text: str, reason: str) -> None:
    found = read_wishes(text)
    assert not found.wishes
    assert reason in found.notes[0]


def test_nonsense_is_unknown() -> None:
    found = read_wishes("a vampire with red hair and asdfgh")
    assert _said(found) == {"hair_color": "red"}
    assert found.unknown == ("vampire", "asdfgh")


def test_a_meaning_helps_where_it_is_sure() -> None:
    def meaning(phrase: str, attributes: tuple[str, ...]) -> list[tuple[Sense, float]]:
        sure = 0.9 if phrase == "corvine hair" and "hair_color" in attributes else 0.2
        return [(("hair_color", "black"), sure)]

    found = read_wishes("corvine hair", meaning=meaning)
    assert _said(found) == {"hair_color": "black"}
    assert found.notes == ("took 'corvine' for 'black hair'",)
    found = read_wishes("a vampire", meaning=meaning)
    assert (found.wishes, found.nearest) == ((), ("black hair",))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    found = read_wishes(text)
    assert all(0 <= wish.strength <= 3 for wish in found.wishes)


_WORDS = ["no", "a", "red", "hair", "older", "bit", "and", ",", "smile", "without", "off", "dark"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(_WORDS), max_size=8))
def test_any_order_of_words_is_read(words: list[str]) -> None:
    found = read_wishes(" ".join(words))
    attributes = [wish.attribute for wish in found.wishes]
    assert len(attributes) == len(set(attributes))
