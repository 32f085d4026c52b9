"""How much of every pixel belongs to the head: strands of hair, not only their outline.

Closed-form matting (Levin, Lischinski and Weiss 2008, IEEE TPAMI 30(2), equations 8 to 12): within
every small window the alpha is a linear function of the colour. Where the parser is sure it is
believed; between, the smoothest such alpha is solved for, along hair in a wide band. Larger photos
get it enlarged along their own edges.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import sparse
from scipy.sparse.linalg import cg

from multimodal.parsing.guided import guided_enlarge

SIDE = 512
"""Longest side at which alphas are solved for."""
EPSILON = 1e-5
"""Variance of colours in [0, 1] below which a window is taken to be of one colour."""
SURE = (0.06, 0.94)
"""Probabilities from which the parser is believed."""
NARROW, WIDE = 0.006, 0.03
"""Half the width of the band that is solved for, in parts of the side: elsewhere, along hair."""
PULL = 2e-3
"""Weight of the parser's own mask where it is not sure."""
ROUNDS = 400
_WINDOW = 9
Mask = NDArray[np.bool_]


def matte(picture: np.ndarray, likely: np.ndarray, hair: np.ndarray) -> np.ndarray:
    """The alpha `[H, W]` in [0, 1] of what a soft mask shows in a picture.

    Args:
        picture: `[H, W, 3]` uint8, square.
        likely: how surely each pixel is inside, `[h, w]` in [0, 1].
        hair: how surely each pixel is hair, likewise.
    """
    side = min(picture.shape[0], SIDE)
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    inside, strands = (
        cv2.resize(np.asarray(p, np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
        for p in (likely, hair)
    )
    unknown = band(inside, strands)
    alpha = solved(small.astype(np.float64) / 255, inside.astype(np.float64), unknown)
    if side == picture.shape[0]:
        return alpha
    guide = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    values = torch.from_numpy(alpha)[None, None].float()
    found: np.ndarray = guided_enlarge(values, guide, 2, 1e-4)[0, 0].numpy()
    return found


def band(inside: np.ndarray, hair: np.ndarray) -> Mask:
    """Where alphas are solved for `[S, S]`: where the parser is not sure, and along its edges."""
    side = inside.shape[0]
    doubt = ((inside > SURE[0]) & (inside < SURE[1])).astype(np.uint8)
    edge = cv2.morphologyEx((inside > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, _disc(1))
    of_hair = edge * (cv2.dilate(hair, _disc(round(WIDE * side))) > 0.4)
    wide = cv2.dilate(of_hair, _disc(round(WIDE * side)))
    narrow = cv2.dilate(np.maximum(edge, doubt), _disc(max(round(NARROW * side), 1)))
    found: Mask = np.maximum(wide, narrow) > 0
    return found


def solved(picture: np.ndarray, inside: np.ndarray, unknown: Mask) -> np.ndarray:
    """Alphas `[S, S]`: those of the mask where they are known, matted where not."""
    known = (inside > 0.5).astype(np.float64)
    if not unknown.any():
        return known
    laplacian = _laplacian(picture, unknown)
    free = unknown.ravel()
    rows = laplacian[free]
    pull = sparse.diags(np.full(int(free.sum()), PULL))
    right = -(rows[:, ~free] @ known.ravel()[~free]) + PULL * inside.ravel()[free]
    left = (rows[:, free] + pull).tocsr()
    start = inside.ravel()[free]
    scale = sparse.diags(1 / left.diagonal())
    found, _ = cg(left, right, x0=start, rtol=1e-5, maxiter=ROUNDS, M=scale)
    alpha = known.ravel()
    alpha[free] = np.clip(found, 0, 1)
    return alpha.reshape(known.shape)


def foreground(picture: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The colours of what an alpha shows, without what shines through from behind, uint8.

    A blurred estimate of both sides corrected by what they leave over (Forte 2021, arXiv
    2006.14970, equations 4 to 6, the blurs ours).
    """
    image = picture.astype(np.float32) / 255
    share = alpha[..., None].astype(np.float32)
    front = image
    for width in (picture.shape[0] / 20, picture.shape[0] / 150):
        over = cv2.GaussianBlur(alpha.astype(np.float32), (0, 0), width)[..., None]
        own = cv2.GaussianBlur(front * share, (0, 0), width) / (over + 1e-5)
        under = cv2.GaussianBlur(image * (1 - share), (0, 0), width) / (1 - over + 1e-5)
        front = np.clip(own + share * (image - share * own - (1 - share) * under), 0, 1)
    return np.asarray((front * 255).round(), np.uint8)


def cut_out(photo: Image.Image, alpha: Image.Image) -> Image.Image:
    """The photo with an alpha as its transparency, colours from behind taken out of its edges."""
    share = np.asarray(alpha, np.float32) / 255
    pixels = np.asarray(photo.convert("RGB"))
    edge = (share > 0) & (share < 1)
    front = np.where(edge[..., None], foreground(pixels, share), pixels)
    return Image.fromarray(np.dstack([front, np.asarray(alpha)]))


def _laplacian(picture: np.ndarray, unknown: Mask) -> sparse.csr_matrix:
    """The matting Laplacian of all windows of 3 x 3 pixels that touch unknown ones."""
    height, width = unknown.shape
    near = cv2.dilate(unknown.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    near[[0, -1]] = near[:, [0, -1]] = False
    rows, columns = np.nonzero(near)
    steps = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)])
    at = (rows[:, None] + steps[:, 0]) * width + columns[:, None] + steps[:, 1]
    colours = picture.reshape(-1, 3)[at]
    away = colours - colours.mean(axis=1, keepdims=True)
    spread = np.einsum("nki,nkj->nij", away, away) / _WINDOW
    inverse = np.linalg.inv(spread + EPSILON / _WINDOW * np.eye(3))
    shared = (1 + np.einsum("nki,nij,nlj->nkl", away, inverse, away)) / _WINDOW
    values = np.eye(_WINDOW) - shared
    first, second = np.repeat(at, _WINDOW, axis=1), np.tile(at, (1, _WINDOW))
    size = height * width
    triple = (values.ravel(), (first.ravel(), second.ravel()))
    return sparse.coo_matrix(triple, shape=(size, size)).tocsr()


def _disc(radius: int) -> np.ndarray:
    size = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
