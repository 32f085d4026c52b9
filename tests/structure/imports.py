"""Which module imports which, where that is upwards, and where it goes round in a circle.

Imports inside functions count like those at the top: a circle that is only entered late is one.
"""

from __future__ import annotations

import ast

from tests.structure.tree import PACKAGES, Module

LAYERS: tuple[tuple[str, ...], ...] = (
    ("multimodal", "audio"),
    ("guidance",),
    ("multimodal.editing",),
    ("apps",),
    ("recipes", "apps.commands"),
    ("benchmarks",),
)
"""From the lowest: a module may import its own layer and those below. The longest prefix of a
module's name tells its layer, so `multimodal.editing` stands above `guidance`, and the commands
that start a training stand beside the recipes."""

FACADES = ("multimodal", "apps.cli")
"""Front doors, which name what stands above them and load it when it is asked for."""


def graph(modules: list[Module]) -> dict[str, set[str]]:
    """Names of the project's modules that each module imports, anywhere in its file."""
    known = {module.name for module in modules}
    return {module.name: _imports(module, known) - {module.name} for module in modules}


def _imports(module: Module, known: set[str]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & known
            found |= {node.module} if inner - known else set()
    return {name for name in found if name.split(".")[0] in PACKAGES}


def upward(edges: dict[str, set[str]]) -> list[str]:
    """Imports of something above, each as `importer -> imported`."""
    return [
        f"{name} -> {other}"
        for name, others in sorted(edges.items())
        for other in sorted(others)
        if name not in FACADES and other not in FACADES and layer(other) > layer(name)
    ]


def layer(name: str) -> int:
    """How high a module stands, 0 the lowest."""
    fits = [
        (len(prefix), height)
        for height, prefixes in enumerate(LAYERS)
        for prefix in prefixes
        if name == prefix or name.startswith(f"{prefix}.")
    ]
    return max(fits)[1]


def cycles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Circles of imports, each as a path of modules."""
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            found.append([*path[path.index(name) :], name])
            return
        if name in done:
            return
        for other in sorted(edges.get(name, set()) & edges.keys()):
            visit(other, [*path, name])
        done.add(name)

    for name in sorted(edges):
        visit(name, [])
    return found
