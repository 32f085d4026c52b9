"""Photographs with rough outlines of what a parser mistakes: headgear, hands, white and dark hair.

`rough_labels.json` names photographs of the training split; by file, classes and corners in
hundredths of the side, drawn by a person well inside each thing. What no outline covers is left to
the teachers, and an outline of skin over the middle of a face says only that there is no hair, hat
or background.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from recipes.parser.data import Labelled
from recipes.parser.partial import ALL, Sets, bits

ROUGH_LABELS = Path(__file__).with_name("rough_labels.json")
FACE = bits(
    "skin", "nose", "brows", "eyes", "iris", "lips", "mouth", "teeth", "glasses", "beard"
)  # fmt: skip
_MIDDLE = (0.55, 0.5)
Outlines = dict[str, list[tuple[str, list[list[int]]]]]


def read_rough(path: Path = ROUGH_LABELS) -> Outlines:
    """Classes and corners by file."""
    found: Outlines = json.loads(path.read_text(encoding="utf-8"))
    return found


def rough_sets(outlines: list[tuple[str, list[list[int]]]], known: Sets) -> Sets:
    """Sets `[side, side]` with what a person outlined; of outlines that overlap the earlier counts.

    Args:
        outlines: classes and corners.
        known: the sets that the teachers left.
    """
    side, out = len(known), known.copy()
    drawn = np.zeros(known.shape, bool)
    for name, corners in outlines:
        image = Image.new("1", (side, side))
        points = [(x * side / 100, y * side / 100) for x, y in corners]
        ImageDraw.Draw(image).polygon(points, fill=1)
        inside = np.asarray(image) & ~drawn
        drawn |= inside
        if name == "skin" and inside[int(_MIDDLE[0] * side), int(_MIDDLE[1] * side)]:
            both = known & np.uint16(FACE)  # of the teachers' classes those of a face, or any
            out[inside] = np.where(both > 0, both, np.uint16(FACE))[inside]
        elif name == "beard":  # its outline goes over the mouth
            mouth = (known != ALL) & ((known & np.uint16(bits("lips", "mouth", "teeth"))) != 0)
            out[inside & ~mouth] = bits(name)
        else:
            out[inside] = bits(name)
    return out


def told(photos: Labelled, outlines: Outlines | None = None) -> list[int]:
    """Places of the photographs that somebody outlined."""
    outlines = read_rough() if outlines is None else outlines
    return [i for i, name in enumerate(photos.names) if name in outlines]


def outlined(photos: Labelled, outlines: Outlines | None = None) -> Labelled:
    """Photographs with the outlines drawn over the sets of those that have any."""
    outlines = read_rough() if outlines is None else outlines
    sets = np.stack([photos[i][1] for i in range(len(photos))])
    for i in told(photos, outlines):
        sets[i] = rough_sets(outlines[photos.names[i]], sets[i])
    return Labelled(photos.images, (sets,), photos.names)
