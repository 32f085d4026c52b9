"""Masks of named regions of an aligned face: as a parser sees it, from its landmarks, from a
picture."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor

from multimodal.parsing.classes import PARTS
from multimodal.types import RegionParser

LEAST = 0.002
"""Share of the picture below which a parsed region counts as not there."""

_MARGIN = 0.01
REGIONS = ("hair", "eyes", "mouth", "skin", "background")

# FFHQ alignment puts the features in known places: an average face for when landmarks are missing,
# eye line at 0.46 of the height, eyes 0.24 of the width apart, in units of the side.
_EYES = ((0.38, 0.46), (0.62, 0.46))
_MOUTH = (0.5, 0.70)
_CHIN = 0.86


def region_mask(name: str, size: int, landmarks: Tensor | None = None) -> Tensor:
    """The soft mask `[1, 1, size, size]` of a region.

    Args:
        name: one of `REGIONS`.
        size: side of the aligned face in pixels.
        landmarks: 68 points `[68, 2]` in pixels of a face of that side, or None: where FFHQ
            alignment puts an average face.

    Raises:
        ValueError: an unknown region, or landmarks of another shape.
    """
    if name not in REGIONS:
        raise ValueError(f"region {name!r} is not one of {list(REGIONS)}")
    points = _average() if landmarks is None else _checked(landmarks) / size
    shapes = _shapes(points)
    head, face = _fill(shapes["head"], size), _fill(shapes["face"], size)
    features = np.maximum(_fill(shapes["eyes"], size), _fill(shapes["mouth"], size))
    masks = {
        "eyes": _fill(shapes["eyes"], size),
        "mouth": _fill(shapes["mouth"], size),
        "skin": face * (1 - features),
        "hair": head * (1 - face),
        "background": 1 - head,
    }
    return _soften(masks[name])


def parsed_mask(parser: RegionParser, crop: Tensor, name: str, size: int) -> Tensor | None:
    """The soft mask `[1, 1, size, size]` of a region as a parser sees it, or None where it sees
    next to nothing of it: a bald head's hair, a mouth behind a hand.

    Args:
        parser: tells the parts of faces apart.
        crop: the aligned face `[1, 3, H, W]` in [-1, 1].
        name: one of `REGIONS`.
        size: side of the mask in pixels.

    Raises:
        ValueError: an unknown region.
    """
    if name not in REGIONS:
        raise ValueError(f"region {name!r} is not one of {list(REGIONS)}")
    found = parser.mask(crop, PARTS[name]).cpu().float()
    found = F.interpolate(found, (size, size), mode="bilinear", antialias=True)
    if float(found.mean()) < LEAST:
        return None
    reach = 2 * max(round(_MARGIN * size), 1) + 1  # an edit of an edge needs both its sides
    wide = F.max_pool2d(found, reach, 1, padding=reach // 2)
    return _soften(wide[0, 0].numpy(), _MARGIN)


def mask_from_image(image: Image.Image, size: int, feather: float = 0.01) -> Tensor:
    """A mask picture (white where the edit shows) as `[1, 1, size, size]` in [0, 1]."""
    grey = image.convert("L").resize((size, size), Image.Resampling.BILINEAR)
    return _soften(np.asarray(grey, dtype=np.float32) / 255, feather)


def _checked(landmarks: Tensor) -> np.ndarray:
    if tuple(landmarks.shape) != (68, 2):
        raise ValueError(f"landmarks have shape {tuple(landmarks.shape)}, expected [68, 2]")
    return landmarks.detach().cpu().double().numpy()


def _average() -> np.ndarray:
    """Landmarks of an average face in FFHQ alignment, in units of the side."""
    points = np.zeros((68, 2))
    turn = np.linspace(0, np.pi, 17)
    points[:17, 0] = 0.5 - 0.24 * np.cos(turn)
    points[:17, 1] = 0.48 + (_CHIN - 0.48) * np.sin(turn)
    for first, (x, y) in ((17, _EYES[0]), (22, _EYES[1])):
        points[first : first + 5] = [(x + d, y - 0.075) for d in np.linspace(-0.07, 0.07, 5)]
    points[27:36] = [(0.5, y) for y in np.linspace(0.46, 0.60, 9)]
    ring = np.linspace(0, 2 * np.pi, 7)[:-1]
    for first, (x, y) in ((36, _EYES[0]), (42, _EYES[1])):
        points[first : first + 6, 0] = x - 0.05 * np.cos(ring)
        points[first : first + 6, 1] = y - 0.02 * np.sin(ring)
    ring = np.linspace(0, 2 * np.pi, 21)[:-1]
    points[48:, 0] = _MOUTH[0] - 0.09 * np.cos(ring)
    points[48:, 1] = _MOUTH[1] - 0.035 * np.sin(ring)
    return points


def _shapes(points: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Polygons of each region, in units of the side."""
    left, right = points[36:42].mean(0), points[42:48].mean(0)
    centre, across = (left + right) / 2, right - left
    span = float(np.linalg.norm(across)) or 1e-3
    up = np.array([across[1], -across[0]]) / span
    brow = points[17:27] + up * 0.55 * span
    face = np.concatenate([points[:17], brow[::-1]])
    middle = centre - up * 0.25 * span
    eyes = [
        _grown(np.concatenate([points[a:b], points[c:d]]), 1.15)
        for a, b, c, d in ((36, 42, 17, 22), (42, 48, 22, 27))
    ]
    head = _ellipse(middle + up * 0.35 * span, 1.75 * span, 2.3 * span, across / span, up)
    return {
        "eyes": eyes,
        "mouth": [_grown(points[48:60], 1.7)],
        "face": [face],
        "head": [head, face],
    }


def _grown(points: np.ndarray, factor: float) -> np.ndarray:
    """The points moved out from their middle, in order of angle."""
    middle = points.mean(0)
    moved = middle + (points - middle) * factor
    angle = np.arctan2(moved[:, 1] - middle[1], moved[:, 0] - middle[0])
    return moved[np.argsort(angle)]


def _ellipse(
    middle: np.ndarray, wide: float, high: float, across: np.ndarray, up: np.ndarray
) -> np.ndarray:
    turn = np.linspace(0, 2 * np.pi, 49)[:-1, None]
    return middle + wide * np.cos(turn) * across + high * np.sin(turn) * up


def _fill(polygons: list[np.ndarray], size: int) -> np.ndarray:
    image = Image.new("L", (size * 2, size * 2))
    pen = ImageDraw.Draw(image)
    for polygon in polygons:
        pen.polygon([(float(x) * size * 2, float(y) * size * 2) for x, y in polygon], fill=255)
    small = image.resize((size, size), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32) / 255


def _soften(mask: np.ndarray, feather: float = 0.02) -> Tensor:
    image = Image.fromarray((mask.clip(0, 1) * 255).round().astype(np.uint8))
    soft = image.filter(ImageFilter.GaussianBlur(feather * mask.shape[0]))
    return torch.from_numpy(np.asarray(soft, dtype=np.float32) / 255)[None, None]
