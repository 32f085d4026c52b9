"""The crop that FFHQ-trained generators expect, and where it lies in its photo.

The geometry is the recipe published with FFHQ (Karras et al. 2019, arXiv 1812.04948, appendix A):
a turned square whose side follows from the distances between eyes and mouth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

MAX_SIZE = 4096
MAX_COORDINATE = 1e6
Point = tuple[float, float]


@dataclass(frozen=True)
class FaceTransform:
    """Where an aligned crop lies in its photo.

    Args:
        quad: corners of the crop in pixels of the photo (whole numbers name pixel centres):
            upper left, lower left, lower right, upper right. A parallelogram.
        size: side of the crop in its own pixels.

    Raises:
        ValueError: not four finite points that span an area, or a size out of range.
    """

    quad: tuple[Point, Point, Point, Point]
    size: int

    def __post_init__(self) -> None:
        quad = np.asarray(self.quad, np.float64)
        if quad.shape != (4, 2) or not bool((np.abs(quad) <= MAX_COORDINATE).all()):
            raise ValueError(f"a crop has four corners in its photo, got {self.quad!r}")
        if not isinstance(self.size, int) or not 1 <= self.size <= MAX_SIZE:
            raise ValueError(f"a crop's side is 1 to {MAX_SIZE} pixels, got {self.size!r}")
        object.__setattr__(self, "quad", tuple((float(x), float(y)) for x, y in quad))
        if abs(np.linalg.det(self._axes())) < 1.0:
            raise ValueError(f"the crop's corners span no area: {self.quad!r}")

    @property
    def side(self) -> float:
        """Side of the crop in pixels of the photo."""
        return math.sqrt(abs(float(np.linalg.det(self._axes()))))

    def to_photo(self, points: np.ndarray) -> np.ndarray:
        """Points `[N, 2]` of the crop, in its pixels, to pixels of the photo."""
        return (points + 0.5) / self.size @ self._axes() + np.array(self.quad[0])

    def to_crop(self, points: np.ndarray) -> np.ndarray:
        """Points `[N, 2]` of the photo to pixels of the crop."""
        return self.to_unit(points) * self.size - 0.5

    def to_unit(self, points: np.ndarray) -> np.ndarray:
        """Points `[..., 2]` of the photo to parts of the crop's side; inside is 0 to 1."""
        return (points - np.array(self.quad[0])) @ np.linalg.inv(self._axes())

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return {"quad": [list(point) for point in self.quad], "size": self.size}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> FaceTransform:
        """What `to_dict` wrote.

        Raises:
            ValueError: other entries, or impossible ones.
        """
        if set(values) != {"quad", "size"}:
            raise ValueError(f"a crop's place has 'quad' and 'size', got {sorted(values)}")
        try:
            return FaceTransform(**values)
        except TypeError as error:
            raise ValueError(f"a crop's place is made of numbers: {error}") from error

    def _axes(self) -> np.ndarray:
        """The crop's sides as rows `[2, 2]`: rightwards, downwards."""
        quad = np.array(self.quad)
        return np.stack([quad[3] - quad[0], quad[1] - quad[0]])


def ffhq_quad(landmarks: np.ndarray) -> np.ndarray:
    """Corners `[4, 2]` of the FFHQ crop of 68 points `[68, 2]`, in the order of `FaceTransform`.

    Raises:
        ValueError: not 68 finite points.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise ValueError(f"expected 68 points [68, 2], got {points.shape}")
    left, right = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    between, across = (left + right) / 2, right - left
    down = (points[48] + points[54]) / 2 - between
    # Rightwards is the mean of the eyes' line and the normal of the face's middle line.
    x = across + np.array([down[1], -down[0]])
    length = float(np.hypot(*x))
    if length < 1e-6:
        raise ValueError("these 68 points are not those of a face: eyes and mouth coincide")
    x *= max(np.hypot(*across) * 2.0, np.hypot(*down) * 1.8) / length
    y = np.array([-x[1], x[0]])
    centre = between + down * 0.1
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def align(
    image: Image.Image, landmarks: np.ndarray, size: int
) -> tuple[Image.Image, FaceTransform]:
    """The FFHQ crop of a face, `size` pixels a side, and where it lies.

    Raises:
        ValueError: impossible landmarks or size.
    """
    quad = ffhq_quad(landmarks)
    transform = FaceTransform(tuple((float(x), float(y)) for x, y in quad), size)  # type: ignore[arg-type]
    return cut(image, transform), transform


def cut(image: Image.Image, transform: FaceTransform) -> Image.Image:
    """The part of a photo that a transform names; beyond the photo's edge it is mirrored."""
    image = image.convert("RGB")
    quad = np.array(transform.quad) + 0.5  # pixel centres to distances from the outer corner
    side, size = transform.side, transform.size
    shrink = math.floor(side / size * 0.5)
    if shrink > 1:
        smaller = (max(1, round(image.width / shrink)), max(1, round(image.height / shrink)))
        quad *= np.array(smaller) / image.size
        image, side = image.resize(smaller, Image.Resampling.LANCZOS), side / shrink
    image, quad = _crop(image, quad, max(round(side * 0.1), 3))
    image, quad = _mirror_edges(image, quad, side)
    fine = size * max(1, min(4, MAX_SIZE // size))
    drawn = image.transform(
        (fine, fine), Image.Transform.QUAD, quad.ravel().tolist(), Image.Resampling.BILINEAR
    )
    return drawn if fine == size else drawn.resize((size, size), Image.Resampling.LANCZOS)


def _crop(image: Image.Image, quad: np.ndarray, border: int) -> tuple[Image.Image, np.ndarray]:
    """The photo around the quad only."""
    low = np.clip(np.floor(quad.min(axis=0)).astype(int) - border, 0, np.array(image.size) - 1)
    high = np.clip(np.ceil(quad.max(axis=0)).astype(int) + border, low + 1, image.size)
    return image.crop((*low.tolist(), *high.tolist())), quad - low


def _mirror_edges(
    image: Image.Image, quad: np.ndarray, side: float
) -> tuple[Image.Image, np.ndarray]:
    """Where the quad leaves the photo: mirrored, and blurred more with the distance."""
    border = max(round(side * 0.1), 3)
    before = np.maximum(-np.floor(quad.min(axis=0)) + border, 0)
    after = np.maximum(np.ceil(quad.max(axis=0)) - image.size + border, 0)
    if max(before.max(), after.max()) <= border - 4:
        return image, quad
    before, after = (np.maximum(p, round(side * 0.3)).astype(int) for p in (before, after))
    widths = ((before[1], after[1]), (before[0], after[0]), (0, 0))
    padded = np.pad(np.asarray(image), widths, mode="reflect")
    height, width = padded.shape[:2]
    across = _outside(width, before[0], after[0])[None, :]
    down = _outside(height, before[1], after[1])[:, None]
    outside = np.maximum(across, down)[..., None].astype(np.float32)
    radius = ImageFilter.GaussianBlur(side * 0.02)
    blurred = np.asarray(Image.fromarray(padded).filter(radius), np.float32)
    mixed = padded.astype(np.float32)
    mixed += (blurred - mixed) * np.clip(outside * 3 + 1, 0, 1)
    mixed += (np.median(mixed, axis=(0, 1)) - mixed) * np.clip(outside, 0, 1)
    return Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8)), quad + before


def _outside(length: int, before: int, after: int) -> np.ndarray:
    """1 at the padded ends, 0 where the photo begins, negative inside; `[length]`."""
    index = np.arange(length)
    return 1.0 - np.minimum(index / before, (length - 1 - index) / after)
