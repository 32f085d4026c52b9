"""The recipes' page: its commands can be read, its links lead somewhere, no stage is left out."""

from __future__ import annotations

import pytest

from tests.docs.commands import check
from tests.docs.snippets import ROOT, Snippet, snippets
from tests.docs.test_links import links

PAGE = ROOT / "recipes" / "README.md"
BLOCKS = [snippet for snippet in snippets(PAGE) if snippet.language]


@pytest.mark.parametrize("snippet", BLOCKS, ids=lambda snippet: f"line{snippet.line}")
def test_every_command_can_be_read(snippet: Snippet) -> None:
    assert snippet.language == "bash"
    assert not snippet.runs, "trainings cannot run here: say why with <!-- not run: ... -->"
    assert len(snippet.comment) > len("not run: ") + 10
    for words in snippet.commands():
        check(words)


def test_every_recipe_with_a_command_is_named() -> None:
    files = [
        p
        for p in sorted((ROOT / "recipes").rglob("*.py"))
        if "__main__" in p.read_text() and not p.stem.startswith("__")
    ]
    text = PAGE.read_text(encoding="utf-8")
    assert [p.stem for p in files if f"recipes.{p.stem} " not in text and p.stem not in text] == []
    assert len(files) > 12


def test_links_resolve() -> None:
    for target in links(PAGE):
        assert target.startswith("https://") or (PAGE.parent / target.partition("#")[0]).exists()
