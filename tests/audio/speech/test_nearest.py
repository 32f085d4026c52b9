"""Sentences by their sounds."""

from __future__ import annotations

from collections.abc import Sequence

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


def test_the_recording_decides_among_the_nearest() -> None:
    nearest = NearestSentence(["sat", "bat", "at"], phones_of)
    assert nearest.find(["pat"])[0] == "bat"
    asked: list[str] = []

    def fits(sentences: Sequence[str]) -> np.ndarray:
        asked.extend(sentences)
        return np.array([float(sentence == "at") for sentence in sentences])

    assert nearest.find(["pat"], fits, count=2) == ("at", pytest.approx(MISSED / 2))
    assert asked == ["bat", "at"]
    assert nearest.find(["pat"], fits, count=2, weight=10.0)[0] == "bat"
