"""The look of a picture, photograph or render, as one more factor of its code.

It is a direction of W beside the factors' own, known for every picture of the training. Directions
learnt on renders then hold for photographs, and a sample can be asked for as either.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LOOKS = {"render": 0.0, "photo": 1.0}
"""Where on the direction each look lies."""


class Look(nn.Module):
    """The direction of W from renders to photographs, and where codes lie on it.

    Args:
        dim: size D of a code.
    """

    direction: Tensor
    origin: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("direction", torch.zeros(dim))
        self.register_buffer("origin", torch.zeros(dim))

    @torch.no_grad()
    def fit(self, renders: Tensor, photographs: Tensor, factors: Tensor) -> None:
        """Lay the direction through the means of two sets of codes, across those of the factors.

        Args:
            renders, photographs: codes `[N, D]` and `[M, D]`.
            factors: their directions `[D, A]`, whose coordinates the look must not touch.
        """
        towards = photographs.mean(dim=0) - renders.mean(dim=0)
        span = torch.linalg.qr(factors)[0]
        towards = towards - span @ (span.T @ towards)
        # Where the two means lie on it: 0 and 1.
        self.direction.copy_(towards)
        self.origin.copy_(renders.mean(dim=0))

    def read(self, w: Tensor) -> Tensor:
        """Codes `[B, D]` -> where they lie, `[B]`: 0 a render, 1 a photograph."""
        size = self.direction.square().sum().clamp(min=1e-8)
        return (w - self.origin) @ self.direction / size

    def turned(self, w: Tensor, look: float) -> Tensor:
        """Codes `[B, D]` of faces, the same ones with another look."""
        return w + (look - self.read(w))[:, None] * self.direction
