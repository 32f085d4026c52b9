"""Colours of the inside of a mouth: what is drawn there gives light and dark, this gives hues."""

from __future__ import annotations

import numpy as np

LEVELS = (0.0, 0.2, 0.42, 0.6, 1.0)
HUES = np.array(
    [
        [0.05, 0.02, 0.02],
        [0.22, 0.08, 0.08],
        [0.58, 0.30, 0.29],
        [0.80, 0.72, 0.66],
        [0.96, 0.93, 0.88],
    ]
)
"""From the dark of the throat over tongue and gums to teeth, red, green and blue in [0, 1]."""
USUAL = 0.62
"""Brightness of the skin that these colours go with."""


def mouth_colours(drawn: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """What is drawn inside a mouth in the colours of mouths, in the photo's light.

    Args:
        drawn: `[S, S, 3]` in [0, 1].
        skin: the photo around it, smooth, likewise.
    """
    grey = drawn @ np.array([0.299, 0.587, 0.114])
    hues = np.stack([np.interp(grey, LEVELS, HUES[:, i]) for i in range(3)], axis=-1)
    light = np.clip(skin.max(axis=-1, keepdims=True) / USUAL, 0.45, 1.05)
    return (hues * light).astype(np.float32)
