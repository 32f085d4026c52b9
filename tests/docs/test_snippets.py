"""Every block of the README and the pages runs, or can at least be read."""

from __future__ import annotations

import ast
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import apps.batch.photo_edit
import apps.edits
import apps.heads.labels
from apps.cli import run
from guidance.registry import METHODS
from multimodal import FaceEditor
from tests.docs.commands import check
from tests.docs.snippets import LANGUAGES, ROOT, Snippet, pages, snippets

STUDIO = "http://127.0.0.1:7860"
MOST_NOT_RUN = 20
"""Blocks that may be checked only; each says why."""

PAGES = [page for page in pages() if any(s.language for s in snippets(page))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page(
    page: Path,
    place: Path,
    tiny: FaceEditor,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    module = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    known = dict(METHODS)
    try:
        for snippet in snippets(page):
            with monkeypatch.context() as patched:
                if snippet.tiny:
                    stand_in(tiny, patched)
                if snippet.comment == "run: studio":
                    url = request.getfixturevalue("studio")
                    snippet = replace(snippet, code=snippet.code.replace(STUDIO, url))
                do(snippet, module)
    finally:
        METHODS.clear()
        METHODS.update(known)


def stand_in(tiny: FaceEditor, patched: pytest.MonkeyPatch) -> None:
    """Whatever model is named, the tiny one is loaded; model files must exist all the same."""

    def load(name: Any = "default", *_: Any, **__: Any) -> FaceEditor:
        assert not str(name).endswith(".safetensors") or Path(name).is_file(), f"no {name}"
        return replace(tiny)

    patched.setattr(FaceEditor, "from_pretrained", staticmethod(load))
    patched.setattr(apps.edits, "load_editor", load)
    patched.setattr(apps.batch.photo_edit, "load_editor", load)
    patched.setattr(apps.heads.labels, "load_editor", load)


def do(snippet: Snippet, module: types.ModuleType) -> None:
    """Run a block, or check it."""
    try:
        if snippet.language == "python":
            do_python(snippet, module)
        elif snippet.language == "bash":
            do_bash(snippet)
    except (Exception, SystemExit) as error:
        raise AssertionError(f"{snippet.place}: {type(error).__name__}: {error}") from error


def do_python(snippet: Snippet, module: types.ModuleType) -> None:
    """Execute a block in its page's module; of one that is not run, the imports."""
    tree = ast.parse(snippet.code, snippet.place)
    if not snippet.runs:
        tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    code = compile(tree, snippet.place, "exec", dont_inherit=True)
    exec(code, vars(module))


def do_bash(snippet: Snippet) -> None:
    """Check every command; run those of `semblance` unless the block is not to be run."""
    for words in snippet.commands():
        check(words)
        if snippet.runs and Path(words[0]).name == "semblance":
            assert run(words[1:]) == 0, " ".join(words)


def test_languages_are_known() -> None:
    found = {s.language for page in pages() for s in snippets(page)}
    assert found <= set(LANGUAGES)


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    skipped = [s for page in pages() for s in snippets(page) if s.language and not s.runs]
    for snippet in skipped:
        print(f"{snippet.place}: {snippet.comment}")
        assert len(snippet.comment) > len("not run: ") + 10, snippet.place
    assert len(skipped) <= MOST_NOT_RUN


def test_comments_are_understood() -> None:
    for page in pages():
        for snippet in snippets(page):
            if snippet.comment.startswith("run:"):
                assert snippet.comment in ("run: model=tiny", "run: studio"), snippet.place
            if not snippet.runs:
                continue
            outside = [w for w in snippet.commands() if w[0] in ("docker", "ray", "torchrun")]
            assert snippet.language != "bash" or not outside, snippet.place


def test_the_method_in_the_pages_is_the_example() -> None:
    example = (ROOT / "examples" / "new_method.py").read_text(encoding="utf-8")
    block = next(s for s in snippets(ROOT / "docs" / "extending.md") if s.language == "python")
    assert block.code in example
    code = [line for line in block.code.splitlines() if line.strip()]
    after_imports = code[next(i for i, line in enumerate(code) if line.startswith("@")) :]
    assert len(after_imports) <= 30


def test_a_wrong_command_is_noticed() -> None:
    for words in (
        ["semblance", "edit", "me.jpg", "--txt", "old", "--out", "a.png"],
        ["semblance", "models", "destroy"],
        ["make", "coffee"],
        ["python", "-m", "recipes.factors.directions", "--modle", "x"],
        ["torchrun", "-m", "recipes.generator.train_generator", "--data", "x"],
        ["curl", "example.org"],
    ):
        with pytest.raises((Exception, SystemExit)):
            check(words)
