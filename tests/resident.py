"""How much memory a block of a test takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@contextmanager
def grown_mib() -> Iterator[Callable[[], float]]:
    """Gives a function that says by how many MiB this process has grown at most; 0 where the
    system does not tell."""
    if not STATUS.is_file():
        yield lambda: 0.0
        return
    RESET.write_text("5")  # the highest so far is forgotten
    before = _highest()
    yield lambda: _highest() - before


def _highest() -> float:
    found = re.search(r"VmHWM:\s+(\d+)", STATUS.read_text())
    return int(found[1]) / 1024 if found else 0.0
