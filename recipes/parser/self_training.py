"""A parser's own confident answers about photographs, to go on learning from.

The teachers leave sets of classes. Most faces have no glasses, no beard and no hat, so a loss that
asks for a set alone would let these creep over every photograph. So a parser first learns without
the sets that hold them, then decides them: where a rare class is hardly likely, it is struck from
the set; where it may be, nothing is asked; where any class is sure, that is the label
(pseudo-labels: Lee 2013; in rounds: Xie et al. 2020, arXiv 1911.04252).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multimodal.parsing.classes import CLASSES
from multimodal.parsing.network import ParserNetwork
from multimodal.parsing.parser import FaceParser
from recipes.parser.data import Labelled, members
from recipes.parser.partial import ALL, bits

RARE = ("glasses", "beard", "hat")
HARDLY, FAIRLY, SURE = 0.15, 0.5, 0.85
_MANY = 8

Sets = NDArray[np.uint16]


def plain(sets: Sets) -> Sets:
    """Sets of which those that hold a rare class among others say nothing."""
    several = (sets & (sets - np.uint16(1))) != 0
    return np.where(several & ((sets & bits(*RARE)) != 0), np.uint16(ALL), sets)


def decided(likely: Tensor, sets: Tensor) -> Tensor:
    """The sets `[B, H, W]` with what a parser decides of them.

    Args:
        likely: probabilities of the classes `[B, C, H, W]`.
        sets: what the teachers left, int32 bit masks `[B, H, W]`.
    """
    rare = bits(*RARE)
    inside = [CLASSES.index(name) for name in RARE]
    likely = likely * members(sets, len(CLASSES))
    likely = likely / likely.sum(1, keepdim=True).clamp_min(1e-9)
    common = sets & ~rare
    chance = likely[:, inside].sum(1)
    kept = torch.where((chance < HARDLY) & (common > 0), common, sets)
    kept = torch.where((chance >= HARDLY) & (chance < FAIRLY), torch.full_like(sets, ALL), kept)
    top, place = likely.max(1)
    return torch.where(top > SURE, 1 << place.to(sets.dtype), kept)


def answered(
    network: ParserNetwork,
    photos: Labelled,
    told: Sequence[int] = (),
    on_photo: Callable[[int], None] | None = None,
) -> Labelled:
    """Photographs whose sets a parser has decided, seen as they are and mirrored.

    Args:
        network: decides.
        photos: and the sets that the teachers left.
        told: places of photographs that a person outlined: left as they are.
        on_photo: hears of every photograph.
    """
    parser, out = FaceParser(network), []
    for begin in range(0, len(photos), _MANY):
        places = range(begin, min(begin + _MANY, len(photos)))
        found = [photos[i] for i in places]
        pictures = torch.from_numpy(np.stack([p for p, _ in found])).permute(0, 3, 1, 2)
        sets = torch.from_numpy(np.stack([s for _, s in found]).astype(np.int32))
        likely = parser.probabilities(pictures * 2 - 1, mirror=True).to(sets.device)
        mine = decided(likely, sets).numpy().astype(np.uint16)
        for i, decision, (_, before) in zip(places, mine, found, strict=True):
            out.append(before if i in told else decision)
            if on_photo:
                on_photo(i)
    return Labelled(photos.images, (np.stack(out),), photos.names)
