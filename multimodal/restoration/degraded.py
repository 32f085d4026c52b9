"""A generator seen through a degradation: every inversion then looks for what explains a ruin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from multimodal.types import Generator, Latent, NoiseMode


class Degraded(nn.Module):
    """Draws as another generator does, and lets the same happen to its drawings.

    Args:
        inner: the generator, a torch module.
        harm: the degradation.
    """

    def __init__(self, inner: Generator, harm: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        if not isinstance(inner, nn.Module):
            raise ValueError(f"restoring needs a torch generator, not {type(inner).__name__}")
        self.inner: Any = inner
        self.harm = harm

    def __getattr__(self, name: str) -> Any:
        """What the generator knows of itself: its size, its mapping, its average."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("inner"), name)

    def synthesize(self, w_plus: Tensor, noise: NoiseMode | Sequence[Tensor] = "const") -> Tensor:
        """Degraded drawings `[B, 3, R, R]` of codes `[B, L, D]`."""
        return self.harm(self.inner.synthesize(w_plus, noise))

    def sample(self, n: int, seed: int, truncation: float = 0.7) -> Latent:
        """Random codes, the generator's own."""
        return self.inner.sample(n, seed, truncation)
