"""What the generator's training minimises: the weights of its terms, and where each looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from guidance.clip import OpenClip
from multimodal.devices import fast_autocast
from recipes.generator.pairs import FaceBatch

CLOSE = 64
"""Least side at which the face alone is compared."""
EYES = (64, 208)
"""Height and width that the eyes are enlarged to: what is small is little to a whole picture."""
MOUTH = (64, 128)
"""Height and width that the mouth is enlarged to."""
LEAST_SPREAD = 0.15
"""Standard deviation that a factor is taken to have at least when errors are weighed."""


@dataclass(frozen=True)
class Weights:
    """Loss weights and schedules.

    Args:
        pixels: L1.
        perceptual: LPIPS (alex).
        closely: LPIPS of the face alone, enlarged: there expressions and age show.
        changed: more L1 where the two pictures of a pair differ, in units of their mean difference.
        adversarial: weight of the critic's opinion, from `adversarial_from` images on.
        adversarial_from: images seen before the critic speaks.
        recognised: how much otherwise a CLIP sees the drawing than the picture, where one is given:
            a small muscle of the face is few pixels, but another expression.
        alike: how much less than the same person an identity network sees in the drawing, where
            one is given: whom a face shows is a matter of few pixels too.
        factors: squared error of the factors read off w, rare ones weighed more.
        size: pull of w towards the unit ball.
        deltas: pull of each row's departure from w towards zero (e4e, equation 5).
        told: share of codes whose factors are set right before drawing, by the directions; the
            generator so learns what factors look like before the encoder can read them.
        plain: share of pictures drawn from w alone, which keeps W itself good.
        jitter: standard deviation of the noise added to w, which keeps the space smooth.
        again: share of the batches on which the encoder also sees what its first codes drew, and
            learns to correct them (ReStyle, Alaluf et al. 2021, section 3).
    """

    pixels: float = 2.0
    perceptual: float = 1.0
    closely: float = 1.5
    changed: float = 1.5
    adversarial: float = 0.05
    adversarial_from: int = 60_000
    recognised: float = 1.0
    alike: float = 1.0
    factors: float = 4.0
    size: float = 1e-3
    deltas: float = 0.02
    told: float = 0.6
    plain: float = 0.35
    jitter: float = 0.05
    again: float = 0.0


def attention(batch: FaceBatch, rule: Weights) -> Tensor | float:
    """Weights of pixels `[2 B, 1, R, R]`, larger where an edit changed something."""
    if batch.edited is None:
        return 1.0
    change = (batch.edited - batch.images).abs().mean(dim=1, keepdim=True)
    change = nn.functional.avg_pool2d(change, 5, 1, 2)
    share = change / (change.mean(dim=(2, 3), keepdim=True) + 0.02)
    return (1 + rule.changed * share.clamp(max=8.0)).repeat(2, 1, 1, 1)


def face(images: Tensor) -> Tensor:
    """The face without hair and background, enlarged where it is small: `[B, 3, r, r]`."""
    side = images.shape[-1]
    top, left, size = round(0.27 * side), round(0.19 * side), round(0.62 * side)
    face = images[:, :, top : top + size, left : left + size]
    if size >= CLOSE:
        return face
    return nn.functional.interpolate(face, (CLOSE, CLOSE), mode="bilinear")


def eyes(images: Tensor) -> Tensor:
    """The band of an FFHQ crop in which eyes and brows lie, enlarged: `[B, 3, *EYES]`."""
    return _band(images, (0.39, 0.55), (0.24, 0.76), EYES)


def mouth(images: Tensor) -> Tensor:
    """The part of an FFHQ crop in which an open mouth lies, enlarged: `[B, 3, *MOUTH]`."""
    return _band(images, (0.61, 0.80), (0.31, 0.69), MOUTH)


def _band(
    images: Tensor, rows: tuple[float, float], columns: tuple[float, float], size: tuple[int, int]
) -> Tensor:
    side = images.shape[-1]
    (top, bottom), (left, right) = [[round(share * side) for share in s] for s in (rows, columns)]
    return nn.functional.interpolate(images[:, :, top:bottom, left:right], size, mode="bilinear")


def factor_weights(factors: Tensor) -> Tensor:
    """Weights `[A]` of the factors' errors, 1 on average, so that a rare expression counts as much
    as the sex, which half of all faces differ in.

    Args:
        factors: of many faces, `[N, A]`; equal weights for fewer than two.
    """
    if len(factors) < 2:
        return torch.ones(factors.shape[1])
    weights = 1 / factors.std(dim=0).clamp(min=LEAST_SPREAD).square()
    return weights / weights.mean()


class Viewer:
    """How differently a frozen network sees two pictures: a CLIP trained on the same faces, or a
    network that knows people.

    Args:
        network: what is frozen.
        look: pictures `[B, 3, R, R]` in [-1, 1] to unit vectors `[B, E]`, differentiable.
    """

    def __init__(self, network: nn.Module, look: Callable[[Tensor], Tensor]) -> None:
        network.requires_grad_(False).eval()
        self.network, self.look = network, look

    def __call__(self, drawn: Tensor, real: Tensor) -> Tensor:
        """One less the mean cosine of pictures `[B, 3, R, R]` in [-1, 1]; differentiable in the
        first."""
        with fast_autocast(drawn.device):
            with torch.no_grad():
                wanted = self.look(real)
            seen = self.look(drawn)
        return 1 - (seen * wanted).sum(dim=1).mean()


def recognition(clip: OpenClip) -> Viewer:
    """Does a CLIP see a drawing as it sees its picture?"""
    return Viewer(clip.model, clip.encode_image)


def likeness(identity: nn.Module) -> Viewer:
    """Does an identity network, pictures to unit vectors, see the same person?"""
    quick = cast(Any, identity).to(memory_format=torch.channels_last)
    return Viewer(quick, quick)
