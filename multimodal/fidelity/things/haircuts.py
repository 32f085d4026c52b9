"""Hair as men wear it, by a drawing of the face with such hair.

The generator's drawing tells what only it can tell: how far hair reaches, and the neck, clothes and
background where hair was. Hair itself stays the photo's own. Hair is not grown so for women: beside
a photo's own hair, drawn strands are seen to be put on.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from multimodal.fidelity.change import Cover
from multimodal.fidelity.drawn import Drawn
from multimodal.fidelity.mesh import OVAL
from multimodal.fidelity.regions import Surroundings, share
from multimodal.fidelity.registration import fitted
from multimodal.fidelity.things.filling import spread, strands
from multimodal.fidelity.things.tresses import eased, places_of
from multimodal.fidelity.wishes import Wishes

HAIR = ("hair",)
WORN = {"sex: male": "a man with short hair"}
"""Words for the drawings that show how hair is worn, by what words mean."""
STRENGTH = 1.4
"""How far those drawings go."""
FROM, WHOLLY = 0.3, 0.7
"""Amounts of a sex from which hair changes at all, and wholly."""
GROUPS = (("background",), ("clothes", "hat"), ("skin", "neck", "ears", "nose"))
"""What may lie where hair was."""
FAR = 0.02
"""How far beyond the drawing's hair the photo's own may reach, in widths of the face."""
KEPT = ("eyes", "iris", "lips", "mouth", "teeth", "glasses", "beard", "hat")
DARK = 0.03
WHOLE = 1.02
"""Sizes of the square about a head, in crops, from which the photo is more than the crop."""
BEYOND = 0.04
"""Share of hair that may lie beyond the drawing, where it is cut."""
EDGE = 0.06
"""Part of a drawing's side over which it fades out towards its border."""


def worn(wishes: Wishes) -> tuple[str, float]:
    """The sex as which hair shall be worn, and how much of it in [0, 1]; words that name hair
    come first."""
    named = ("hair_length", "hair_style", "hat")
    if any(wishes.strongest(attribute) is not None for attribute in named):
        return "", 0.0
    sense = max(WORN, key=wishes.amount)
    much = float(np.clip((wishes.amount(sense) - FROM) / (WHOLLY - FROM), 0, 1))
    return (sense, much) if much > 0 else ("", 0.0)


@dataclass(frozen=True, eq=False)
class Placed:
    """A drawing brought to a photo's place by the meshes.

    Args:
        drawn: what is read.
        spots: where each pixel lies in the drawing, in its pixels `[S, S, 2]`.
        inside: where there is a drawing `[S, S]` in [0, 1].
    """

    drawn: Drawn
    spots: np.ndarray
    inside: np.ndarray

    def read(self, plane: np.ndarray) -> np.ndarray:
        """A plane of the drawing in the photo's place, in [0, 1]."""
        found = cv2.remap(
            np.ascontiguousarray(plane, np.float32),
            self.spots[..., 0],
            self.spots[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(found.clip(0, 1))

    def shown(self, names: tuple[str, ...]) -> np.ndarray:
        """Where it shows some classes, `[S, S]` in [0, 1]."""
        return self.read(share(self.drawn.likely, names))


def placed(mesh: np.ndarray, around: Surroundings, drawn: Drawn) -> Placed:
    """A drawing of a face brought to the square about the photo's head.

    Args:
        mesh: of the photo's face `[468, 2]`, in parts of the square's side.
        around: the square.
        drawn: the drawing.
    """
    side, size = around.picture.shape[0], drawn.levels.shape[0]
    line = (np.arange(side) + 0.5) / side
    cells = np.stack([*np.meshgrid(line, line), np.ones((side, side))], axis=-1)
    at = (cells @ fitted(mesh, drawn.mesh)).astype(np.float32)
    inside = np.ones((side, side), np.float32)
    if around.room > WHOLE:  # the photo goes on beyond its crop
        inside = eased(np.minimum(at, 1 - at).min(axis=-1) / EDGE)
    return Placed(drawn, at * size - 0.5, inside)


def too_long(around: Surroundings, drawing: Placed) -> bool:
    """Does hair reach beyond what the drawing shows? Nothing is known of what lies behind that."""
    hair = around.where(HAIR)
    beyond = float((hair * (1 - drawing.inside)).sum())
    return beyond > BEYOND * float(hair.sum())


def shortened(mesh: np.ndarray, around: Surroundings, drawing: Placed, bald: np.ndarray) -> Cover:
    """What lies where hair reaches further than in a drawing with short hair.

    Args:
        mesh: of the photo's face `[468, 2]`, in parts of the square's side.
        around: the square about the head.
        drawing: the face with short hair.
        bald: the square without hair `[S, S, 3]`, for what lies beyond the drawing.
    """
    side, hair = around.picture.shape[0], around.where(HAIR)
    across, down, _ = places_of(mesh, side)
    wide = float(np.ptp(mesh[list(OVAL)][:, 0])) * side
    beyond = (drawing.shown(HAIR) < 0.5).astype(np.uint8)
    away = cv2.distanceTransform(beyond, cv2.DIST_L2, 5) / wide
    allowed = FAR + 0.35 * eased((-0.3 - down) / 0.45)
    keep = eased((allowed - away) / 0.05 + 0.5)
    above = eased((-0.02 - down) / 0.15) * eased((0.47 - np.abs(across)) / 0.06)
    keep = np.maximum(keep, above)  # a fringe is no long hair
    face = cv2.GaussianBlur(_oval(mesh, side, 0.97), (0, 0), 2)
    some = (hair > 0.15).astype(np.float32)
    core = some * (1 - keep) * (1 - face)
    core = np.maximum(core, strands(around, (core > 0.5).astype(np.float32)))
    gone = cv2.dilate((core > 0.4).astype(np.float32), np.ones((13, 13), np.uint8))
    other = np.clip(2 * share(around.likely, KEPT) - 0.5, 0, 1)
    stays = cv2.GaussianBlur(keep * (hair > 0.3), (0, 0), 1.5)
    alpha = cv2.GaussianBlur(gone, (0, 0), 2.5) * (1 - stays) * (1 - face) * (1 - other)
    near = cv2.dilate(np.maximum(some, core > 0.5), np.ones((15, 15), np.uint8))
    colours = _matched(around, drawing, 1 - near)
    if around.room > WHOLE:  # a drawn background would stand out beside the photo's own
        seen = drawing.inside * (1 - drawing.shown(GROUPS[0]))
        colours = bald + (colours - bald) * seen[..., None]
    grain = np.random.default_rng(0).standard_normal((side, side)).astype(np.float32)
    colours = colours + 0.01 * cv2.GaussianBlur(grain, (0, 0), 0.8)[..., None]
    return Cover(colours.clip(0, 1).astype(np.float32), alpha.astype(np.float32), False, "cut")


def _matched(around: Surroundings, drawing: Placed, clear: np.ndarray) -> np.ndarray:
    """A drawing in the photo's colours, kind by kind of what it shows, `[S, S, 3]`."""
    logs = np.log(around.picture + DARK), np.log(drawing.read(drawing.drawn.levels) + DARK)
    total, weights = np.zeros_like(logs[0]), np.full(clear.shape, 1e-6, np.float32)
    for names in GROUPS:
        shown = drawing.shown(names)
        own = (share(around.likely, names) > 0.6) * clear
        both = (own * (shown > 0.5) * (drawing.inside > 0.5)).astype(np.float32)
        weight = shown + 1e-3
        weights += weight
        if both.sum() > 150:
            total += weight[..., None] * spread(logs[0] - logs[1], both, (10, 25, 60))
        elif own.sum() > 150 and (shown > 0.5).sum() > 50:
            tones = [np.median(p[m], 0) for p, m in zip(logs, (own > 0, shown > 0.5), strict=True)]
            total += weight[..., None] * (tones[0] - tones[1])
    found: np.ndarray = np.exp(logs[1] + (total / weights[..., None]).clip(-0.9, 0.9)) - DARK
    return found


def _oval(mesh: np.ndarray, side: int, size: float) -> np.ndarray:
    """The face, somewhat smaller or larger, `[S, S]` in [0, 1]."""
    rim = mesh[list(OVAL)]
    points = (rim.mean(axis=0) + (rim - rim.mean(axis=0)) * size) * side
    found = np.zeros((side, side), np.float32)
    cv2.fillPoly(found, [np.round(points * 16 - 8).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return found
