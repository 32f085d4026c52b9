"""How wrong a parsing is where only a set of classes is known."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal.parsing.classes import CLASSES
from recipes.parser.data import members
from recipes.parser.partial import ALL


def set_loss(logits: Tensor, sets: Tensor) -> Tensor:
    """Mean negative logarithm of the probability of every pixel's set.

    With one class a set this is cross entropy (partial labels: Jin and Ghahramani 2002, "Learning
    with multiple labels", for what several classes mean).

    Args:
        logits: `[B, C, H, W]`.
        sets: bit masks `[B, H, W]`.
    """
    known = sets != ALL
    table, place = sets.unique(return_inverse=True)
    inside = members(table[:, None, None], len(CLASSES))[..., 0, 0].float()  # [U, C]
    likely = logits.permute(0, 2, 3, 1).float().softmax(-1)
    allowed = (likely * F.embedding(place, inside)).sum(-1).clamp_min(1e-7)
    return -(allowed.log() * known).sum() / known.sum().clamp_min(1)


def overlap(found: Tensor, wanted: Tensor, count: int = len(CLASSES)) -> Tensor:
    """Intersections and unions `[2, C]` of label maps `[..., H, W]`."""
    found, wanted = found.flatten().long(), wanted.flatten().long()
    both = torch.bincount(wanted * count + found, minlength=count * count).view(count, count)
    inter = both.diagonal()
    return torch.stack([inter, both.sum(0) + both.sum(1) - inter])
