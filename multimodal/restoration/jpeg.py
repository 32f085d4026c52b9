"""JPEG's losses, differentiably: 8 x 8 cosines rounded to the steps of a quality.

The steps are those of Annex K of ITU-T T.81, scaled as the IJG's library scales them; rounding
passes the gradient on as if it had not been there.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 8
LIGHT = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Steps of the luminance at quality 50."""
COLOUR_EDGE = ((17, 18, 24, 47), (18, 21, 26, 66), (24, 26, 56, 99), (47, 66, 99, 99))
"""Steps of the colours in the lowest frequencies; all others are 99."""

TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def jpeg(images: Tensor, quality: int) -> Tensor:
    """Pictures `[B, 3, H, W]` in [-1, 1] as JPEG of `quality` 1..100 leaves them, same size."""
    height, width = images.shape[-2:]
    spare = (0, -width % BLOCK, 0, -height % BLOCK)
    levels = F.pad(images, spare, mode="replicate") * 127.5 - 0.5  # a file counts from 128
    matrix = torch.tensor(TO_YCC, dtype=images.dtype, device=images.device)
    ycc = torch.einsum("ij,bjhw->bihw", matrix, levels)
    steps = _steps(quality).to(images)
    blocks = _to_blocks(ycc)
    basis = _cosines().to(images)
    coefficients = basis @ blocks @ basis.T / steps[:, None, None]
    rounded = coefficients + (coefficients.round() - coefficients).detach()
    back = _from_blocks(basis.T @ (rounded * steps[:, None, None]) @ basis)
    rgb = torch.einsum("ij,bjhw->bihw", torch.linalg.inv(matrix), back)
    return ((rgb[..., :height, :width] + 0.5) / 127.5).clamp(-1, 1)


def _steps(quality: int) -> Tensor:
    """Steps `[3, 8, 8]` of Y, Cb and Cr."""
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    colour = torch.full((BLOCK, BLOCK), 99.0)
    colour[:4, :4] = torch.tensor(COLOUR_EDGE, dtype=torch.float32)
    tables = torch.stack([torch.tensor(LIGHT, dtype=torch.float32), colour, colour])
    return ((tables * scale + 50) / 100).floor().clamp(1, 255)


def _cosines() -> Tensor:
    """The orthonormal cosine transform `[8, 8]`, a frequency a row."""
    at = torch.arange(BLOCK, dtype=torch.float32)
    basis = torch.cos((2 * at[None] + 1) * at[:, None] * math.pi / (2 * BLOCK))
    basis[0] *= math.sqrt(0.5)
    return basis * math.sqrt(2 / BLOCK)


def _to_blocks(images: Tensor) -> Tensor:
    """`[B, 3, H, W]` to `[B, 3, H/8, W/8, 8, 8]`."""
    return images.unfold(2, BLOCK, BLOCK).unfold(3, BLOCK, BLOCK)


def _from_blocks(blocks: Tensor) -> Tensor:
    batch, channels, rows, columns = blocks.shape[:4]
    tall = blocks.permute(0, 1, 2, 4, 3, 5)
    return tall.reshape(batch, channels, rows * BLOCK, columns * BLOCK)
