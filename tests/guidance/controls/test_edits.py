"""Edit lists: changes, files, bounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guidance.controls.edits import MAX_EDITS, Edit, EditList

SMILE, HAT = (
    Edit(text="a smile"),
    Edit(text="a hat", strength=-2.0, keep=("age",), layers=("coarse", 9)),
)


def test_lists_change_by_making_new_ones() -> None:
    edits = EditList().add(SMILE).add(HAT)
    assert edits.move(0, 1).edits == (HAT, SMILE)
    assert edits.undo().edits == edits.remove(1).edits == (SMILE,)
    assert edits.change(1, strength=1.0).edits[1].strength == 1.0
    assert len(edits) == 2
    with pytest.raises(ValueError, match="no edit to undo"):
        EditList().undo()
    with pytest.raises(ValueError, match="not one of"):
        edits.move(0, 2)


def test_files_round_trip(tmp_path: Path) -> None:
    edits = EditList((SMILE, HAT, Edit(sound="laugh.wav", enabled=False)))
    assert EditList.load(edits.save(tmp_path / "e.json")) == edits


def test_files_of_a_list_lie_beside_it(tmp_path: Path) -> None:
    edits = EditList((Edit("old", mask="m.png"), Edit(sound="laugh.wav"), Edit(sound="/no.wav")))
    path = edits.save(tmp_path / "e.json")
    assert EditList.load(path) == edits
    for name in ("m.png", "laugh.wav"):
        (tmp_path / name).touch()
    first, second, third = EditList.load(path).edits
    assert (first.mask, second.sound) == (str(tmp_path / "m.png"), str(tmp_path / "laugh.wav"))
    assert third.sound == "/no.wav"


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"text": "a", "mask": 5},
        {"text": "a", "mask": "m.png", "region": "mouth"},
        {"text": ""},
        {"text": 5},
        {"text": "x" * 1001},
        {"text": "a", "strength": 1e9},
        {"text": "a", "strength": "2"},
        {"text": "a", "strength": True},
        {"text": "a", "seed": 1.5},
        {"text": "a", "keep": "age"},
        {"text": "a", "keep": [["age"]]},
        {"text": "a", "layers": [True]},
        {"text": "a", "layers": []},
        {"text": "a", "layers": ""},
        {"text": "a", "enabled": 1},
        {"text": "a", "surprise": 1},
        [],
        None,
    ],
)
def test_bad_rows_are_refused(row: Any) -> None:
    with pytest.raises(ValueError, match="edit 0"):
        EditList.from_plain({"format": "semblance edits 1", "edits": [row]})


def test_bad_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.json"
    for content in ("[]", "{", "[" * 100_000, json.dumps({"format": "other", "edits": []})):
        path.write_text(content)
        with pytest.raises(ValueError):
            EditList.load(path)
    path.write_text(" " * (2 << 20))
    with pytest.raises(ValueError, match="larger"):
        EditList.load(path)
    with pytest.raises(FileNotFoundError):
        EditList.load(tmp_path / "missing.json")
    with pytest.raises(ValueError, match="at most"):
        EditList((SMILE,) * (MAX_EDITS + 1))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=8),
        lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=6), x, max_size=3),
        max_leaves=8,
    )
)
def test_any_json_is_read_or_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        EditList.from_plain({"format": "semblance edits 1", "edits": [value]})


@pytest.mark.parametrize("name", ["text", "neutral", "sound", "region"])
def test_halves_of_characters_are_no_text(tmp_path: Path, name: str) -> None:
    path = tmp_path / "edits.json"
    row = {"text": "old"} | {name: "a \ud83d smile"}
    path.write_text(json.dumps({"format": "semblance edits 1", "edits": [row]}))
    with pytest.raises(ValueError, match=f"edit 0: {name} holds bytes that are no text"):
        EditList.load(path)
