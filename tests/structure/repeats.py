"""Runs of lines that stand in more than one place."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.structure.tree import Module

RUN = 6
"""Lines from which a run counts as repeated."""

Place = tuple[Module, int, int]
"""A file, the first line of a run there, the last."""


def repeated(modules: list[Module]) -> list[str]:
    """Pairs of places that share a run of lines, as `a.py:1-9 ~ b.py:5-13`.

    White space, blank lines, comments, docstrings, imports and lone punctuation do not count:
    what they share is the language's, not ours.
    """
    lines = {module.path: _telling(module) for module in modules}
    windows: dict[tuple[str, ...], list[tuple[Module, int]]] = defaultdict(list)
    for module in modules:
        told = [text for _, text in lines[module.path]]
        for start in range(len(told) - RUN + 1):
            windows[tuple(told[start : start + RUN])].append((module, start))
    seen: set[tuple[str, int, str, int]] = set()
    found = []
    for places in windows.values():
        for i, (one, start) in enumerate(places):
            for other, beside in places[i + 1 :]:
                if one is other and beside - start < RUN:
                    continue
                follows = (one.shown, start - 1, other.shown, beside - 1) in seen
                seen.add((one.shown, start, other.shown, beside))
                if not follows:
                    first, second = lines[one.path][start][0], lines[other.path][beside][0]
                    found.append(f"{one.shown}:{first} ~ {other.shown}:{second}")
    return sorted(found)


def _telling(module: Module) -> list[tuple[int, str]]:
    """Number and text of the lines that say something of their own."""
    passed = _passed_over(module.tree)
    kept = []
    for number, line in enumerate(module.text.splitlines(), 1):
        text = line.strip()
        if number not in passed and any(c.isalnum() for c in text) and not text.startswith("#"):
            kept.append((number, text))
    return kept


def _passed_over(tree: ast.Module) -> set[int]:
    """Lines of imports and of texts that stand alone (docstrings)."""
    found: set[int] = set()
    for node in ast.walk(tree):
        alone = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if alone or isinstance(node, ast.Import | ast.ImportFrom):
            found |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found
