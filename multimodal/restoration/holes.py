"""Drawings in holes of photos: their light and colours go on from what is around."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal.restoration.filters import membrane, smooth

ALIKE = 0.25
"""How far a difference beside a hole may lie from the usual one there, black and white 2 apart;
beyond, photo and drawing show different things."""
MOST_ALIKE = 0.6
"""Share of the border along which they must, or all of it is believed."""
RIM = 6.0
"""Pixels over which what does not fit at a hole's border fades into it."""


def filled(drawn: Tensor, given: Tensor, missing: Tensor) -> Tensor:
    """A photo whose hole is drawn.

    What the drawing lacks beside the hole is carried into it as a membrane (Perez et al. 2003), but
    where the two show different things there, such as a chin and the wall behind it: that light
    would glow far into the face. It fades along the border.

    Args:
        drawn: the drawing `[1, 3, R, R]` in [-1, 1].
        given: the photo, likewise.
        missing: `[1, 1, R, R]`, 1 in the hole.

    Returns:
        `[1, 3, R, R]`: the photo itself outside the hole.
    """
    known = 1 - missing
    away = (given - drawn) * known
    level = smooth(away, 2.0) / smooth(known, 2.0).clamp(min=1e-3)
    border = (F.max_pool2d(missing, 5, 1, 2) - missing)[0, 0] > 0
    usual = level[..., border].median(dim=-1).values[..., None, None]
    other = ((level - usual).abs().amax(dim=1, keepdim=True) > ALIKE).float()
    fits = 1 - F.max_pool2d(other, 5, 1, 2)
    alike = known * fits if float(fits[..., border].mean()) > MOST_ALIKE else known
    light = membrane(away, alike)
    rest = membrane((away - light) * known, known)
    return torch.where(missing > 0, drawn + light + rest * _near(missing), given)


def _near(missing: Tensor) -> Tensor:
    """1 at the border of a hole, less further in, `[1, 1, R, R]`."""
    hole = (missing[0, 0].cpu().numpy() > 0).astype(np.uint8)
    depth = torch.from_numpy(cv2.distanceTransform(hole, cv2.DIST_L2, 5))
    return torch.exp(-depth / RIM)[None, None].to(missing)
