"""Plain ways of bringing what two drawings differ by into a photo, to be measured against."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from PIL import Image

Levels = np.ndarray
SMOOTH = 3.0
"""Standard deviation in pixels of a 256 px drawing by which flow and rest are smoothed."""


def pasted(photo: Levels, before: Levels, after: Levels) -> Levels:
    """The drawings' difference, enlarged and added."""
    return photo + _enlarged(after - before, photo.shape[0])


def flowed(photo: Levels, before: Levels, after: Levels) -> Levels:
    """The photo moved by the optical flow between the drawings (DIS; Kroeger et al. 2016), and what
    that flow does not explain added."""
    greys = [
        cv2.cvtColor(p.clip(0, 255).astype(np.uint8), cv2.COLOR_RGB2GRAY) for p in (after, before)
    ]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    start = np.zeros((*greys[0].shape, 2), np.float32)
    flow = cv2.GaussianBlur(search.calc(greys[0], greys[1], start), (0, 0), SMOOTH)
    rest = cv2.GaussianBlur(after - _moved(before, flow), (0, 0), SMOOTH / 3)
    side = photo.shape[0]
    wide = _enlarged(flow, side) * np.float32(side / before.shape[0])
    return _moved(photo, wide) + _enlarged(rest, side)


BASELINES: Mapping[str, Callable[[Levels, Levels, Levels], Levels]] = {
    "pasted": pasted,
    "flow": flowed,
}
"""Each takes a photo `[N, N, 3]` and two drawings `[R, R, 3]`, all float32 levels."""


def baseline(name: str, photo: Image.Image, before: Image.Image, after: Image.Image) -> Image.Image:
    """A photo changed in one of these ways."""
    levels = [np.asarray(p.convert("RGB"), np.float32) for p in (photo, before, after)]
    found = BASELINES[name](*levels)
    return Image.fromarray(np.rint(found).clip(0, 255).astype(np.uint8))


def _enlarged(plane: Levels, side: int) -> Levels:
    found: Levels = cv2.resize(plane, (side, side), interpolation=cv2.INTER_CUBIC)
    return found


def _moved(picture: Levels, flow: Levels) -> Levels:
    line = np.arange(picture.shape[0], dtype=np.float32)
    found: Levels = cv2.remap(
        picture,
        flow[..., 0] + line,
        flow[..., 1] + line[:, None],
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return found
