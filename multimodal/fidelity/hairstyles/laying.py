"""Hair of another photograph laid on a head: in its place, in its colour, behind what hides it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from multimodal.fidelity.change import Cover
from multimodal.fidelity.hairstyles.fitting import FIXED, similar
from multimodal.fidelity.hairstyles.heads import Head, upright, width_of
from multimodal.fidelity.hairstyles.library import DARK, SIDE, Style
from multimodal.fidelity.mesh import OVAL
from multimodal.fidelity.regions import share
from multimodal.fidelity.things.filling import spread
from multimodal.fidelity.things.skulls import skull_of

GRID = 128
BACK = (0.52, 0.64)
"""Distances from a head's middle up to which hair lies behind the neck, and from which it does not,
in widths of the face."""
NEAR, FAR = 0.10, 0.75
"""Distances beyond a face's outline, in its widths, up to which hair follows the outline wholly,
and from which it does not."""
FOLLOWS = 0.16
"""How far one point of the outline counts, in widths of the face."""
SPREADS = (0.75, 1.25)
"""Bounds of the factor by which hair's contrast comes nearer to that of the photo's own."""
HUES = 0.6
"""How much of its variety of hues is kept."""
BEHIND = 0.42
"""How light hair is that lies behind a neck, in parts of what hangs before it."""
BEFORE = ("skin", "nose", "neck", "clothes", "lips", "ears")
"""What hair falls behind, or before; not what is seen behind a head."""
SHADOW = 0.3
"""How much light hair takes from the skin beside it."""


@dataclass(frozen=True, eq=False)
class Worn(Cover):
    """What lies over the square about a head that wears other hair.

    Args:
        hair: how much of each colour is hair's, `[S, S]` in [0, 1]; else it is skin, or a wall.
    """

    hair: np.ndarray


@dataclass(frozen=True, eq=False)
class Laid:
    """Hair in its place over the square about a head.

    Args:
        colours: `[S, S, 3]` float32 in [0, 1].
        alpha: `[S, S]` in [0, 1].
    """

    colours: np.ndarray
    alpha: np.ndarray


def laid(style: Style, mesh: np.ndarray, tones: np.ndarray, side: int, lower: float = 0.0) -> Laid:
    """A style in a head's place and in its hair's colour.

    Args:
        style: the hair.
        mesh: of the face `[468, 2]`, in parts of the square's side.
        tones: logarithms of the colours of its own hair `[N, 3]`.
        side: of the planes to give back.
        lower: how much lower than its own the hair line shall be, in widths of the face.
    """
    places = _places(style, mesh, lower)
    spots = cv2.resize(places, (side, side), interpolation=cv2.INTER_LINEAR) * SIDE - 0.5
    layer: np.ndarray = style.layer.astype(np.float32)
    layer[..., :3] *= layer[..., 3:] / 255
    size = float(np.linalg.norm(style.mesh[356] - style.mesh[127])) * SIDE
    size /= float(np.linalg.norm(mesh[356] - mesh[127])) * side
    if size > 1.2:  # averaged first, so that no strand is skipped
        layer = cv2.GaussianBlur(layer, (0, 0), 0.42 * size)
    found = cv2.remap(layer, spots[..., 0], spots[..., 1], cv2.INTER_LINEAR)
    alpha = found[..., 3] / 255
    colours = found[..., :3] / (found[..., 3:] + 1e-3)
    return Laid(_toned(colours.clip(0, 1), style.tones, tones), alpha)


def bare(style: Style, mesh: np.ndarray, lower: float = 0.0) -> float:
    """Share of a head's dome that would stand out above a style; arguments as above."""
    spots = _places(style, mesh, lower).astype(np.float32) * GRID - 0.5
    alpha = cv2.resize(style.layer[..., 3], (GRID, GRID), interpolation=cv2.INTER_AREA)
    shown = cv2.remap(alpha, spots[..., 0], spots[..., 1], cv2.INTER_LINEAR) / 255
    dome = skull_of(mesh, GRID).dome
    above = 1 - np.maximum.accumulate(shown, axis=0)
    return float((dome * above).sum() / (dome.sum() + 1e-6))


def _places(style: Style, mesh: np.ndarray, lower: float) -> np.ndarray:
    """Where each cell of a square lies in that of a style `[G, G, 2]`, in parts of its side."""
    rows = similar(mesh[list(FIXED)], style.mesh[list(FIXED)])
    rim = mesh[list(OVAL)]
    rest = style.mesh[list(OVAL)] - (rim @ rows[:2] + rows[2])
    line = (np.arange(GRID) + 0.5) / GRID
    cells = np.stack(np.meshgrid(line, line), axis=-1)
    wide = width_of(mesh)
    away = np.linalg.norm(cells[:, :, None] - rim, axis=-1) / wide
    nearest = away.min(axis=-1, keepdims=True)
    weight = np.exp((nearest**2 - away**2) / (2 * FOLLOWS**2))
    moved = (weight[..., None] * rest).sum(axis=2) / weight.sum(axis=2)[..., None]
    face = np.zeros((GRID, GRID), np.uint8)
    cv2.fillPoly(face, [np.round(rim * GRID).astype(np.int32)], 1)
    out = cv2.distanceTransform(1 - face, cv2.DIST_L2, 5) / GRID / wide
    t = np.clip((FAR - out) / (FAR - NEAR), 0, 1)
    moved = moved * (t * t * (3 - 2 * t))[..., None]
    moved = cv2.GaussianBlur(moved, (0, 0), 1.5)
    eyes, up = upright(mesh)
    high = (cells - eyes) @ up / wide
    falls = np.interp(high, (-0.1, 0.2, *style.heights), (0, 1, 1, 0)) * lower * wide
    falls *= np.interp(np.abs((cells - eyes) @ (-up[1], up[0])) / wide, (0.25, 0.5), (1, 0.3))
    cells = cells + falls[..., None] * up
    return np.asarray(cells @ rows[:2] + rows[2] + moved, np.float32)


def _toned(colours: np.ndarray, worn: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Hair's colours brought to those of other hair: their mean, nearly their contrast."""
    logs = np.log(colours + DARK)
    mean, wanted = worn.mean(axis=0), own.mean(axis=0)
    bright, its = worn.mean(axis=1).std(), own.mean(axis=1).std()
    factor = float(np.clip(its / (bright + 1e-3), *SPREADS))
    rest = logs - mean
    light = rest.mean(axis=-1, keepdims=True)
    vivid = [float(np.abs(m - m.mean()).max()) + 0.03 for m in (wanted, mean)]
    motley = [float((t - t.mean(axis=1, keepdims=True)).std(axis=0).max()) for t in (own, worn)]
    kept = min(vivid[0] / vivid[1], motley[0] / (motley[1] + 1e-3), 1.0) * HUES
    most = min(0.2, 2 * motley[0])  # dark strands of many hues are no grey ones
    hue = ((rest - light) * kept).clip(-most, most)
    return np.asarray((np.exp(wanted + light * factor + hue) - DARK).clip(0, 1), np.float32)


def worn_cover(head: Head, hair: Laid, bald: Cover | None) -> Worn:
    """What lies over the square about a head that wears other hair.

    Args:
        head: in the square.
        hair: in its place.
        bald: the square without the head's own hair; None: it has none.
    """
    side = hair.alpha.shape[0]
    mesh, around, wide = head.mesh, head.around, width_of(head.mesh) * side
    face = _face(mesh, side)
    front = _sized(share(around.likely, ("glasses",)), side)
    alpha = hair.alpha * (1 - np.clip(2 * front - 0.4, 0, 1) * face)
    flesh = _sized(share(around.likely, BEFORE), side)
    flesh = np.maximum(cv2.GaussianBlur(flesh, (0, 0), 0.006 * wide), face)
    shade = cv2.GaussianBlur(alpha, (0, 0), 0.03 * wide) * SHADOW * flesh
    back = _between(alpha, mesh) * np.clip(1.5 - 2 * flesh, 0, 1)
    back = cv2.GaussianBlur(back, (0, 0), 0.008 * wide)
    small = _sized(hair.colours, side // 4)
    dark = spread(small, (_sized(alpha, side // 4) > 0.8).astype(np.float32)) * BEHIND
    dark = _sized(dark, side)
    layers = [(dark * 0, shade), (dark, back), (hair.colours, alpha)]
    if bald is not None:
        layers.insert(0, (_sized(bald.colours, side), _sized(bald.alpha, side)))
    colours, total = np.zeros_like(hair.colours), np.zeros_like(alpha)
    for above, much in layers:  # colours are kept multiplied by their alpha
        colours = colours * (1 - much)[..., None] + above * much[..., None]
        total = 1 - (1 - total) * (1 - much)
    colours = colours / (total[..., None] + 1e-6)
    mine = (1 - (1 - back) * (1 - alpha)) / (total + 1e-6)
    planes = [plane.astype(np.float32) for plane in (colours, total, mine)]
    return Worn(planes[0], planes[1], False, "hair", planes[2])


def _between(alpha: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """What lies between the locks at both sides of a neck, `[S, S]` in [0, 1]."""
    side = len(alpha)
    to_right = np.maximum.accumulate(alpha, axis=1)
    to_left = np.maximum.accumulate(alpha[:, ::-1], axis=1)[:, ::-1]
    found = np.minimum(to_right, to_left)
    line = (np.arange(side) + 0.5) / side
    wide, middle = width_of(mesh), mesh[list(OVAL)].mean(axis=0)
    lower = np.clip((line - mesh[1, 1]) / 0.03 + 0.5, 0, 1)[:, None]
    across = np.clip((BACK[1] - np.abs(line - middle[0]) / wide) / (BACK[1] - BACK[0]), 0, 1)
    ends = cv2.blur(found, (1, 2 * round(0.1 * wide * side) + 1))  # it thins out downwards
    return np.asarray(np.clip(2 * ends - 1, 0, 1) * found * lower * across, np.float32)


def _face(mesh: np.ndarray, side: int) -> np.ndarray:
    found = np.zeros((side, side), np.float32)
    points = np.round(mesh[list(OVAL)] * side * 16 - 8).astype(np.int32)
    cv2.fillPoly(found, [points], 1.0, cv2.LINE_AA, 4)
    return found


def _sized(plane: np.ndarray, side: int) -> np.ndarray:
    if plane.shape[0] == side:
        return plane
    return cv2.resize(plane, (side, side), interpolation=cv2.INTER_LINEAR)
