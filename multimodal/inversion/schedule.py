"""How fast a short descent goes, step by step."""

from __future__ import annotations

import math

WARM_UP = 3
"""Steps over which a rate rises: Adam knows no scales yet."""
FALL = 0.1
"""Share of the steps after which it falls."""


def rate(step: int, count: int) -> float:
    """Share of the full rate at a step of `count`, in [0, 1]: a few steps up, then a cosine down
    to 0."""
    late = max(0.0, (step / count - FALL) / (1 - FALL))
    return min(1.0, (step + 1) / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * late))
