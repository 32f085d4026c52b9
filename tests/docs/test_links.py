"""Links between pages lead somewhere, and every page can be reached."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.snippets import ROOT, pages

_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?\s*\)")
_NAMED = re.compile(r"^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.MULTILINE)


def prose(page: Path) -> str:
    """A page without its fenced blocks and inline code."""
    text = re.sub(r"^```.*?^```\s*$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", "code", text)


def links(page: Path) -> list[str]:
    """Targets of a page's links."""
    return [*_LINK.findall(prose(page)), *_NAMED.findall(prose(page))]


def anchors(page: Path) -> set[str]:
    """The names GitHub gives a page's headings."""
    text = re.sub(r"^```.*?^```\s*$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    found: set[str] = set()
    for heading in _HEADING.findall(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        count = sum(1 for other in found if other == name or re.fullmatch(rf"{name}-\d+", other))
        found.add(f"{name}-{count}" if count else name)
    return found


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    for target in links(page):
        if re.match(r"[a-z]+:", target):
            assert target.startswith(("https://", "http://127.0.0.1")), target
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} links to {target}, which is missing"
        assert file.is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors(file), f"{page.name} links to {target}: no such heading"


def test_every_page_can_be_reached_from_the_index() -> None:
    start = ROOT / "docs" / "index.md"
    seen, waiting = set(), [start]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        inside = [(page.parent / link.partition("#")[0]).resolve() for link in links(page)]
        waiting += [p for p in inside if p.suffix == ".md" and p.is_relative_to(ROOT / "docs")]
    assert {p for p in pages() if p.parent != ROOT} <= seen


def test_the_readme_leads_to_the_pages() -> None:
    assert "docs/index.md" in links(ROOT / "README.md")


def test_pages_name_no_machine() -> None:
    for page in pages():
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w/.])/(work|tmp|root)/", text), page


def test_the_messages_of_troubleshooting_are_the_programs_own() -> None:
    folders = ("apps", "audio", "guidance", "multimodal")
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    joined = re.sub(r"\"\s*\n\s*f?\"", "", source)
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    page = page.partition("## Setting up")[0]  # what follows is said by other programs
    cells = re.findall(r"^\| ([^|]*`[^|]*?) \|", page, re.MULTILINE)
    messages = [text for cell in cells for text in re.findall(r"`([^`]+)`", cell)]
    for message in messages:
        for part in re.split(r"\.\.\.|\b\d+\b|\b[NM]\b|'[^']*'", message):
            if len(part.strip()) >= 8:
                assert part.strip() in joined, f"no message says {part.strip()!r}"
    assert len(messages) > 20
