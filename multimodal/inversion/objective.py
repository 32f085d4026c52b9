"""How far a drawing is from the face that is being inverted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal.devices import fast_autocast
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
        fast: the networks look in the type that this machine is fastest in.
    """

    target: Tensor
    weights: Weights
    perceptual: ImageDistance | None = None
    identity: ImageEmbedder | None = None
    mask: Tensor | None = None
    fast: bool = False

    def __call__(self, images: Tensor) -> Terms:
        """Weighted terms by name, each `[B]`, of drawings `[B, 3, R, R]`.

        Outside the mask the target itself is shown to the networks, so nothing there counts.
        """
        if not self.fast:
            return self._terms(images)
        with fast_autocast(images.device):
            return {name: term.float() for name, term in self._terms(images).items()}

    def _terms(self, images: Tensor) -> Terms:
        terms: Terms = {}
        if self.pixels_weight:
            terms["pixels"] = self.pixels_weight * self.mse(images)
        seen = shrink(self._masked(images))
        if self.perceptual is not None and self.weights.perceptual:
            terms["lpips"] = self.weights.perceptual * self._lpips_to_target(seen)
        if self.identity is not None and self.weights.identity:
            cosine = (self.identity(seen) * self._target_identity).sum(dim=-1)
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
        return self._lpips_to_target(shrink(self._masked(images)))

    def cosine(self, images: Tensor) -> Tensor | None:
        """Identity cosine inside the mask `[B]`, or None without a network."""
        if self.identity is None:
            return None
        return (self.identity(shrink(self._masked(images))) * self._target_identity).sum(dim=-1)

    @cached_property
    def _target_identity(self) -> Tensor:
        assert self.identity is not None
        with torch.no_grad():
            return self.identity(shrink(self.target))

    @cached_property
    def _lpips_to_target(self) -> Callable[[Tensor], Tensor]:
        assert self.perceptual is not None
        return distance_to(self.perceptual, shrink(self.target))

    def _masked(self, images: Tensor) -> Tensor:
        if self.mask is None:
            return images
        return torch.lerp(self.target.expand_as(images), images, self.mask)


def shrink(images: Tensor, side: int = PERCEPTUAL_SIDE) -> Tensor:
    """`[B, 3, H, W]` averaged down to at most `side` pixels a side."""
    return F.adaptive_avg_pool2d(images, side) if images.shape[-1] > side else images


@torch.no_grad()
def distance_to(distance: ImageDistance, target: Tensor) -> Callable[[Tensor], Tensor]:
    """Distances `[B]` of many pictures to one `[1, 3, H, W]`. LPIPS looks at that one only once,
    which spares a descent a third of its time there."""
    from multimodal.metrics import Lpips

    if not isinstance(distance, Lpips):
        return lambda images: distance(images, target.expand_as(images))
    wanted = distance.features(target)
    return lambda images: distance.between(distance.features(images), wanted)


def local_lpips(net: str, device: torch.device | str) -> ImageDistance:
    """LPIPS from weights on this machine; nothing is downloaded.

    Raises:
        ValueError: no weights here; says how to get them.
    """
    from multimodal.files.lpips_weights import lpips_backbone
    from multimodal.metrics import Lpips

    lpips_backbone(net, download=False)
    return Lpips(net).to(device)
