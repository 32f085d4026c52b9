"""Freed memory goes back to the system."""

from __future__ import annotations

import ctypes

import pytest

from apps.studio import memory
from benchmarks.memory import resident


def test_small_pieces_go_back() -> None:
    pieces = [bytearray(40_000) for _ in range(4000)]
    kept, high = pieces[::50], resident()
    pieces.clear()
    memory.give_back()
    assert resident() < high - 100
    assert len(kept) == 80


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    memory._trim.cache_clear()
    memory.give_back()
    memory._trim.cache_clear()
