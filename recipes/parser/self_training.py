"""A parser's own confident answers about sampled pixels of photographs, to go on learning from.

The teachers leave sets of classes. Most faces have no glasses, no beard and no hat, so a loss that
asks for a set alone would let these creep over every photograph. So a parser first learns without
the sets that hold them, then decides them: where a rare class is hardly likely, it is struck from
the set; where it may be, nothing is asked; where any class is sure, that is the label
(pseudo-labels: Lee 2013; in rounds: Xie et al. 2020, arXiv 1911.04252).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from multimodal.parsing.classes import CLASSES
from recipes.parser.data import members
from recipes.parser.partial import ALL, bits

RARE = ("glasses", "beard", "hat")
HARDLY, FAIRLY, SURE = 0.15, 0.5, 0.85
_MANY = 16384

Reader = Callable[[Tensor], Tensor]


def plain(sets: Tensor) -> Tensor:
    """Which sets `[N]` are one class, or hold no rare one."""
    rare = bits(*RARE)
    return ((sets & rare) == 0) | ((sets & (sets - 1)) == 0)


@torch.no_grad()
def answered(read: Reader, seen: Tensor, sets: Tensor) -> Tensor:
    """The sets `[N]` with what a parser decides of them.

    Args:
        read: features `[n, F]` of sampled pixels to logits `[n, C]`.
        seen: features `[N, F]`.
        sets: what the teachers left, bit masks `[N]`.
    """
    rare = bits(*RARE)
    inside = torch.tensor([CLASSES.index(name) for name in RARE])
    out = sets.clone()
    for begin in range(0, len(sets), _MANY):
        part = slice(begin, begin + _MANY)
        mine = sets[part]
        likely = (
            read(seen[part]).float().softmax(1)
            * members(mine[:, None, None], len(CLASSES))[..., 0, 0]
        )
        likely = likely / likely.sum(1, keepdim=True).clamp_min(1e-9)
        common = mine & ~rare
        chance = likely[:, inside].sum(1)
        kept = torch.where((chance < HARDLY) & (common > 0), common, mine)
        kept = torch.where((chance >= HARDLY) & (chance < FAIRLY), torch.full_like(mine, ALL), kept)
        top, place = likely.max(1)
        out[part] = torch.where(top > SURE, 1 << place.to(mine.dtype), kept)
    return out
