"""How far a drawing is from the face that is being inverted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal.inversion.options import Weights
from multimodal.types import ImageDistance, ImageEmbedder

PERCEPTUAL_SIDE = 256
Terms = dict[str, Tensor]


@dataclass(frozen=True)
class Objective:
    """Weighted distances to one target picture.

    Args:
        target: `[1, 3, R, R]` in [-1, 1].
        weights: of the terms.
        perceptual: LPIPS, or None.
        identity: identity vectors, or None.
        mask: `[1, 1, R, R]`, 1 where the target is to be matched, or None for everywhere.
    """

    target: Tensor
    weights: Weights
    perceptual: ImageDistance | None = None
    identity: ImageEmbedder | None = None
    mask: Tensor | None = None

    def __call__(self, images: Tensor) -> Terms:
        """Weighted terms by name, each `[B]`, of drawings `[B, 3, R, R]`.

        Outside the mask the target itself is shown to the networks, so nothing there counts.
        """
        terms: Terms = {}
        if self.pixels_weight:
            terms["pixels"] = self.pixels_weight * self.mse(images)
        seen = shrink(self._masked(images))
        if self.perceptual is not None and self.weights.perceptual:
            target = shrink(self.target).expand_as(seen)
            terms["lpips"] = self.weights.perceptual * self.perceptual(seen, target)
        if self.identity is not None and self.weights.identity:
            with torch.no_grad():
                reference = self.identity(shrink(self.target))
            cosine = (self.identity(seen) * reference).sum(dim=-1)
            terms["identity"] = self.weights.identity * (1 - cosine)
        return terms

    @property
    def pixels_weight(self) -> float:
        """The weight of pixels; 1 where every other term's network is missing."""
        blind = (self.perceptual is None or not self.weights.perceptual) and (
            self.identity is None or not self.weights.identity
        )
        return 1.0 if blind and not self.weights.pixels else self.weights.pixels

    def mse(self, images: Tensor) -> Tensor:
        """Mean squared error inside the mask, `[B]`."""
        error = (images - self.target).square()
        if self.mask is None:
            return error.mean(dim=(1, 2, 3))
        share = self.mask.mean().clamp(min=1e-6)
        return (error * self.mask).mean(dim=(1, 2, 3)) / share

    def lpips(self, images: Tensor) -> Tensor | None:
        """Unweighted LPIPS inside the mask `[B]`, or None without a network."""
        if self.perceptual is None:
            return None
        seen = shrink(self._masked(images))
        return self.perceptual(seen, shrink(self.target).expand_as(seen))

    def cosine(self, images: Tensor) -> Tensor | None:
        """Identity cosine inside the mask `[B]`, or None without a network."""
        if self.identity is None:
            return None
        seen = shrink(self._masked(images))
        return (self.identity(seen) * self.identity(shrink(self.target))).sum(dim=-1)

    def _masked(self, images: Tensor) -> Tensor:
        if self.mask is None:
            return images
        return torch.lerp(self.target.expand_as(images), images, self.mask)


def shrink(images: Tensor, side: int = PERCEPTUAL_SIDE) -> Tensor:
    """`[B, 3, H, W]` averaged down to at most `side` pixels a side."""
    return F.adaptive_avg_pool2d(images, side) if images.shape[-1] > side else images


def local_lpips(net: str, device: torch.device | str) -> ImageDistance:
    """LPIPS from weights on this machine; nothing is downloaded.

    Raises:
        ValueError: no weights here; says how to get them.
    """
    from multimodal.lpips_weights import lpips_backbone
    from multimodal.metrics import Lpips

    lpips_backbone(net, download=False)
    return Lpips(net).to(device)
