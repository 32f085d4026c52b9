"""The 68 iBUG landmarks as vertices of the body mesh, and the FFHQ crop that they define."""

from __future__ import annotations

import numpy as np

from recipes.render.drawing.assets import Array

# fmt: off
_VERTICES: tuple[int, ...] = (
    5739, 5433, 5098, 5242, 895, 915, 917, 993, 747, 7687, 7619, 7617, 7597, 11851, 11713, 12032,
    12336,
    254, 207, 204, 205, 209, 6984, 6980, 6979, 6982, 7023,
    133, 131, 201, 5054, 347, 313, 7079, 7076, 7108,
    1064, 0, 1099, 6764, 4862, 4860, 13360, 7791, 6784, 7756, 6825, 11480,
    3734, 5352, 456, 466, 7215, 11954, 10402, 7239, 7241, 492, 486, 484,
    420, 472, 474, 7227, 7178, 7242, 493, 487,
)
# fmt: on


def landmark_points(body: Array) -> Array:
    """The 68 landmarks [68, 3] of shaped body vertices [V, 3]."""
    return body[np.asarray(_VERTICES)]


def ffhq_crop(points: Array, size: int) -> Array:
    """Affine map [2, 3] from the plane to pixels of the FFHQ-aligned square of ``size`` pixels.

    The rule of Karras et al. 2019 (recreate_aligned_images): eyes and mouth fix centre, scale and
    roll.
    """
    left, right = points[36:42].mean(0), points[42:48].mean(0)
    mouth = (points[48] + points[54]) / 2
    eyes = (left + right) / 2
    across, down = right - left, mouth - eyes
    x = across - np.array([-down[1], down[0]])
    x = x / np.hypot(*x)
    half = max(np.hypot(*across) * 2.0, np.hypot(*down) * 1.8)
    center = eyes + 0.1 * down
    linear = np.array([[x[0], x[1]], [-x[1], x[0]]]) * (size / (2 * half))
    shift = np.array([size / 2, size / 2]) - linear @ center - 0.5
    return np.concatenate([linear, shift[:, None]], 1)
