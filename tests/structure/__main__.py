"""Figures of the tree's structure, printed by `make lint`; exits 1 when a bound is broken."""

from __future__ import annotations

import ast
import statistics
import sys

from tests.structure import imports, repeats, rooms
from tests.structure.tree import Function, Module, length, modules

FILE_LINES, FUNCTION_LINES, MEDIAN_LINES, REPEATS = 400, 60, 12, 5
"""Most lines of a file, of a function, of the median function; most repeated runs."""


def undocumented(module: Module) -> list[str]:
    """Public things without a docstring, and arguments without an annotation."""
    found = []
    for item in module.public():
        if ast.get_docstring(item) is None:
            found.append(f"{module.shown}: {item.name} has no docstring")
        if isinstance(item, Function):
            given = [*item.args.posonlyargs, *item.args.args, *item.args.kwonlyargs]
            bare = [a.arg for a in given if a.annotation is None and a.arg not in ("self", "cls")]
            found += [f"{module.shown}: {item.name} leaves {bare} unannotated"] if bare else []
    return found


def main() -> int:
    """Print the figures; return 1 when a bound is broken."""
    files = modules()
    edges = imports.graph(files)
    sizes = [(length(f), m, f.name) for m in files for f in m.functions()]
    median = statistics.median(size for size, _, _ in sizes)
    long = [f"{m.shown}: {name} has {n} lines" for n, m, name in sizes if n > FUNCTION_LINES]
    large = [f"{m.shown}: {n} lines" for m in files if (n := m.text.count("\n")) > FILE_LINES]
    circles = [f"import cycle: {' -> '.join(c)}" for c in imports.cycles(edges)]
    up, full, twice = imports.upward(edges), rooms.crowded(), repeats.repeated(files)
    bare = [line for module in files for line in undocumented(module)]
    print(f"{len(files)} files, {len(sizes)} functions: median {median:g} lines")
    print(f"folders over {rooms.MOST} entries {len(full)}")
    print(f"upward imports {len(up)}")
    print(f"cycles {len(circles)} (lazy included)")
    print(f"functions over {FUNCTION_LINES} lines {len(long)}")
    print(f"files over {FILE_LINES} lines {len(large)}")
    print(f"duplicated runs of {repeats.RUN} lines {len(twice)}")
    print(f"undocumented or unannotated {len(bare)}")
    broken = [*full, *up, *circles, *long, *large, *bare]
    broken += twice if len(twice) > REPEATS else []
    broken += [f"median function is {median:g} lines"] if median > MEDIAN_LINES else []
    print("\n".join(broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
