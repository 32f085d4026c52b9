"""The reference is the docstrings', as they are now."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from tests.docs.snippets import ROOT


@pytest.fixture(scope="module")
def builder() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "build_reference.py"))


def test_the_committed_reference_is_up_to_date(builder: dict[str, Any]) -> None:
    texts = builder["pages"]()
    folder = ROOT / "docs" / "reference"
    stale = [
        name
        for name, text in texts.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]
    assert not stale, f"{stale} are not up to date: run python docs/build_reference.py"
    assert {path.name for path in folder.iterdir()} == set(texts)


def test_everything_in_it_is_described(builder: dict[str, Any]) -> None:
    for name, text in builder["pages"]().items():
        assert " at 0x" not in text, name
        for part in text.split("\n### ")[1:]:
            title, _, rest = part.partition("\n")
            words = rest.split("```")[2] if rest.count("```") >= 2 else ""
            assert words.strip(), f"{title} in {name} has no docstring"


@pytest.mark.parametrize(
    ("docstring", "markdown"),
    [
        ("One line.", "One line."),
        ("What.\n\nArgs:\n    a: first\n        of two.\n    b: second.",
         "What.\n\n*Args:*\n\n- `a`: first of two.\n- `b`: second."),
        ("What.\n\nReturns:\n    a picture\n    of it.", "What.\n\n*Returns:* a picture of it."),
    ],
)  # fmt: skip
def test_docstrings_become_markdown(builder: dict[str, Any], docstring: str, markdown: str) -> None:
    assert builder["_described"](docstring) == markdown
