"""Edited crops back into their photos, without a visible border."""

from __future__ import annotations

import numpy as np
from PIL import Image

from multimodal.faces.align import FaceTransform

MAX_SHIFT = 40.0
"""Levels by which the colour match may move a channel at most."""


def paste_back(
    photo: Image.Image,
    edited: Image.Image,
    transform: FaceTransform,
    original: Image.Image | None = None,
    feather: float = 0.08,
) -> Image.Image:
    """The photo with an edited crop in its place.

    With `original` only what the edit changed is moved: the difference is warped back and added
    under a soft mask, so that an unedited face leaves the photo as it was, bit by bit. Without it
    the crop replaces the face, its colours matched to the photo's around its border.

    Args:
        photo: the whole picture.
        edited: the crop, any square size.
        transform: where it lies.
        original: the same crop before the edit (the reconstruction), or None.
        feather: part of the crop's side over which the mask rises from 0 to 1, in (0, 0.5].

    Raises:
        ValueError: a feather out of range.
    """
    if not 0 < feather <= 0.5:
        raise ValueError(f"feather is a part of the crop's side in (0, 0.5], got {feather}")
    photo = photo.convert("RGB")
    box = _box(photo, transform)
    if box is None:
        return photo.copy()
    mask = _mask(box, transform, feather)
    under = np.asarray(photo.crop(box), np.float32)
    crop = _levels(edited)
    if original is not None:
        same = original.resize(edited.size, Image.Resampling.LANCZOS)
        mixed = under + _warp(crop - _levels(same), box, transform) * mask
    else:
        over = _warp(crop, box, transform)
        over += _colour_shift(under, over, mask)
        mixed = under + (over - under) * mask
    result = photo.copy()
    result.paste(Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8)), box[:2])
    return result


Box = tuple[int, int, int, int]


def _levels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"), np.float32)


def _box(photo: Image.Image, transform: FaceTransform) -> Box | None:
    """The part of the photo that the crop touches, or None when it lies outside."""
    quad = np.array(transform.quad) + 0.5
    left, top = np.maximum(np.floor(quad.min(axis=0)), 0).astype(int).tolist()
    right, bottom = np.minimum(np.ceil(quad.max(axis=0)), photo.size).astype(int).tolist()
    return (left, top, right, bottom) if right > left and bottom > top else None


def _mask(box: Box, transform: FaceTransform, feather: float) -> np.ndarray:
    """`[h, w, 1]` in [0, 1]: 0 at the crop's border and beyond, 1 inside, smooth between."""
    xs, ys = np.meshgrid(np.arange(box[0], box[2]), np.arange(box[1], box[3]))
    unit = transform.to_unit(np.stack([xs, ys], axis=-1).astype(np.float64))
    inside = np.minimum(unit, 1 - unit).min(axis=-1, keepdims=True)
    t = np.clip(inside / feather, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def _warp(crop: np.ndarray, box: Box, transform: FaceTransform) -> np.ndarray:
    """The crop `[n, n, 3]` as it lies in the photo's box, `[h, w, 3]`; signed values welcome."""
    channels = [Image.fromarray(np.ascontiguousarray(crop[..., i])) for i in range(3)]
    side = round(transform.side)
    if max(channels[0].size) > side:  # a smaller place than the crop: no aliasing
        target = (max(1, side),) * 2
        channels = [c.resize(target, Image.Resampling.LANCZOS) for c in channels]
    # Rows of the affine map from distances in the box to distances in the crop.
    corner = np.array([box[0], box[1]], np.float64) - 0.5
    origin, right, down = (transform.to_unit(corner + step) for step in ((0, 0), (1, 0), (0, 1)))
    size = np.array(channels[0].size)
    rows = np.stack([right - origin, down - origin, origin], axis=1) * size[:, None]
    shape = (box[2] - box[0], box[3] - box[1])
    warped = [
        c.transform(shape, Image.Transform.AFFINE, rows.ravel().tolist(), Image.Resampling.BICUBIC)
        for c in channels
    ]
    return np.stack([np.asarray(c) for c in warped], axis=-1)


def _colour_shift(under: np.ndarray, over: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """How far each channel of `over` lies from the photo along the soft border, `[3]`."""
    weight = mask * (1 - mask)
    total = float(weight.sum())
    if total < 1e-3:
        return np.zeros(3, np.float32)
    shift = ((under - over) * weight).sum(axis=(0, 1)) / total
    return np.clip(shift, -MAX_SHIFT, MAX_SHIFT).astype(np.float32)
