"""PocketSphinx as the program uses it; a recording of a voice lies beside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from apps.speech.wishes import NOTHING, hear_wish, told_wish, wish_for_edit
from audio.speech.sphinx import SphinxReader, sayable, without_r
from audio.speech.types import Heard

pytest.importorskip("pocketsphinx")
VOICE = Path(__file__).parent


@pytest.fixture(scope="module")
def reader() -> SphinxReader:
    common = ["red hair", "no glasses", "undo", "make her smile", "no hat"]
    return SphinxReader([*common, "a hat and red hair"] * 20, common)


def test_words_of_the_dictionary() -> None:
    assert sayable("smile")
    assert not sayable("smilng")


def test_an_r_is_sounded_before_vowels_only() -> None:
    assert without_r(["HH", "EH", "R"]) == ("HH", "EH", "AH")
    assert without_r(["D", "AA", "R", "K"]) == ("D", "AA", "K")
    assert without_r(["OW", "L", "D", "ER"]) == ("OW", "L", "D", "AH")
    assert without_r(["R", "EH", "D"]) == ("R", "EH", "D")
    assert without_r(["AO", "R", "AH", "N", "JH"]) == ("AO", "R", "AH", "N", "JH")


@pytest.mark.parametrize(("name", "text"), [("no_glasses", "no glasses"), ("undo", "undo")])
def test_a_recording_is_read(reader: SphinxReader, name: str, text: str) -> None:
    found = reader.read(VOICE / f"{name}.ogg")
    assert found.text == text
    assert found.doubt < reader.most_doubt / 2


def test_a_wish_and_a_command(reader: SphinxReader) -> None:
    found = hear_wish(VOICE / "no_glasses.ogg", reader)
    assert told_wish(found) == "heard 'no glasses'; understood: no glasses"
    assert hear_wish(VOICE / "undo.ogg", reader).command == "undo"


def test_noise_is_not_understood(reader: SphinxReader) -> None:
    class Odd:
        most_doubt = 0.2

        def read(self, sound: object) -> Heard:
            return Heard("hair no undo", 0.8)

    with pytest.raises(ValueError, match="no wish was understood"):
        hear_wish(VOICE / "undo.ogg", Odd())
    with pytest.raises(ValueError, match="silen"):
        hear_wish((16000, np.zeros(16000, np.float32)), reader)
    assert "make her smile" in NOTHING


def test_a_command_needs_an_edit(monkeypatch: pytest.MonkeyPatch, reader: SphinxReader) -> None:
    monkeypatch.setattr("apps.speech.wishes.speech_reader", lambda: reader)
    assert wish_for_edit(VOICE / "no_glasses.ogg").text == "no glasses"
    with pytest.raises(ValueError, match="needs an edit made before"):
        wish_for_edit(VOICE / "undo.ogg")
