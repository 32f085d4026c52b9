"""What can be said aloud: a grammar of sentences, and what they ask for."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from guidance.wishes.reader import read_wishes
from guidance.wishes.types import Understood

PATH = Path(__file__).with_name("spoken.toml")
FACTORS = {"more": 1.25, "less": 0.8}
"""What "more" and "less" alone do to the strength of the last edit."""

FAINT, STRONG = 0.5, 2.0
TAKEN = 0.4
"""Chance that what may be left out is said."""

DRAWN = 6000
"""Sentences that are drawn from the grammar."""

_OPTION = re.compile(r"\[([^\[\]]*)\]")
_RULE = re.compile(r"<([^>]+)>")
_TERMINAL = re.compile(r"<[^>]+>|[\[\]()|*+;]|[a-z']+")


@dataclass(frozen=True)
class Spoken:
    """What was said.

    Args:
        text: the words, empty where nothing was understood.
        command: "more", "less", "undo", "redo" or "reset", or None for a wish.
        factor: multiple of the last edit's strength that "more" and "less" stand for.
        understood: the wishes, or None for a command.
    """

    text: str
    command: str | None = None
    factor: float = 1.0
    understood: Understood | None = None


def spoken(text: str) -> Spoken:
    """What a recognised sentence asks for."""
    for command, sentences in _table()["commands"].items():
        if text in sentences:
            return Spoken(text, command, _factor(command, text))
    return Spoken(text, understood=read_wishes(text))


def _factor(command: str, text: str) -> float:
    if command not in FACTORS:
        return 1.0
    power = FAINT if "bit" in text or "little" in text else STRONG if "much" in text else 1.0
    return float(FACTORS[command] ** power)


def sentences(sayable: Callable[[str], bool], count: int = DRAWN, seed: int = 0) -> list[str]:
    """Sentences that can be said, drawn from the grammar: what a recogniser learns to expect.

    Args:
        sayable: whether the recogniser can pronounce a word; alternatives with one that it cannot
            are left out.
        count: of the drawn ones; every command comes besides.
        seed: of the drawing.
    """
    draw = random.Random(seed)
    known = {
        name: [a for a in alternatives if all(sayable(word) for word in words_of(a))]
        for name, alternatives in rules().items()
    }
    drawn = [*known["command"], *["<say>"] * count]
    return [" ".join(_expanded(a, known, draw).split()) for a in drawn]


def common_sentences(sayable: Callable[[str], bool]) -> list[str]:
    """What is said most: every sentence of the table's `common` templates, each once.

    Args:
        sayable: whether the recogniser can pronounce a word.
    """
    every = [*rules()["command"], *(s for t in _table()["common"]["templates"] for s in _all(t))]
    fixed = (re.sub(r"\ba (?=[aeiou])", "an ", sentence) for sentence in every)
    return [s for s in dict.fromkeys(fixed) if all(map(sayable, s.split()))]


def _all(template: str) -> list[str]:
    """Every sentence of a template: each rule that it names is replaced by each alternative."""
    found = _RULE.search(template)
    if found is None:
        return [] if _OPTION.search(template) else [" ".join(template.split())]
    known = _table()["common"].get(found[1]) or rules()[found[1]]
    before, after = template[: found.start()], template[found.end() :]
    return [s for one in known for s in _all(f"{before}{one}{after}")]


def _expanded(alternative: str, known: Mapping[str, list[str]], draw: random.Random) -> str:
    """One sentence of an alternative: options are taken or left, rules are followed."""
    while found := _OPTION.search(alternative):
        taken = draw.choice(found[1].split("|")) if draw.random() < TAKEN else ""
        alternative = alternative[: found.start()] + taken + alternative[found.end() :]
    return _RULE.sub(lambda rule: _expanded(draw.choice(known[rule[1]]), known, draw), alternative)


def words_of(alternative: str) -> list[str]:
    """The plain words of an alternative of a rule."""
    return [t for t in _TERMINAL.findall(alternative) if t[0].isalpha()]


def rules() -> Mapping[str, list[str]]:
    """The grammar's rules, by name."""
    found: Mapping[str, list[str]] = _table()["rules"]
    return found


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    return tomllib.loads(PATH.read_text(encoding="utf-8"))
