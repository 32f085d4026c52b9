"""The inside of a mouth that opens: teeth, tongue and the dark behind, in the photo's light."""

from __future__ import annotations

import cv2
import numpy as np

from multimodal.fidelity.change import Cover
from multimodal.fidelity.mesh import INNER_LIPS, OVAL
from multimodal.fidelity.regions import share
from multimodal.fidelity.things.scene import Scene

SIDE = 768
DARK = np.array([0.15, 0.05, 0.05], np.float32)
TEETH = np.array([0.86, 0.82, 0.75], np.float32)
TONGUE = np.array([0.60, 0.27, 0.27], np.float32)
USUAL, WHITE = 0.6, 0.68
"""Brightness of the skin and of the white of the eyes that these colours go with."""
WARM = np.array([1.22, 0.95, 0.83], np.float32)
"""Colour of skin in white light, beside its mean."""
TINTED = 0.4
"""How much of the light's colour teeth take on."""
SMILE, FILLED = (0.25, 0.6), (0.92, 0.3)
"""Height of an opening in widths of it, and the share of it that teeth fill, smiling and round."""
TOOTH = 9.5
TALL = 0.055
"""Height of the upper teeth that show, in heights of the face."""


def open_mouth(scene: Scene, opened: float) -> Cover | None:
    """The inside of the lips, as far as it is new.

    Args:
        scene: photo and drawings.
        opened: how much of it is new, in [0, 1].
    """
    if opened <= 0:
        return None
    points = scene.maps.mesh * SIDE
    tall = float(np.ptp(points[list(OVAL)][:, 1]))
    low = np.clip(points[list(INNER_LIPS)].min(axis=0) - 0.08 * tall, 0, SIDE - 8).astype(int)
    high = np.clip(points[list(INNER_LIPS)].max(axis=0) + 0.08 * tall, low + 8, SIDE).astype(int)
    part = (slice(low[1], high[1]), slice(low[0], high[0]))
    colours, alpha = np.zeros((SIDE, SIDE, 3), np.float32), np.zeros((SIDE, SIDE), np.float32)
    inside, soft = _inside(points[list(INNER_LIPS)] - low, (high - low)[::-1], tall)
    colours[part] = (inside * _light(scene)).clip(0, 1)
    alpha[part] = soft * opened
    return Cover(colours, alpha, False, "mouth")


def _inside(rim: np.ndarray, shape: np.ndarray, tall: float) -> tuple[np.ndarray, np.ndarray]:
    """Colours `[h, w, 3]` and place `[h, w]` of a mouth's inside, in usual light.

    Args:
        rim: of the lips `[20, 2]` in pixels.
        shape: height and width of what is drawn.
        tall: height of the face in pixels.
    """
    mask = np.zeros(tuple(shape), np.float32)
    cv2.fillPoly(mask, [np.round(rim * 16 - 8).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    along, down, gap = _places(rim, shape)
    wide = max(float(np.ptp(rim[:, 0])), 1.0)
    teeth = _teeth(along, down * gap, tall, gap, wide)
    tongue = _step((down - 0.56 + 0.3 * along**2) / 0.28) * _step((0.85 - np.abs(along)) / 0.3)
    depth = 0.55 + 0.45 * np.abs(2 * down - 1)
    colours = DARK * depth[..., None]
    colours = colours + (TONGUE * (0.55 + 0.5 * down[..., None]) - colours) * tongue[..., None]
    shaded = TEETH * (0.55 + 0.45 * np.sqrt(np.clip(1 - along**2, 0, 1)))[..., None]
    colours = colours + (shaded - colours) * teeth[..., None]
    near = cv2.GaussianBlur(mask, (0, 0), max(0.02 * tall, 1.0))
    colours = colours * (0.72 + 0.28 * _step((near - 0.4) / 0.5))[..., None]
    return colours, cv2.GaussianBlur(mask, (0, 0), SIDE / 300)


def _light(scene: Scene) -> np.ndarray:
    """Light beside the usual one, by what is white in the eyes and by the skin `[3]`."""
    skin = scene.small[share(scene.likely, ("skin", "nose")) > 0.8]
    eyes = scene.small[share(scene.likely, ("eyes",)) > 0.6]
    seen = float(np.median(skin)) / USUAL if len(skin) else 1.0
    if len(eyes) > 30:  # dark skin says nothing of how bright teeth are
        seen = max(seen, 0.9 * float(np.quantile(eyes.mean(axis=-1), 0.8)) / WHITE)
    tone = skin.mean(axis=0) / (skin.mean() + 1e-3) / WARM if len(skin) else np.ones(3)
    found = np.clip(seen, 0.35, 1.1) * np.clip(tone, 0.6, 1.5) ** TINTED
    return np.asarray(found, np.float32)


def _places(rim: np.ndarray, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each pixel: where it lies between the corners in [-1, 1], how far down from the upper lip
    to the lower in [0, 1], and how far these are apart there, `[h, w]` each."""
    upper, lower = rim[:11], np.concatenate([rim[10:], rim[:1]])[::-1]
    order = np.sign(upper[-1, 0] - upper[0, 0]) or 1.0
    columns = np.arange(shape[1], dtype=np.float64)
    xs = [line[:, 0] * order for line in (upper, lower)]
    lines = [
        np.interp(columns * order, np.maximum.accumulate(x), line[:, 1])
        for x, line in zip(xs, (upper, lower), strict=True)
    ]
    gap = np.maximum(lines[1] - lines[0], 1.0)
    rows = np.arange(shape[0], dtype=np.float64)[:, None]
    down = np.clip((rows - lines[0]) / gap, 0, 1)
    middle, half = (rim[0, 0] + rim[10, 0]) / 2, max(abs(rim[10, 0] - rim[0, 0]) / 2, 1.0)
    along = np.repeat(np.clip((columns - middle) / half, -1, 1)[None], shape[0], axis=0)
    wide = np.repeat(gap[None], shape[0], axis=0)
    return along.astype(np.float32), down.astype(np.float32), wide.astype(np.float32)


def _teeth(
    along: np.ndarray, below: np.ndarray, tall: float, gap: np.ndarray, wide: float
) -> np.ndarray:
    """The row of the upper teeth, `[h, w]` in [0, 1]; `below` the upper lip in pixels. They
    fill a smile, and are a band of a mouth that is round."""
    most = float(np.interp(float(gap.max()) / wide, SMILE, FILLED))
    high = np.minimum(TALL * tall * (1 - 0.35 * along**2), most * gap)
    high = high * (0.9 + 0.1 * np.sqrt(np.abs(np.sin(along * TOOTH))))
    row = _step((high - below) / max(0.012 * tall, 1.0) + 0.5)
    row = row * _step((0.82 - np.abs(along)) / 0.25)
    seams = 1 - 0.16 * np.exp(-((np.sin(along * TOOTH) / 0.22) ** 2))
    return np.asarray(row * seams, np.float32)


def _step(t: np.ndarray) -> np.ndarray:
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
