"""Parses faces: what each pixel of an aligned crop, or of a whole photo, shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from multimodal.devices import fast_autocast
from multimodal.parsing.classes import CLASSES, COLORS, class_indices
from multimodal.parsing.guided import guided_enlarge
from multimodal.parsing.network import ParserNetwork


class FaceParser:
    """A trained `ParserNetwork` at work.

    Args:
        network: frozen, on its device.
    """

    def __init__(self, network: ParserNetwork) -> None:
        self.network = network

    @property
    def side(self) -> int:
        """Of the pictures that the network is shown."""
        return self.network.config.side

    @torch.no_grad()
    def probabilities(self, crops: Tensor, mirror: bool = False) -> Tensor:
        """Probabilities of `CLASSES` `[B, 16, side, side]`, float32, of aligned crops.

        Args:
            crops: `[B, 3, H, W]` in [-1, 1], any square size, framed about as FFHQ frames.
            mirror: look at the mirrored crop as well, and take the mean: steadier, twice as slow.

        Raises:
            ValueError: another shape.
        """
        if crops.ndim != 4 or crops.shape[1] != 3:
            raise ValueError(f"expected pictures [B, 3, H, W], got {tuple(crops.shape)}")
        weight = next(self.network.parameters())
        small = crops.to(weight).clamp(-1, 1)
        if small.shape[-2:] != (self.side, self.side):
            small = F.interpolate(small, (self.side,) * 2, mode="bilinear", antialias=True)
        small = small.contiguous(memory_format=torch.channels_last)
        with fast_autocast(weight.device):
            logits = self.network(small)
            found = logits.float().softmax(1)
            if mirror:
                other = self.network(small.flip(3)).float().softmax(1).flip(3)
                found = (found + other) / 2
        return found

    def mask(self, crops: Tensor, names: Sequence[str], soft: bool = True) -> Tensor:
        """Where an aligned crop shows any of some classes or parts: `[B, 1, H, W]` in [0, 1].

        Args:
            crops: `[B, 3, H, W]` in [-1, 1].
            names: of `CLASSES` or `PARTS`.
            soft: edges follow the picture at its own size; else they are those of the network.

        Raises:
            ValueError: an unknown name, or another shape.
        """
        places = class_indices(tuple(names))
        found = self.probabilities(crops)[:, places].sum(1, keepdim=True)
        if soft:
            return guided_enlarge(found, crops.to(found))
        return F.interpolate(found, crops.shape[-2:], mode="bilinear", align_corners=False)

    def labels(self, crops: Tensor) -> Tensor:
        """The likeliest class of every pixel `[B, H, W]`, uint8, edges guided by the crop."""
        found = guided_enlarge(self.probabilities(crops), crops.to(next(self.network.parameters())))
        return found.argmax(1).to(torch.uint8)

    def areas(self, crops: Tensor) -> np.ndarray:
        """Share of the pixels of each crop that every one of `CLASSES` has, float64 `[B, 16]`: what
        `multimodal.metrics.frechet_segmentation` compares."""
        found = self.probabilities(crops).argmax(1).flatten(1).cpu().numpy()
        counts = [np.bincount(one, minlength=len(CLASSES)) for one in found]
        return np.stack(counts) / found.shape[1]


def painted(labels: np.ndarray) -> Image.Image:
    """Labels `[H, W]` in the display colours of their classes."""
    return Image.fromarray(np.asarray(COLORS, np.uint8)[labels])


def shares(labels: np.ndarray) -> dict[str, float]:
    """Share of the pixels `[H, W]` that every class has, of those that are there."""
    counts = np.bincount(labels.ravel(), minlength=len(CLASSES)) / labels.size
    return {name: round(float(c), 5) for name, c in zip(CLASSES, counts, strict=True) if c}
