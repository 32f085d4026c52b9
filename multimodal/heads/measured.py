"""Degrees that are degrees: a head is turned on trial, measured, and turned by what lacked."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from multimodal.faces.align import FaceTransform, cut
from multimodal.faces.detect import points_in
from multimodal.faces.pose import head_pose
from multimodal.heads.solid import Solid, cells
from multimodal.heads.turning import turned

SIDE = 320
AIM, AIM_NOD = 0.93, 0.88
"""Degrees measured for a degree asked, across and down: a person is known again better after the
smaller turn."""
TRIALS = 2
LEAST, MOST_YAW, MOST_PITCH = 0.7, 1.5, 1.2
"""Bounds of the correction: points on a hidden face say little, and a nod costs likeness."""


def turned_truly(solid: Solid, yaw: float, pitch: float) -> np.ndarray:
    """As `turned`, but so that the 68 points of the turned face measure as turned by the degrees.

    Without 68 points of the photo nothing is corrected.
    """
    places = turned(solid, yaw, pitch)
    if solid.points is None:
        return places
    crop = np.asarray(cut(Image.fromarray(solid.photo), FaceTransform(solid.place.quad, SIDE)))
    before = head_pose(_points(crop, solid.points))
    across, down = yaw, pitch
    for _ in range(TRIALS):
        after = head_pose(_points(_drawn(crop, places), solid.points + _moved(solid, places)))
        across = _scaled(yaw, across, after[0] - before[0], AIM, MOST_YAW)
        down = _scaled(pitch, down, after[1] - before[1], AIM_NOD, MOST_PITCH)
        places = turned(solid, across, down)
    return places


def _drawn(crop: np.ndarray, places: np.ndarray) -> np.ndarray:
    """A crop whose pixels come from places in it."""
    spots = cv2.resize(places, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) * SIDE - 0.5
    x, y = np.moveaxis(spots.astype(np.float32), -1, 0)
    return cv2.remap(crop, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _points(crop: np.ndarray, near: np.ndarray) -> np.ndarray:
    """The 68 points in a crop about where they are expected, in parts of its side."""
    low, high = near.min(axis=0) * SIDE, near.max(axis=0) * SIDE
    top = low[1] - 0.15 * (high[0] - low[0])  # the detector's boxes begin above the brows
    found: np.ndarray = points_in(Image.fromarray(crop), (low[0], top, high[0], high[1])).landmarks
    return found


def _moved(solid: Solid, places: np.ndarray) -> np.ndarray:
    """How far the face as a whole went, `[2]`."""
    assert solid.points is not None
    x, y = np.clip(solid.points.mean(axis=0) * len(places), 0, len(places) - 1).astype(int)
    moved: np.ndarray = (cells() - places)[y, x] / 2
    return moved


def _scaled(asked: float, tried: float, measured: float, aim: float, most: float) -> float:
    """The angle to turn by where `tried` measured as `measured`."""
    if asked == 0:
        return 0.0
    lacking = aim * tried / measured if measured * asked > 0 else most
    return asked * float(np.clip(lacking, LEAST, most))
