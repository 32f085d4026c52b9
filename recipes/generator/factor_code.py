"""The part of w that says which factors a face has: one matrix that writes them and reads them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FactorCode(nn.Module):
    """Directions of W, one a factor. What is read off a code is its coordinates along them, so
    that a factor the encoder sees is a factor the generator draws, and the same one that edits
    change. Two matrices, one to write and one to read, drift apart: the encoder then knows
    glasses that nobody draws.

    Args:
        dim: size D of a code.
        factors: their number A, at most D.
    """

    def __init__(self, dim: int, factors: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.15 * torch.randn(dim, factors))
        self.bias = nn.Parameter(torch.zeros(factors))

    def forward(self, change: Tensor) -> Tensor:
        """A change of factors `[B, A]` -> the change of w it stands for, `[B, D]`."""
        return change @ self.weight.T

    def read(self, w: Tensor) -> Tensor:
        """Codes `[B, D]` -> their factors `[B, A]`."""
        gram = self.weight.T @ self.weight
        return w @ torch.linalg.solve(gram, self.weight.T).T + self.bias
