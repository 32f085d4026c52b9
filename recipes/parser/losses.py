"""How wrong a parsing is where only a set of classes is known."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal.parsing.classes import CLASSES
from recipes.parser.data import members
from recipes.parser.partial import ALL

SMALL = 0.4
"""A part weighs as much as its size to the power of one minus this."""
BORDER = 1.5
"""How much more a pixel counts that has another set two pixels away."""


def set_loss(logits: Tensor, sets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean negative logarithm of the probability of every pixel's set.

    With one class a set this is cross entropy (partial labels: Jin and Ghahramani 2002, "Learning
    with multiple labels", for what several classes mean).

    Args:
        logits: `[B, C, H, W]`.
        sets: bit masks `[B, H, W]`.
        weights: of the pixels `[B, H, W]`, or None: the same for all.
    """
    return losses(logits, sets, weights)[0]


def losses(logits: Tensor, sets: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """`set_loss`, and one minus the soft intersection over union: the mean of the classes that a
    batch holds, over pixels of which one class is known (Rahman and Wang 2016, "Optimizing
    intersection-over-union in deep neural networks for image segmentation", equations 3 to 5).

    Args:
        logits: `[B, C, H, W]`.
        sets: bit masks `[B, H, W]`.
        weights: of the pixels `[B, H, W]` in the first, or None: the same for all.
    """
    likely = logits.permute(0, 2, 3, 1).float().softmax(-1)
    table, place = sets.unique(return_inverse=True)
    inside = members(table[:, None, None], len(CLASSES))[..., 0, 0].float()  # [U, C]
    wanted = likely * F.embedding(place, inside)
    allowed = wanted.sum(-1).clamp_min(1e-6)
    known = (sets != ALL).float()
    if weights is not None:
        known = known * weights
    asked = -(allowed.log() * known).sum() / known.sum().clamp_min(1e-6)
    return asked, _jaccard(likely.flatten(0, 2), wanted.flatten(0, 2), sets.flatten())


def _jaccard(likely: Tensor, wanted: Tensor, sets: Tensor) -> Tensor:
    """Of probabilities `[N, C]`, the same where their class is allowed, and sets `[N]`."""
    single = ((sets & (sets - 1)) == 0).float()
    classes = torch.arange(likely.shape[1], dtype=sets.dtype, device=sets.device)
    theirs = torch.stack([(sets == 1 << int(k)).sum() for k in classes]).float()
    both, ours = single @ wanted, single @ likely
    met = (theirs > 0).float()
    ratio = both / (ours + theirs - both).clamp_min(1e-6)
    return ((1 - ratio) * met).sum() / met.sum().clamp_min(1)


def pixel_weights(sets: Tensor) -> Tensor:
    """How much every pixel `[B, H, W]` counts: small parts more, borders more."""
    out = torch.ones(sets.shape)
    for mine, weights in zip(sets, out, strict=True):
        counts = torch.bincount(mine.flatten(), minlength=ALL + 1)
        weights.copy_(((counts[mine].float() + 16) / mine.numel()) ** -SMALL)
    border = torch.zeros(sets.shape, dtype=torch.bool)
    across, down = sets[:, 2:] != sets[:, :-2], sets[:, :, 2:] != sets[:, :, :-2]
    border[:, 2:] |= across
    border[:, :-2] |= across
    border[:, :, 2:] |= down
    border[:, :, :-2] |= down
    return out * (1 + BORDER * border)


def overlap(found: Tensor, wanted: Tensor, count: int = len(CLASSES)) -> Tensor:
    """Intersections and unions `[2, C]` of label maps `[..., H, W]`."""
    found, wanted = found.flatten().long(), wanted.flatten().long()
    both = torch.bincount(wanted * count + found, minlength=count * count).view(count, count)
    inter = both.diagonal()
    return torch.stack([inter, both.sum(0) + both.sum(1) - inter])


def _likely(logits: Tensor) -> Tensor:
    """Probabilities `[B, H, W, C]`."""
    return logits.permute(0, 2, 3, 1).float().softmax(-1)


def _allowed(sets: Tensor) -> Tensor:
    """Which classes the sets hold, `[B, H, W, C]` of 0 and 1."""
    table, place = sets.unique(return_inverse=True)
    inside = members(table[:, None, None], len(CLASSES))[..., 0, 0].float()  # [U, C]
    return F.embedding(place, inside)
