"""What the parser takes for hair, by what colours surely are hair's, and what shines is none."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

DOUBT = 0.2
"""Probability of hair up to which there is none, and up to 1 less which there is but hair."""
BINS, MOST = 16, 4.5
"""Shades of each colour by which hair is told from what is none; the most that they count, in
logarithms of odds."""
ABOUT = 1.12
"""Size of what lies among skin, in that of the skin's hull."""
LEAST, MUCH_DARKER = 400, 0.5
"""Pixels of hair that tell how dark it is; by how much hair is darker than skin, in logarithms, for
what shines to be none."""


def surely_hair(values: np.ndarray, picture: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """How surely each pixel is hair `[S, S]` in [0, 1].

    Args:
        values: what the parser says of that.
        picture: `[S, S, 3]` in [0, 1].
        skin: how surely each pixel is a face's skin, by the parser.
    """
    values = _like_colours(values, picture)
    return values * (1 - _shining(values, picture, skin))


def _like_colours(values: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Values by what colours surely have them, and surely have not: a hat is of one cloth, and what
    is a forehead's elsewhere is one's here (histograms as in GrabCut's first step; Rother,
    Kolmogorov and Blake 2004, section 2)."""
    sure, none = (values > 0.95).astype(np.uint8), (values < 0.05).astype(np.uint8)
    if min(sure.sum(), none.sum()) < 2000:
        return values
    soft = cv2.GaussianBlur(picture, (0, 0), 2.0)
    levels = (soft * (BINS - 1) + 0.5).astype(np.uint8)
    place = (levels[..., 0].astype(np.int32) * BINS + levels[..., 1]) * BINS + levels[..., 2]
    counts = []
    for mask in (sure, none):
        count = np.bincount(place[mask > 0], minlength=BINS**3).reshape((BINS,) * 3)
        smooth = gaussian_filter(count.astype(np.float32), 0.7)
        counts.append(smooth / float(smooth.sum()))
    odds = np.log((counts[0] + 1e-5) / (counts[1] + 1e-5)).clip(-MOST, 0).ravel()[place]
    likely = ((values - DOUBT) / (1 - 2 * DOUBT)).clip(1e-4, 1 - 1e-4)
    found: np.ndarray = 1 / (1 + (1 - likely) / likely * np.exp(-odds))
    return np.where(values > 0, found, 0).astype(np.float32)


def _shining(values: np.ndarray, picture: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Where a forehead shines so that it was taken for hair: brighter than skin, among skin, while
    the hair is much darker, `[S, S]` in [0, 1]."""
    light = np.log(cv2.GaussianBlur(picture.mean(axis=-1), (0, 0), 1.5) + 0.03)
    hair = cv2.erode((values > 0.95).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    face = (skin > 0.8).astype(np.uint8)
    _, label, about, _ = cv2.connectedComponentsWithStats(face)
    if len(about) < 2 or hair.sum() < LEAST:
        return np.zeros_like(values)
    face = (label == 1 + int(about[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    usual = float(np.median(light[face > 0]))
    if float(np.quantile(light[hair], 0.6)) > usual - MUCH_DARKER:
        return np.zeros_like(values)
    hull = cv2.convexHull(cv2.findNonZero(face)).astype(np.float32)
    hull = hull.mean(axis=0) + ABOUT * (hull - hull.mean(axis=0))
    among: np.ndarray = np.zeros_like(values)
    cv2.fillConvexPoly(among, np.round(hull).astype(np.int32), 1.0)
    found = ((light > usual) & (values > 0.1) & (among > 0)).astype(np.float32)
    near = cv2.dilate(cv2.erode(found, np.ones((3, 3), np.uint8)), np.ones((9, 9), np.uint8))
    near = near * among * (light > usual - MUCH_DARKER / 2)
    soft: np.ndarray = cv2.GaussianBlur(near.astype(np.float32), (0, 0), 1.5)
    return soft
