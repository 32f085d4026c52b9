"""Memory that long-running servers would otherwise pile up."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any


def give_back() -> None:
    """Hand freed memory back to the system. The C library of Linux keeps what one edit used in the
    hope of the next, piece by piece; after hours a studio would hold far more than it needs."""
    _trim()(0)


@functools.cache
def _trim() -> Callable[[int], Any]:
    try:
        return ctypes.CDLL(None).malloc_trim  # type: ignore[no-any-return]
    except (OSError, AttributeError, TypeError):  # other systems
        return lambda _: 0
