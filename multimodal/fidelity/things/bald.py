"""A bald head: what lies behind the hair where it stood out, skin where it lay on the skull.

Worked out in the larger square about the head, for long hair leaves the face's crop.
"""

from __future__ import annotations

import cv2
import numpy as np

from multimodal.fidelity.drawn import Drawn
from multimodal.fidelity.mesh import EYES, OVAL
from multimodal.fidelity.regions import Surroundings, share
from multimodal.fidelity.wishes import Wishes

BEHIND = ("background", "clothes")
BALD = 0.03
"""Share of the picture that drawn hair loses at least, where a head is made bald."""
SHADED = 0.16
"""Width of the darker rim of a skull, in widths of it."""
WIDTHS = (1.5, 4, 10, 25, 60)


def becomes_bald(before: Drawn, after: Drawn, wishes: Wishes) -> bool:
    """Does an edit take a head's hair away?"""
    if wishes.strongest("hair_style") is not None:
        return wishes.amount("hair_style: bald") > 0.5
    if wishes.face_stays:
        return False
    then, now = (float(share(one.likely, ("hair",)).mean()) for one in (before, after))
    return now < 0.35 * then and then - now > BALD


def bald_head(
    mesh: np.ndarray, around: Surroundings, hair: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The square about a head without its hair.

    Args:
        mesh: of the face `[468, 2]`, in parts of the square's side.
        around: the square.
        hair: where it shows hair, `[S, S]` in [0, 1].

    Returns:
        colours `[S, S, 3]` in [0, 1], and where they replace the photo `[S, S]`.
    """
    gone = _grown((hair > 0.12).astype(np.uint8), 15)
    far = 1 - _grown(gone, 9)
    behind = spread(around.picture, far * (share(around.likely, BEHIND) > 0.8))
    skull = _skull(mesh, hair.shape[0])
    skin = share(around.likely, ("skin", "nose")) > 0.85
    flesh = spread(around.picture, far * skin) * _rounded(skull, skin)[..., None]
    colours = behind + (flesh - behind) * skull[..., None]
    grain = np.random.default_rng(0).standard_normal(colours.shape[:2]).astype(np.float32)
    colours = colours + 0.012 * cv2.GaussianBlur(grain, (0, 0), 0.8)[..., None]
    worn = cv2.erode(gone, np.ones((5, 5), np.uint8)).astype(np.float32)
    alpha = cv2.GaussianBlur(worn, (0, 0), 2.5)
    kept = share(around.likely, ("ears", "brows", "eyes", "iris", "lips", "glasses", "neck"))
    return colours.clip(0, 1).astype(np.float32), alpha * (1 - np.clip(2 * kept - 0.6, 0, 1))


def _skull(mesh: np.ndarray, side: int) -> np.ndarray:
    """The outline of a head whose face has a mesh, filled `[S, S]` in [0, 1]: the face's own up to
    the eyes, a dome above it that reaches further back where the face is turned away."""
    rim = mesh[list(OVAL)]
    up = mesh[10] - mesh[152]
    tall = float(np.linalg.norm(up))
    up = up / tall
    across = np.array([-up[1], up[0]])
    eyes = mesh[[point for eye in EYES for point in eye]].mean(axis=0)
    away = (rim - eyes) @ np.stack([across, up], axis=1)
    wide = float(np.ptp(away[:, 0]))
    nose = float((mesh[1] - rim.mean(axis=0)) @ across) / wide
    height = np.clip(away[:, 1] / (0.3 * tall), 0, 1)
    back = np.sign(away[:, 0]) * nose < 0
    away[:, 0] *= 1 + height * (0.06 + 1.2 * abs(nose) * back)
    away[:, 1] *= 1 + 0.5 * height
    points = eyes + away @ np.stack([across, up])
    mask = np.zeros((side, side), np.float32)
    smooth = _curve(points) * side
    cv2.fillPoly(mask, [np.round(smooth * 16 - 8).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(mask, (0, 0), 1.5)


def _curve(points: np.ndarray) -> np.ndarray:
    """A closed outline `[N, 2]` made round, `[8 N, 2]`."""
    count = len(points)
    steps = np.arange(8 * count) / 8
    wrapped = np.concatenate([points, points[:1]])
    fine = np.stack([np.interp(steps, np.arange(count + 1), wrapped[:, i]) for i in (0, 1)], axis=1)
    kernel = np.hanning(27)[1:-1]
    rows = np.pad(fine, ((12, 12), (0, 0)), mode="wrap")
    kernel = kernel / kernel.sum()
    return np.stack([np.convolve(rows[:, i], kernel, "valid") for i in (0, 1)], axis=1)


def _grown(mask: np.ndarray, width: int) -> np.ndarray:
    found: np.ndarray = cv2.dilate(mask, np.ones((width, width), np.uint8))
    return found


def spread(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Known colours of a picture spread over the rest, the nearer the stronger `[S, S, 3]`.

    Args:
        picture: `[S, S, 3]` in [0, 1].
        known: where it is known, `[S, S]`.
    """
    size = (picture.shape[0] // 2,) * 2
    weight = known.astype(np.float32)
    both = np.dstack([picture * weight[..., None], weight])
    small = cv2.resize(both, size, interpolation=cv2.INTER_AREA)
    total = np.sum([cv2.GaussianBlur(small, (0, 0), w) / w**3 for w in WIDTHS], axis=0)
    found = total[..., :3] / (total[..., 3:] + 1e-9)
    return cv2.resize(found, picture.shape[:2], interpolation=cv2.INTER_LINEAR)


def _rounded(skull: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Darkening towards the skull's rim `[S, S]`: a head is round."""
    head = np.maximum(skull > 0.5, skin).astype(np.uint8)
    head = cv2.morphologyEx(head, cv2.MORPH_CLOSE, np.ones((25, 25), np.uint8))
    away = cv2.distanceTransform(head, cv2.DIST_L2, 5)
    width = SHADED * max(float(np.ptp(np.nonzero(head.any(axis=0))[0], axis=0)), 1.0)
    t = np.clip(away / width, 0, 1)
    return cv2.GaussianBlur((0.74 + 0.26 * np.sqrt(t * (2 - t))).astype(np.float32), (0, 0), 3)
