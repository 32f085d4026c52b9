"""Losses of guided editing: small functions on embeddings, pictures and latents."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal.types import ClipModel, ImageDistance, ImageEmbedder


def clip_loss(images: Tensor, target: Tensor) -> Tensor:
    """One minus cosine of image embeddings `[B, E]` and a target `[1 or B, E]`: `[B]`
    (StyleCLIP, equation 1)."""
    return 1 - F.cosine_similarity(images, target, dim=-1)


def directional_loss(after: Tensor, before: Tensor, target: Tensor, neutral: Tensor) -> Tensor:
    """One minus cosine of the change in the picture and the change in words, `[B]`
    (Gal et al. 2021, StyleGAN-NADA, equation 3).

    Args:
        after: embeddings of the edited pictures `[B, E]`.
        before: embeddings of the originals `[1 or B, E]`.
        target: `[1, E]`.
        neutral: `[1, E]`.
    """
    return 1 - F.cosine_similarity(after - before, target - neutral, dim=-1, eps=1e-8)


def identity_loss(embed: ImageEmbedder, after: Tensor, before: Tensor) -> Tensor:
    """One minus the dot product of identity vectors of pictures `[B, 3, H, W]`: `[B]`
    (StyleCLIP, equation 2)."""
    with torch.no_grad():
        reference = embed(before)
    return 1 - (embed(after) * reference).sum(dim=-1)


def outside_lpips(distance: ImageDistance, after: Tensor, before: Tensor, mask: Tensor) -> Tensor:
    """LPIPS of what must stay: inside `mask` the original is shown on both sides.

    Args:
        distance: LPIPS.
        after: `[B, 3, H, W]`.
        before: `[B, 3, H, W]`.
        mask: `[1 or B, 1, H, W]`, 1 where change is wanted.

    Returns:
        `[B]`.
    """
    return distance(torch.lerp(after, before, mask), before)


def latent_l2(change: Tensor) -> Tensor:
    """Summed squares of a change `[B, ...]`, one a sample `[B]` (StyleCLIP, equation 1)."""
    return change.flatten(1).square().sum(dim=1)


def multi_crop(
    images: Tensor, count: int, source: torch.Generator, smallest: float = 0.75
) -> Tensor:
    """Random square crops, resized back, so that no single pixel pattern fools the judge.

    Args:
        images: `[B, 3, H, W]`.
        count: crops a picture.
        source: of the randomness (CPU).
        smallest: shortest side of a crop as a share of the picture.

    Returns:
        `[B * count, 3, H, W]`, crops of a picture side by side.
    """
    if count < 1 or not 0 < smallest <= 1:
        raise ValueError(f"count {count} must be positive and smallest {smallest} in (0, 1]")
    batch = images.shape[0]
    draw = torch.rand(batch * count, 3, generator=source).to(images.device)
    scale = smallest + (1 - smallest) * draw[:, 0]
    shift = (draw[:, 1:] * 2 - 1) * (1 - scale)[:, None]
    theta = torch.zeros(batch * count, 2, 3, device=images.device)
    theta[:, 0, 0] = theta[:, 1, 1] = scale
    theta[:, :, 2] = shift
    repeated = images.repeat_interleave(count, dim=0)
    grid = F.affine_grid(theta, list(repeated.shape), align_corners=False)
    return F.grid_sample(repeated, grid, padding_mode="reflection", align_corners=False)


def embed_crops(
    clip: ClipModel, images: Tensor, count: int, source: torch.Generator | None
) -> Tensor:
    """Image embeddings `[B, E]`, averaged over the whole picture and `count` crops of it."""
    whole = clip.encode_image(images)
    if count == 0 or source is None:
        return whole
    crops = clip.encode_image(multi_crop(images, count, source))
    crops = crops.unflatten(0, (images.shape[0], count)).mean(dim=1)
    return F.normalize(whole + crops * count, dim=-1)


def styleclip_preprocess(images: Tensor) -> Tensor:
    """What StyleCLIP shows its CLIP: nearest up-sampling by 7, average pooling by size / 32.

    It leaves pictures in [-1, 1], without CLIP's mean and deviation, a known defect; it is here to
    reproduce StyleCLIP's numbers. `ClipModel.encode_image` normalises correctly.

    Args:
        images: `[B, 3, R, R]`, R a multiple of 32.

    Returns:
        `[B, 3, 224, 224]`.
    """
    size = images.shape[-1]
    if size % 32 or images.shape[-2] != size:
        raise ValueError(f"side {size} is not a multiple of 32 of a square picture")
    return F.avg_pool2d(F.interpolate(images, scale_factor=7, mode="nearest"), size // 32)
