"""Several edits of one face: what its code becomes, and the picture in which each shows only where
it was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from guidance.common import apply_offset, draw
from guidance.controls.control import blend
from multimodal.meant import Meant
from multimodal.types import Generator, Latent, Offset


@dataclass(frozen=True)
class Applied:
    """An edit that was worked out.

    Args:
        offset: what it changes at strength 1.
        strength: how far.
        place: name of the part of the picture that it shows in, or None for everywhere.
        mask: that part, `[1, 1, R, R]` in [0, 1]; edits of one place have one mask.
    """

    offset: Offset
    strength: float
    place: str | None = None
    mask: Tensor | None = None


REGIONS = {
    "hair_color": "hair",
    "hair_dye": "hair",
    "lipstick": "mouth",
    "eye_color": "eyes",
    "skin": "skin",
}
"""The named region that a class's words speak of, where they speak of one."""


def meant_in(meant: tuple[Meant, ...], place: str | None) -> tuple[Meant, ...]:
    """What words say of one place of a face; of None, all that they say."""
    if place is None:
        return meant
    return tuple(one for one in meant if REGIONS.get(one.sense.split(": ")[0]) == place)


def meant_by(latent: Latent, edits: Sequence[Applied]) -> tuple[Meant, ...]:
    """What the words of some edits say, each of its own place."""
    found = latent.meant
    for one in edits:
        place = one.place if one.mask is not None else None
        found += meant_in(one.offset.scaled(one.strength).meant, place)
    return found


@torch.no_grad()
def stacked(
    generator: Generator, latent: Latent, edits: Sequence[Applied]
) -> tuple[Latent, Tensor]:
    """The code with all edits, as if none had a place, and the picture `[1, 3, H, W]` in which each
    shows in its place alone.

    Args:
        generator: draws.
        latent: the face at rest, batch 1.
        edits: in the order they are made; a later place lies over an earlier one.
    """
    edits = [edit for edit in edits if edit.strength != 0]  # else blending rounds a face at rest
    whole = _moved(generator, latent, edits)
    base = _moved(generator, latent, [e for e in edits if e.mask is None])
    places = dict.fromkeys(e.place for e in edits if e.mask is not None)
    if not places:
        return whole, draw(generator, whole)
    parts = []
    for place in places:
        mine = [e for e in edits if e.mask is not None and e.place == place]
        assert mine[-1].mask is not None
        parts.append((_moved(generator, base, mine), mine[-1].mask))
    return whole, blend(generator, base, parts)


def _moved(generator: Generator, latent: Latent, edits: Sequence[Applied]) -> Latent:
    for edit in edits:
        latent = apply_offset(generator, latent, edit.offset, edit.strength)
    return latent
