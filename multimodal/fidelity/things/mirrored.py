"""An eye that hair hides, as the face's other eye is, mirrored."""

from __future__ import annotations

import cv2
import numpy as np

from multimodal.fidelity.mesh import BROWS, EYES
from multimodal.fidelity.regions import Surroundings, share
from multimodal.fidelity.registration import fitted

HIDDEN, FREE = 0.025, 0.01
"""Share of the place about an eye that hair hides, from which they are drawn anew; that up to which
they are free to be drawn from."""
TURNED = 0.75
"""How broad the narrower eye is beside the other at least: a face that is turned more has none that
the other could be."""
ASIDE = 0.13
"""How far an iris lies from its eye's middle at most, in widths of the eye: mirrored, a glance
aside would squint."""
WIDER = 1.25
"""Size of what is drawn anew, in that of the eye."""


def other_eye(
    mesh: np.ndarray, around: Surroundings, hair: np.ndarray, flesh: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The hidden one of two eyes by the other one, where just one is hidden.

    Args:
        mesh: of the face `[468, 2]`, in parts of the square's side.
        around: the square about the head.
        hair: where it shows hair, `[S, S]` in [0, 1].
        flesh: its skin, lit as the face is, `[S, S, 3]`.

    Returns:
        colours `[S, S, 3]`, and where they are wanted `[S, S]` in [0, 1].
    """
    side = len(hair)
    parts = [mesh[[*EYES[eye], *BROWS[eye]]] for eye in (0, 1)]
    brows = [_hull(mesh[list(brow)], side, 1.15) > 0.3 for brow in BROWS]  # taken for hair at times
    places = [(_hull(part, side, 1.1) > 0.5) & ~b for part, b in zip(parts, brows, strict=True)]
    hidden = [float((hair[place] > 0.3).mean()) if place.any() else 1.0 for place in places]
    worse = int(np.argmax(hidden))
    better = 1 - worse
    worn = share(around.likely, ("glasses",))[places[better]]
    nothing = around.picture, np.zeros((side, side), np.float32)
    fringe = float((hair[brows[better]] > 0.3).mean()) > 3 * FREE  # it hangs over both
    if (
        hidden[worse] < HIDDEN
        or hidden[better] > FREE
        or fringe
        or not worn.size
        or worn.mean() > 0.2
    ):
        return nothing
    wide = np.sort([np.linalg.norm(part[8] - part[0]) for part in parts])
    if wide[0] < TURNED * wide[1] or _aside(mesh, around, better) > ASIDE:
        return nothing
    found = fitted(parts[worse], parts[better])
    line = (np.arange(side) + 0.5) / side
    cells = np.stack([*np.meshgrid(line, line), np.ones((side, side))], axis=-1)
    at = ((cells @ found) * side - 0.5).astype(np.float32)
    border = cv2.BORDER_REFLECT_101
    seen, lit = (
        cv2.remap(np.ascontiguousarray(plane, np.float32), at[..., 0], at[..., 1],
                  cv2.INTER_LINEAR, borderMode=border)
        for plane in (around.picture, flesh)
    )  # fmt: skip
    colours = seen * np.clip((flesh + 0.03) / (lit + 0.03), 0.5, 2.0)
    return colours, _hull(parts[worse], side, WIDER)


def _aside(mesh: np.ndarray, around: Surroundings, eye: int) -> float:
    """How far an iris lies from its eye's middle, in widths of the eye."""
    side, rim = len(around.picture), mesh[list(EYES[eye])]
    ys, xs = np.nonzero((share(around.likely, ("iris",)) > 0.4) & (_hull(rim, side, 1.2) > 0.5))
    if len(xs) < 4:
        return 1.0
    wide = rim[8] - rim[0]
    away = (np.array([xs.mean(), ys.mean()]) + 0.5) / side - (rim[0] + rim[8]) / 2
    return abs(float(away @ wide)) / float(wide @ wide)


def _hull(outline: np.ndarray, side: int, size: float) -> np.ndarray:
    """The hull of points `[N, 2]`, `size` times as large, soft, `[S, S]` in [0, 1]."""
    middle = outline.mean(axis=0)
    spread = np.abs(outline - middle).max()
    points = middle + (outline - middle) * size
    found = np.zeros((side, side), np.float32)
    hull = cv2.convexHull(np.round(points * side * 16 - 8).astype(np.int32))
    cv2.fillPoly(found, [hull], 1.0, cv2.LINE_AA, 4)
    grown = cv2.dilate(found, np.ones((max(round(0.25 * (size - 1) * spread * side), 1),) * 2))
    soft: np.ndarray = cv2.GaussianBlur(grown, (0, 0), max(0.06 * spread * side, 0.8))
    return soft
