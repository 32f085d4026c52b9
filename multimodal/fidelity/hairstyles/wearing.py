"""A head that wears other hair: the one that fits is chosen and laid on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from multimodal.fidelity.change import Cover
from multimodal.fidelity.hairstyles.asking import Wanted
from multimodal.fidelity.hairstyles.fitting import fitting
from multimodal.fidelity.hairstyles.heads import Head
from multimodal.fidelity.hairstyles.laying import Worn, bare, laid, worn_cover
from multimodal.fidelity.hairstyles.library import Style

LOWER, SPARE = 0.12, 0.015
"""How much lower than its own a style's hair line is laid at most, and than a head's, in widths of
the face."""
BARE = 0.05
"""Share of a head's dome that may stand out above its hair."""


def wearing(
    head: Head, wanted: Wanted, bald: Callable[[], Cover], side: int, liked: str | None = None
) -> tuple[Worn, str] | None:
    """What makes a head wear other hair, over the square about it, and the name of the style; None:
    it wears such hair already, or none fits. A hair that does not fit is worse than none.

    Args:
        head: who shall wear it.
        wanted: the hair.
        bald: gives the square without the head's own hair.
        side: of the cover.
        liked: the style that is taken if it fits at all.
    """
    if not wanted.always and head.is_long != wanted.sheds:
        return None
    if head.wears_hat or ((wanted.sheds or wanted.always) and head.hangs_low):
        return None
    fits = fitting(head, wanted, liked)
    covering = (s for s in fits if bare(s, head.mesh, _lower(head, s)) < BARE)
    style = next(covering, None)
    if style is None:
        return None
    hair = laid(style, head.mesh, head.tones, side, _lower(head, style))
    own = bool((head.hair > 0.5).sum() > 100)
    return worn_cover(head, hair, bald() if own else None), style.known


def _lower(head: Head, style: Style) -> float:
    """How much lower a style's hair line has to be to hide a head's own."""
    own = head.hairline
    return 0.0 if own is None else float(np.clip(style.heights[0] - own + SPARE, 0, LOWER))
