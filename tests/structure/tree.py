"""The project's Python files, parsed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("multimodal", "guidance", "audio", "apps", "recipes", "benchmarks")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file: where it lies, its dotted name, its text."""

    path: Path
    text: str

    @property
    def shown(self) -> str:
        """The path as messages name it."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def name(self) -> str:
        """Dotted name; a package's `__init__.py` has the package's."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text)

    def functions(self) -> Iterator[Function]:
        """All functions and methods."""
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    def public(self) -> Iterator[Function | ast.ClassDef]:
        """Public top-level functions and classes, and the public methods of those classes."""
        for node in self.tree.body:
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
                yield node
                if isinstance(node, ast.ClassDef):
                    methods = (m for m in node.body if isinstance(m, Function))
                    yield from (m for m in methods if not m.name.startswith("_"))


def modules(*packages: str) -> list[Module]:
    """Every Python file of these top-level folders, by default of all packages."""
    paths = (p for package in packages or PACKAGES for p in (ROOT / package).rglob("*.py"))
    return [Module(path, path.read_text(encoding="utf-8")) for path in sorted(paths)]


def length(node: Function) -> int:
    """Lines of a function's code, without its docstring."""
    body = node.body
    documented = ast.get_docstring(node) is not None and len(body) > 1
    first = body[1].lineno if documented else body[0].lineno
    return (node.end_lineno or first) - first + 1
