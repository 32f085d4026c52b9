"""A part of a photo, scaled and turned, that knows where its pixels lie in the photo."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

GREY = (128, 128, 128)


@dataclass(frozen=True, eq=False)
class View:
    """What a detector looks at.

    Args:
        image: its pixels.
        middle: where its middle lies in the photo, `[2]`, from the photo's outer corner.
        ratio: pixels of the photo a pixel of the view, `[2]`.
        angle: degrees by which the photo was turned, counter-clockwise.
    """

    image: Image.Image
    middle: np.ndarray
    ratio: np.ndarray
    angle: float = 0.0

    def to_photo(self, points: np.ndarray) -> np.ndarray:
        """Points `[..., 2]` of the view to pixels of the photo; whole numbers are pixel centres."""
        turn = math.radians(self.angle)
        axes = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        # About the outer corner, not a pixel's centre: so scaling leaves the edges where they are.
        away = (points + 0.5 - np.array(self.image.size) / 2) @ axes
        return away * self.ratio + self.middle - 0.5


def whole_of(photo: Image.Image, scale: float, angle: float = 0.0) -> View:
    """All of a photo, `scale` times its size, turned by `angle` on a canvas that holds it."""
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    small = photo.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    full = np.array(photo.size, np.float64)
    if angle:
        small = small.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=GREY)
    return View(small, full / 2, full / size, angle)


def tile_of(photo: Image.Image, corner: tuple[int, int], span: float, pixels: int) -> View:
    """A part of a photo that begins at a corner, `span` pixels of the photo a side, or what of it
    lies inside, drawn so that the whole span takes `pixels`."""
    left, top = corner
    right = min(photo.width, left + math.ceil(span))
    bottom = min(photo.height, top + math.ceil(span))
    scale = pixels / span
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    box = (left, top, right, bottom)
    small = photo.resize(size, Image.Resampling.BICUBIC, box, reducing_gap=2.0)
    inside = np.array([right - left, bottom - top], np.float64)
    return View(small, np.array([left, top]) + inside / 2, inside / size)


def part_of(
    photo: Image.Image, middle: np.ndarray, side: float, pixels: int, angle: float = 0.0
) -> View:
    """A square of a photo about a point `[2]`, turned by `angle`; beyond the edge it is black.

    Args:
        photo: where from.
        middle: of the square, from the photo's outer corner.
        side: of the square, in pixels of the photo.
        pixels: side of the view.
        angle: degrees counter-clockwise.
    """
    span = max(1, round(side))
    left, top = np.floor(middle - span / 2).astype(int).tolist()
    square = photo.crop((left, top, left + span, top + span))
    small = square.resize((pixels, pixels), Image.Resampling.BICUBIC)
    small = small.rotate(angle, Image.Resampling.BICUBIC)
    return View(small, np.array([left, top]) + span / 2, np.full(2, span / pixels), angle)
