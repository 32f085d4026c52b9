"""Sentences by their sounds."""

from __future__ import annotations

import numpy as np
import pytest

from audio.speech.nearest import ALIKE, MISSED, NearestSentence

PHONES = {
    "pat": ["P", "AE", "T"],
    "bat": ["B", "AE", "T"],
    "sat": ["S", "AE", "T"],
    "at": ["AE", "T"],
}


def phones_of(sentence: str) -> list[str]:
    return [phone for word in sentence.split() for phone in PHONES[word]]


def test_distances() -> None:
    found = NearestSentence(["pat", "sat", "at", "pat at"], phones_of).distances("bat")
    assert found == pytest.approx([ALIKE, 1.0, MISSED, ALIKE + 2 * MISSED])


def test_the_nearest_to_several() -> None:
    nearest = NearestSentence(["sat", "pat at"], phones_of)
    assert nearest.find(["sat"]) == ("sat", 0.0)
    text, far = nearest.find(["pat", "pat at"])
    assert text == "pat at"
    assert 0 < far < 1
    assert np.isfinite(far)
