"""Unnamed directions of W on disk: what SeFa, GANSpace and the Jacobian find, and how far codes
spread there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from guidance.common import load_tensors, save_tensors
from multimodal.types import Generator, Offset

FILES = {
    "sefa": "sefa.safetensors",
    "ganspace": "ganspace.safetensors",
    "jacobian": "jacobian.safetensors",
}
"""Kinds, and the file of each in a model folder."""

SPREAD_SAMPLES = 2000


@dataclass(frozen=True)
class Components:
    """Directions of one kind, the most telling first.

    Args:
        kind: one of `FILES`.
        directions: unit rows `[K, D]`.
        deviations: standard deviation of sampled codes along each, `[K]`.

    Raises:
        ValueError: another kind, or shapes that do not fit.
    """

    kind: str
    directions: Tensor
    deviations: Tensor

    def __post_init__(self) -> None:
        if self.kind not in FILES:
            raise ValueError(f"kind {self.kind!r} is not one of {sorted(FILES)}")
        shape, spreads = tuple(self.directions.shape), tuple(self.deviations.shape)
        if len(shape) != 2 or spreads != shape[:1]:
            raise ValueError(f"directions {shape} with deviations {spreads} are not [K, D] and [K]")

    def offsets(self, rows: int, count: int = 5) -> dict[str, Offset]:
        """The first `count` as offsets of W+ `[1, rows, D]` named "sefa 1", "sefa 2", ...: strength
        1 moves a code by one standard deviation."""
        moved = self.directions * self.deviations[:, None]
        return {
            f"{self.kind} {index + 1}": Offset(w=row.expand(1, rows, -1).contiguous())
            for index, row in enumerate(moved[:count])
        }

    def save(self, folder: Path | str) -> Path:
        """Write into a model folder, under the kind's file name."""
        tensors = {"directions": self.directions, "deviations": self.deviations}
        return save_tensors(Path(folder) / FILES[self.kind], tensors, {"kind": self.kind})

    @classmethod
    def load(cls, folder: Path | str, kind: str) -> Components:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: the folder has none of that kind.
            ValueError: the file holds something else.
        """
        if kind not in FILES:
            raise ValueError(f"kind {kind!r} is not one of {sorted(FILES)}")
        path = Path(folder) / FILES[kind]
        tensors, about = load_tensors(path)
        if about.get("kind") != kind or "directions" not in tensors:
            raise ValueError(f"{path} does not hold directions of kind {kind!r}")
        directions = tensors["directions"].float()
        deviations = tensors.get("deviations", torch.ones(directions.shape[:1])).float()
        try:
            return cls(kind, directions, deviations)
        except ValueError as error:
            raise ValueError(f"{path} cannot be used: {error}") from error


@torch.no_grad()
def spread(generator: Generator, directions: Tensor, seed: int = 0) -> Tensor:
    """Standard deviation `[K]` of sampled codes along unit directions of W `[K, D]`."""
    codes = generator.sample(SPREAD_SAMPLES, seed, 1.0).w[:, 0].cpu()
    return (codes @ directions.T).std(dim=0)
