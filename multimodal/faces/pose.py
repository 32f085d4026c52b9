"""Which way does a head look? A rigid head seen from far away, fitted to its points."""

from __future__ import annotations

import numpy as np

# Points of 300-W and where they lie on a mean head: right, down, towards the viewer, in hundredths
# of the half distance of the ears. Fitted to rendered heads of known pose.
_HEAD: dict[int, tuple[float, float, float]] = {
    36: (-61, -47, 5),
    39: (-27, -45, 14),
    42: (27, -45, 14),
    45: (61, -47, 5),
    27: (0, -46, 34),
    28: (0, -30, 41),
    29: (0, -11, 54),
    30: (0, 8, 67),
    31: (-18, 11, 37),
    33: (0, 20, 45),
    35: (18, 11, 37),
    48: (-33, 50, 18),
    54: (33, 50, 18),
    8: (0, 111, -19),
    0: (-100, -47, -102),
    16: (100, -47, -102),
    4: (-84, 51, -83),
    12: (84, 51, -83),
}


def head_pose(landmarks: np.ndarray) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees of a head from its 68 points `[68, 2]` in a picture.

    Yaw is positive towards the picture's right, pitch downwards, roll clockwise. The angles are
    those of turning the head by pitch, then yaw, then roll, under scaled orthographic projection
    (DeMenthon and Davis 1995, section 2, without the iterations).

    Raises:
        ValueError: not 68 finite points, or all in one place.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise ValueError(f"expected 68 points [68, 2], got {points.shape}")
    head = np.array(list(_HEAD.values()))
    seen = points[list(_HEAD)]
    head, seen = head - head.mean(axis=0), seen - seen.mean(axis=0)
    affine = np.linalg.lstsq(head, seen, rcond=None)[0].T  # [2, 3]
    left, sizes, right = np.linalg.svd(affine, full_matrices=False)
    if sizes[1] < 1e-9:
        raise ValueError("these 68 points are not those of a face: they lie on one line")
    across, down = left @ right  # the nearest rows of a rotation
    towards = np.cross(across, down)
    yaw = np.arcsin(np.clip(-towards[0], -1, 1))
    pitch = -np.arctan2(towards[1], towards[2])
    roll = np.arctan2(down[0], across[0])
    return tuple(float(np.degrees(v)) for v in (yaw, pitch, roll))  # type: ignore[return-value]
