"""Figures of points, poses and vectors that stand for faces."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def landmark_distance(first: Tensor, second: Tensor) -> Tensor:
    """Mean distance of 68 landmarks `[B, 68, 2]` in units of the first's inter-ocular distance."""
    if first.shape != second.shape or first.shape[-2:] != (68, 2):
        raise ValueError(
            f"landmarks {tuple(first.shape)} and {tuple(second.shape)}: need [B, 68, 2]"
        )
    eyes = first[:, 36:42].mean(dim=1) - first[:, 42:48].mean(dim=1)
    return (first - second).norm(dim=-1).mean(dim=1) / eyes.norm(dim=-1).clamp(min=1e-6)


def cosine(first: Tensor, second: Tensor) -> Tensor:
    """Cosine of two batches of vectors `[B, K]`, `[B]`; the identity figure of identity vectors."""
    return F.cosine_similarity(first, second, dim=1)


def angle_difference(first: Tensor, second: Tensor) -> Tensor:
    """Mean absolute difference of head poses `[B, 3]` in degrees, wrapped to 0..180, `[B]`."""
    turn = (first - second + 180) % 360 - 180
    return turn.abs().mean(dim=1)


def cosine_editability(before: Tensor, after: Tensor, wanted: Tensor) -> Tensor:
    """How much of what an edit changed is what was wanted: the cosine of both changes, `[B]`.

    1: only what was wanted, 0: something else, -1: its opposite. It is the directional similarity
    of StyleGAN-NADA (Gal et al. 2021, equation 3), read as a figure of the code that was edited: an
    inversion far from the generator's own codes gives less of it for the same edit.

    Args:
        before, after: embeddings of the pictures `[B, E]`, of a text-and-image model.
        wanted: the change of the text's embedding `[1, E]` or `[B, E]`.

    Raises:
        ValueError: shapes that do not fit.
    """
    if before.shape != after.shape or before.ndim != 2 or wanted.shape[-1] != before.shape[-1]:
        raise ValueError(
            f"embeddings {tuple(before.shape)}, {tuple(after.shape)} and {tuple(wanted.shape)}: "
            "need [B, E], [B, E] and [1, E] or [B, E]"
        )
    return F.cosine_similarity(after - before, wanted, dim=1)
