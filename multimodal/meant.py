"""What the words of an edit mean."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Meant:
    """One thing that words ask for, for what a drawing of it does not say.

    Args:
        sense: attribute and class ("lipstick: yes").
        amount: how much of it, 1 for wholly; negative for less of it.
        color: the very colour in [0, 1], where one was named.
    """

    sense: str
    amount: float = 1.0
    color: tuple[float, float, float] | None = None
