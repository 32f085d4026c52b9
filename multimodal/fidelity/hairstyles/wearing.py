"""A head that wears other hair: the one that fits is chosen and laid on."""

from __future__ import annotations

from collections.abc import Callable

from multimodal.fidelity.change import Cover
from multimodal.fidelity.hairstyles.asking import Wanted
from multimodal.fidelity.hairstyles.fitting import fitting
from multimodal.fidelity.hairstyles.heads import Head
from multimodal.fidelity.hairstyles.laying import laid, worn_cover


def wearing(
    head: Head, wanted: Wanted, bald: Callable[[], Cover], side: int, liked: str | None = None
) -> tuple[Cover, str] | None:
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
    if head.wears_hat or (wanted.sheds and head.hangs_low):
        return None
    style = fitting(head, wanted, liked)
    if style is None:
        return None
    hair = laid(style, head.mesh, head.tones, side)
    own = bool((head.hair > 0.5).sum() > 100)
    return worn_cover(head, hair, bald() if own else None), style.known
