"""A photo whose head is turned, lit from elsewhere, looks elsewhere or closes its eyes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from multimodal.faces.align import FaceTransform, cut
from multimodal.fidelity.change import Change
from multimodal.fidelity.composing import compose
from multimodal.heads.eyes import looking
from multimodal.heads.light import factors, lit
from multimodal.heads.measured import turned_truly
from multimodal.heads.solid import Solid, cells
from multimodal.heads.turning import rotation

SIDE = 512
"""Side of the map that the photo is read by."""
MOST = {"yaw": 30.0, "pitch": 20.0, "gaze_yaw": 25.0, "gaze_pitch": 15.0}
"""Degrees up to which a photo can give a head that is turned, or a gaze."""


@dataclass(frozen=True)
class Pose:
    """What shall change.

    Args:
        yaw: degrees by which the head turns to the picture's right.
        pitch: degrees downwards.
        gaze_yaw: degrees by which the eyes turn in the head to the picture's right.
        gaze_pitch: degrees downwards.
        blink: 0 leaves the lids, 1 closes them.
        light: where light comes from, degrees to the picture's right and downwards, or None.
        strength: of that light, 0 to 2.

    Raises:
        ValueError: a figure out of range.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    gaze_yaw: float = 0.0
    gaze_pitch: float = 0.0
    blink: float = 0.0
    light: tuple[float, float] | None = None
    strength: float = 1.0

    def __post_init__(self) -> None:
        for name, most in MOST.items():
            value = getattr(self, name)
            if not abs(value) <= most:
                said = name.replace("_", " ")
                raise ValueError(f"{said} {value:g} is out of range: from -{most:g} to {most:g}")
        if not 0 <= self.blink <= 1:
            raise ValueError(f"blink {self.blink:g} is out of range: 0 open, 1 shut")
        if not 0 <= self.strength <= 2:
            raise ValueError(f"light of strength {self.strength:g} is out of range: 0 to 2")

    @property
    def still(self) -> bool:
        """Nothing changes."""
        moves = (self.yaw, self.pitch, self.gaze_yaw, self.gaze_pitch, self.blink)
        return not any(moves) and (self.light is None or self.strength == 0)


@dataclass(frozen=True, eq=False)
class Posed:
    """A photo after it.

    Args:
        photo: the whole picture; what lies beyond the head is its own.
        change: what happened to the square about the head.
    """

    photo: Image.Image
    change: Change | None


def pose(solid: Solid, how: Pose) -> Posed:
    """The photo of a head that is turned, lit or looks as asked.

    The photo's own pixels are moved, by the head's depth: what was hidden is stretched from what
    was seen beside it. Beyond the head nothing moves.
    """
    if how.still:
        return Posed(Image.fromarray(solid.photo), None)
    places = cells()
    if how.yaw or how.pitch:
        places = turned_truly(solid, how.yaw, how.pitch)
    shift = cv2.resize(places - cells(), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    factor = _factor(solid, how, places)
    if how.gaze_yaw or how.gaze_pitch or how.blink:
        here = cells(SIDE) + shift
        seen = looking(solid, here, how.gaze_yaw, how.gaze_pitch, how.blink)
        shift = np.where(seen == here, shift, seen - cells(SIDE))
    summand = np.zeros((SIDE, SIDE, 3), np.float32)
    change = Change(shift.astype(np.float32), factor, summand)
    return Posed(Image.fromarray(compose(solid.photo, solid.place, change)), change)


def _factor(solid: Solid, how: Pose, places: np.ndarray) -> np.ndarray:
    if how.light is None or how.strength == 0:
        return np.ones((SIDE, SIDE, 3), np.float32)
    change = lit(solid, how.light, how.strength, rotation(how.yaw, how.pitch))
    place = FaceTransform(solid.place.quad, SIDE)
    crop = np.asarray(cut(Image.fromarray(solid.photo), place))
    factor = factors(solid, change, crop)
    spots = cv2.resize(places, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) * SIDE - 0.5
    across, down = np.moveaxis(spots.astype(np.float32), -1, 0)
    border = cv2.BORDER_REPLICATE
    read = cv2.remap(factor, across, down, cv2.INTER_LINEAR, borderMode=border)
    return np.repeat(read[..., None], 3, axis=2).astype(np.float32)
