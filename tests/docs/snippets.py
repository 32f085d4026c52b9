"""Blocks of commands and Python in the pages, and how each is to be run.

A comment right before a block says how; docs/index.md explains the three kinds.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LANGUAGES = ("bash", "python", "", "mermaid")
_FENCE = re.compile(r"^```(\S*)\s*$")
_COMMENT = re.compile(r"^<!--\s*(.*?)\s*-->$")


@dataclass(frozen=True)
class Snippet:
    """One fenced block.

    Args:
        page: where it stands.
        line: of its first line of code.
        language: what follows the fence.
        code: its text.
        comment: the comment right before it, or "".
    """

    page: Path
    line: int
    language: str
    code: str
    comment: str

    @property
    def place(self) -> str:
        """Page and line, for messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def runs(self) -> bool:
        """Is it executed, or only checked?"""
        return not self.comment.startswith("not run:")

    @property
    def tiny(self) -> bool:
        """Does a tiny model stand in for the named one?"""
        return self.comment == "run: model=tiny"

    def commands(self) -> list[list[str]]:
        """The words of every command of a bash block."""
        joined = self.code.replace("\\\n", " ")
        lines = [shlex.split(line, comments=True) for line in joined.splitlines()]
        return [words for words in lines if words]


def pages() -> list[Path]:
    """README and every page."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def snippets(page: Path) -> list[Snippet]:
    """The blocks of a page, in order."""
    found: list[Snippet] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        opened = _FENCE.match(lines[number])
        if opened is None:
            number += 1
            continue
        end = next(i for i in range(number + 1, len(lines)) if lines[i].strip() == "```")
        before = _COMMENT.match(lines[number - 1]) if number else None
        code = "\n".join(lines[number + 1 : end]) + "\n"
        comment = "" if before is None else before.group(1)
        found.append(Snippet(page, number + 2, opened.group(1), code, comment))
        number = end + 1
    return found
