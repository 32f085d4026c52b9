"""The map of the house is true to the house."""

from __future__ import annotations

import ast
import re

import pytest

from tests.docs.snippets import ROOT
from tests.structure.imports import graph
from tests.structure.tree import modules

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROOMS, WAY, ORDER = re.findall(r"```mermaid\n(.*?)```", PAGE, re.S)
ARROW = re.compile(r"^  ([\w.]+) --> ([\w.]+)$", re.M)


@pytest.fixture(scope="module")
def edges() -> dict[str, set[str]]:
    return graph(modules())


def boxes() -> list[str]:
    found = re.findall(r"^ +([a-z_]+(?:\.[a-z_]+)*)(?:\[|$)", ROOMS, re.M)
    return [name for name in found if name != "end"]


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def test_every_box_is_a_folder() -> None:
    assert len(boxes()) > 12
    assert [b for b in boxes() if not ROOT.joinpath(*b.split("."), "__init__.py").is_file()] == []


def test_every_arrow_is_an_import(edges: dict[str, set[str]]) -> None:
    false = [
        f"{a} --> {b}"
        for a, b in ARROW.findall(ROOMS)
        if not any(within(o, b) for name, all_ in edges.items() if within(name, a) for o in all_)
    ]
    assert ARROW.findall(ROOMS)
    assert false == []


def test_every_room_is_on_the_page() -> None:
    rooms = {m.path.parent.relative_to(ROOT).as_posix() for m in modules()}
    named = PAGE.replace("/", ".")
    missing = [r for r in sorted(rooms) if f"{r.split('/')[-1]}" not in named]
    assert missing == []


def test_the_way_of_a_prompt_names_what_is_there() -> None:
    steps = re.findall(r'\w\["([\w.]+):(\w+)"\]', WAY)
    assert len(steps) > 8
    for module, name in steps:
        path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        assert name in defined, f"{module} has no {name}"


def test_paths_in_the_table_exist() -> None:
    table = PAGE.partition("## Where do I find")[2].partition("## The recipes")[0]
    paths = re.findall(r"`((?:multimodal|guidance|audio|apps|recipes)/[\w/.]*)`", table)
    assert len(paths) > 15
    assert [p for p in paths if not (ROOT / p).exists()] == []


def test_the_order_of_recipes_names_rooms() -> None:
    named = {room for arrow in ARROW.findall(ORDER) for room in arrow}
    assert [room for room in sorted(named) if not (ROOT / "recipes" / room).is_dir()] == []
