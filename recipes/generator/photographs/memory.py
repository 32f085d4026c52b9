"""What the model knew before: pairs that its own generator draws, whose codes are known exactly."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from multimodal.generators.stylegan2 import StyleGAN2
from recipes.factors.attributes import NAMES
from recipes.generator.factor_code import FactorCode
from recipes.generator.pairs import FaceBatch

STEP = 1.0
"""How far a factor is moved; factors are roughly in [-1, 1]."""


class RememberedPairs:
    """Endless batches of faces, and of each with one factor moved, as the model drew them before it
    was trained on. No renders are needed, and none need to travel to where a GPU is.

    Args:
        generator: is copied, with its mapping network.
        factors: directions of the factors.
        batch: faces a batch.
        seed: of codes and factors.
        truncation: psi of the codes.
    """

    def __init__(
        self,
        generator: StyleGAN2,
        factors: FactorCode,
        batch: int,
        seed: int,
        truncation: float = 0.9,
    ) -> None:
        self.generator = copy.deepcopy(generator).eval().requires_grad_(False)
        self.factors, self.batch, self.truncation = factors, batch, truncation
        self._source = torch.Generator().manual_seed(seed)

    def __iter__(self) -> RememberedPairs:
        return self

    @torch.no_grad()
    def __next__(self) -> FaceBatch:
        seed = int(torch.randint(2**31, (), generator=self._source))
        w = self.generator.sample(self.batch, seed, self.truncation).w[:, 0]
        change = torch.zeros(self.batch, len(NAMES))
        moved = torch.randint(len(NAMES), (self.batch,), generator=self._source)
        signs = torch.rand(self.batch, generator=self._source).sub(0.3).sign()
        change[torch.arange(self.batch), moved] = STEP * signs
        change = change.to(w.device)
        images = self._drawn(w)
        edited = self._drawn(w + self.factors(change))
        return FaceBatch(images, edited, self.factors.read(w), change)

    def _drawn(self, w: Tensor) -> Tensor:
        w_plus = w[:, None].expand(-1, self.generator.num_layers, -1)
        drawn = self.generator.synthesize(w_plus, noise="none").clamp(-1, 1)
        return drawn.contiguous(memory_format=torch.channels_last)
