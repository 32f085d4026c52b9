"""What every benchmark reports: seconds of something against seconds of something else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

HEADER = ("work", "seconds", "against", "its seconds", "ratio", "peak MB", "note")


@dataclass(frozen=True)
class Figure:
    """One line of the table of all benchmarks; both times come from one run.

    Args:
        work: what was timed.
        seconds: it took.
        against: what it is compared with.
        other: seconds that took.
        megabytes: peak of memory, or None where it was not looked at.
        note: whether results agree, and the like.
    """

    work: str
    seconds: float
    against: str
    other: float
    megabytes: float | None = None
    note: str = ""

    def of(self, part: str) -> Figure:
        """The same, of a part that the name of the work begins with."""
        return replace(self, work=f"{part} {self.work}")

    def cells(self) -> list[str]:
        """As a line of the table; a ratio above 1 means faster than what it is compared with."""
        held = "" if self.megabytes is None else f"{self.megabytes:.0f}"
        seconds, other = f"{self.seconds:.3f}", f"{self.other:.3f}"
        ratio = f"{self.other / max(self.seconds, 1e-9):.2f}x"
        return [self.work, seconds, self.against, other, ratio, held, self.note]


def markdown(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    names = list(header)
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
