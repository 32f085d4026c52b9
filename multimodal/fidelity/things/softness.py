"""How blurred a photo is, so that what is laid on it is no sharper."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np

from multimodal.fidelity.change import Cover
from multimodal.fidelity.regions import share
from multimodal.fidelity.things.scene import Scene

SIDE = 512
BANDS = (0.8, 1.6, 3.2)
"""Standard deviations between which contrast is compared, in pixels."""
FEATURES = ("eyes", "iris", "brows", "lips", "nose")
"""What is drawn sharply on any face, so that its blur is the photo's."""
RATIOS, WIDTHS = (0.30, 0.32, 0.35, 0.37, 0.40, 0.43, 0.46), (3.0, 2.3, 1.8, 1.4, 1.0, 0.6, 0.0)
"""Contrast of the finer band beside that of the next, and the blur that does it: read off sharp
photographs that were blurred by so much."""


def as_soft(cover: Cover, scene: Scene) -> Cover:
    """A cover as blurred as the photo beneath."""
    side = cover.alpha.shape[0]
    width = softness(scene) * side / SIDE
    if width < 0.3:
        return cover
    planes = np.dstack([cover.colours * cover.alpha[..., None], cover.alpha])
    soft = cv2.GaussianBlur(planes, (0, 0), width)
    colours = soft[..., :3] / (soft[..., 3:] + 1e-6)
    return replace(cover, colours=colours.clip(0, 1), alpha=soft[..., 3])


def softness(scene: Scene) -> float:
    """How blurred a photo is: a standard deviation in 512ths of the crop's side."""
    grey = cv2.resize(scene.small.mean(axis=-1), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    where = cv2.resize(share(scene.likely, FEATURES), (SIDE, SIDE)) > 0.5
    if where.sum() < 500:
        return 0.0
    blurred = [cv2.GaussianBlur(grey, (0, 0), width) for width in BANDS]
    fine, coarse = (float(np.abs(one - two)[where].mean()) for one, two in pairwise(blurred))
    return float(np.interp(fine / (coarse + 1e-6), RATIOS, WIDTHS))
