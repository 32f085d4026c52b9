"""Several edits of one face: what its code becomes, and the picture in which each shows only where
it was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from guidance.common import apply_offset, draw
from guidance.controls.control import blend
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
