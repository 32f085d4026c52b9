"""The FFHQ crop of a face at its photo's own resolution."""

from __future__ import annotations

import numpy as np
from PIL import Image

from multimodal.faces.align import FaceTransform

MOST = 2048
"""Longest side of such a crop in pixels."""


def native_crop(photo: Image.Image, transform: FaceTransform, least: int = 256) -> Image.Image:
    """The face as the photo has it: as many pixels as it covers there, within bounds.

    Args:
        photo: the whole picture.
        transform: where the face lies in it; beyond the photo's edge it is mirrored.
        least: shortest side of the result in pixels.
    """
    import cv2

    side = int(np.clip(round(transform.side), min(least, MOST), MOST))
    pixels = np.asarray(photo.convert("RGB"))
    quad = np.array(transform.quad)
    shrink = transform.side / side
    if shrink > 1.2:  # averaged first, so that nothing is skipped
        size = (round(photo.width / shrink), round(photo.height / shrink))
        scale = np.array(size) / photo.size
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        quad = (quad + 0.5) * scale - 0.5
    across, down = (quad[3] - quad[0]) / side, (quad[1] - quad[0]) / side
    corner = quad[0] + (across + down) / 2
    matrix = np.stack([across, down, corner], axis=1)
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    border = cv2.BORDER_REFLECT_101
    return Image.fromarray(
        cv2.warpAffine(pixels, matrix, (side, side), flags=how, borderMode=border)
    )
