"""Figures of the tree's structure, printed by `make lint`; exits 1 when a bound is broken.

Bounds: no import cycles, no file over 400 lines, no function over 80, median function at most 12,
every public argument annotated, every public function and class with a docstring.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("multimodal", "guidance", "audio", "apps", "recipes", "benchmarks")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> list[Path]:
    """Every Python file of the project's packages."""
    return sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))


def functions(tree: ast.AST) -> Iterator[Function]:
    """All functions and methods."""
    return (n for n in ast.walk(tree) if isinstance(n, Function))


def length(node: Function) -> int:
    """Lines of a function's code, without its docstring."""
    body = node.body
    documented = ast.get_docstring(node) is not None and len(body) > 1
    first = body[1].lineno if documented else body[0].lineno
    return (node.end_lineno or first) - first + 1


def public(tree: ast.Module) -> Iterator[Function | ast.ClassDef]:
    """Public top-level functions and classes, and the public methods of those classes."""
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (
                    m for m in node.body if isinstance(m, Function) and not m.name.startswith("_")
                )


def unannotated(node: Function) -> list[str]:
    """Arguments without an annotation."""
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")]


def imports(path: Path, tree: ast.Module) -> set[str]:
    """Project modules imported at a module's top level."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in inner if is_module(name)}
            found |= modules if len(modules) == len(inner) else modules | {node.module}
    return {name for name in found if name.split(".")[0] in PACKAGES}


def is_module(name: str) -> bool:
    """Is this dotted name one of our files or packages?"""
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def module_name(path: Path) -> str:
    """Dotted name of a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Import cycles, each as a path of modules."""
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            found.append([*path[path.index(name) :], name])
            return
        if name in done:
            return
        for other in sorted(graph.get(name, set()) & graph.keys()):
            visit(other, [*path, name])
        done.add(name)

    for name in sorted(graph):
        visit(name, [])
    return found


def main() -> int:
    """Print the figures; return 1 when a bound is broken."""
    problems: list[str] = []
    lengths: list[int] = []
    graph: dict[str, set[str]] = {}
    for path in sources():
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        name = str(path.relative_to(ROOT))
        graph[module_name(path)] = imports(path, tree) - {module_name(path)}
        if text.count("\n") > 400:
            problems.append(f"{name}: {text.count(chr(10))} lines")
        for node in functions(tree):
            lengths.append(length(node))
            if length(node) > 80:
                problems.append(f"{name}: {node.name} has {length(node)} lines")
        for item in public(tree):
            if ast.get_docstring(item) is None:
                problems.append(f"{name}: {item.name} has no docstring")
            if isinstance(item, Function) and unannotated(item):
                problems.append(f"{name}: {item.name} leaves {unannotated(item)} unannotated")
    problems += [f"import cycle: {' -> '.join(c)}" for c in cycles(graph)]
    median = statistics.median(lengths)
    print(
        f"{len(graph)} files, {len(lengths)} functions: median {median:g} lines, "
        f"longest {max(lengths)}; {len(cycles(graph))} import cycles"
    )
    if median > 12:
        problems.append(f"median function is {median:g} lines")
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
