"""Colours by value: what a named colour is called on hair, lips, skin, eyes and frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from guidance.wishes.types import Color

Palette = Mapping[str, Sequence[Color]]
"""Classes, each with colours that are surely of it."""

DARKER, PALER = 0.55, 0.45
"""What "dark" leaves of a colour, and how far "light" takes it to white."""


def from_hex(value: str) -> Color:
    """sRGB in [0, 1] of "#rrggbb".

    Raises:
        ValueError: it is not such a value.
    """
    if len(value) != 7 or not value.startswith("#"):
        raise ValueError(f"colour {value!r} is not of the form #rrggbb")
    red, green, blue = (int(value[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def to_lab(color: Color) -> tuple[float, float, float]:
    """CIE L*a*b* (D65) of an sRGB colour: L in 0..100."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color]
    red, green, blue = linear
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    fx, fy, fz = (_f(value) for value in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def _f(value: float) -> float:
    return value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116


def distance(first: Color, second: Color) -> float:
    """How far apart two colours look (CIE 1976): 2 is just seen, 100 is black and white."""
    return math.dist(to_lab(first), to_lab(second))


def nearest(color: Color, palette: Palette) -> tuple[str, float]:
    """The class with the nearest colour, and how far that is."""
    found = {name: min(distance(color, one) for one in known) for name, known in palette.items()}
    name = min(found, key=lambda one: found[one])
    return name, found[name]


def shares(color: Color, palette: Palette, sharpness: float = 4.0) -> dict[str, float]:
    """How much of each class a colour is, summing to 1: inverse distances (Shepard 1968)."""
    near = {n: min(distance(color, one) for one in known) for n, known in palette.items()}
    weights = {n: 1 / max(d, 1.0) ** sharpness for n, d in near.items()}
    total = sum(weights.values())
    return {n: w / total for n, w in weights.items()}


def shaded(color: Color, shade: str) -> Color:
    """A colour said to be "dark" or "light"."""
    if shade == "dark":
        red, green, blue = (c * DARKER for c in color)
    else:
        red, green, blue = (c + (1 - c) * PALER for c in color)
    return red, green, blue
