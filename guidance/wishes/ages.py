"""Ages in words: "70 years old", "in her sixties", "ten years younger"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OLDEST = 110
_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBERS = {word: index for index, word in enumerate(_ONES)}
_NUMBERS |= {word: 10 * (index + 2) for index, word in enumerate(_TENS)}
_NUMBERS |= {"hundred": 100, "dozen": 12, "decade": 10, "few": 5}
_DECADES = {word[:-1] + "ies": 10 * (index + 2) for index, word in enumerate(_TENS)}
_DECADES |= {f"{tens}s": tens for tens in range(20, 100, 10)}
_DECADES |= {"teens": 15}
_YEARS = ("years", "year", "yrs", "yr", "yo", "y")
_BEFORE = (
    "aged",
    "age",
    "turning",
    "about",
    "around",
    "approximately",
    "roughly",
    "early",
    "late",
    "mid",
)
_SHIFT = {"early": -3, "late": 3}


@dataclass(frozen=True)
class Age:
    """An age that was read.

    Args:
        years: the age, or how much is added to it.
        count: words it takes.
        after: it is a change: "ten years younger" is -10.
    """

    years: float
    count: int
    after: bool = False


def age_at(tokens: Sequence[str]) -> Age | None:
    """The age that some words begin with, or None."""
    skipped = 0
    while skipped < len(tokens) and tokens[skipped] in _BEFORE:
        skipped += 1
    found = _number(tokens[skipped:])
    if found is None:
        return None
    years, count, whole = found
    years += sum(_SHIFT.get(token, 0) for token in tokens[:skipped]) if whole else 0
    rest = tokens[skipped + count :]
    total = skipped + count
    if rest and rest[0] in _YEARS:
        return _of_years(years, total + 1, rest[1:])
    said = any(token in ("aged", "age", "turning") for token in tokens[:skipped])
    if whole or (rest[:1] == ["something"]) or said:
        return _held(years, total + (rest[:1] == ["something"]))
    return None


def _of_years(years: float, count: int, rest: Sequence[str]) -> Age | None:
    """Of "ten years" and what follows: old, older, younger."""
    if rest and rest[0] in ("older", "younger"):
        return Age(years if rest[0] == "older" else -years, count + 1, after=True)
    if rest and rest[0] in ("off", "away"):
        return Age(-years, count + 1, after=True)
    return _held(years, count + (bool(rest) and rest[0] in ("old", "olds")))


def _held(years: float, count: int) -> Age | None:
    return Age(float(years), count) if 0 < years <= OLDEST else None


def _number(tokens: Sequence[str]) -> tuple[float, int, bool] | None:
    """A number, how many words it takes, and whether it is a decade of life ("sixties")."""
    if not tokens:
        return None
    first = tokens[0]
    if first in _DECADES:
        return _DECADES[first] + 5 * (first != "teens"), 1, True
    if first.isdigit() and len(first) <= 3:
        return float(first), 1, False
    for ending in ("yo", "yr"):
        bare = first.removesuffix(ending)
        if bare != first and bare.isdigit() and len(bare) <= 3:
            return float(bare), 1, True
    if first not in _NUMBERS:
        return None
    value = _NUMBERS[first]
    second = _NUMBERS.get(tokens[1], 0) if len(tokens) > 1 else 0
    if value >= 20 and value % 10 == 0 and 0 < second < 10:
        return float(value + second), 2, False
    return float(value), 1, False
