"""The file behind the `factors` method: classes of a face, their words, where a code holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from guidance.common import load_tensors, save_tensors

FILE_NAME = "factors.safetensors"
BEYOND = 1.5
"""Factors lie in [-1, 1]; what is read off an odd code is held to this."""


@dataclass(frozen=True)
class Way:
    """A change of factors that is wanted, and where.

    Args:
        rows: of W+, `[L]`, 0 or 1.
        lacks: the change of the factors, `[A]`.
    """

    rows: Tensor
    lacks: Tensor


@dataclass(frozen=True)
class FactorMoves:
    """What words there are for a face's factors, and where a code holds them.

    Args:
        weight: directions of W, `[D, A]`, one a factor.
        bias: of the factors read, `[A]`.
        words: unit changes in CLIP's space that each of M classes stands for, `[M, E]`.
        goals: the factors of a face of that class, `[M, A]`.
        rests: the factors of a face of which the opposite is said, `[M, A]`.
        masks: which factors the class says something about, `[M, A]`, 0 or 1.
        rows: the rows of W+ in which it is set, `[M, L]`, 0 or 1; the fewer, the more stays.
        names: of the classes.
    """

    weight: Tensor
    bias: Tensor
    words: Tensor
    goals: Tensor
    rests: Tensor
    masks: Tensor
    rows: Tensor
    names: tuple[str, ...]

    def save(self, path: Path | str, about: Mapping[str, Any] | None = None) -> Path:
        """Write as one `.safetensors` file."""
        tensors = {k: v for k, v in vars(self).items() if isinstance(v, Tensor)}
        return save_tensors(
            path, tensors, {"kind": "factors", "names": self.names, **(about or {})}
        )

    @classmethod
    def load(cls, path: Path | str) -> FactorMoves:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: no such file.
            ValueError: it holds something else, or tensors that do not fit each other.
        """
        tensors, about = load_tensors(path)
        if about.get("kind") != "factors":
            raise ValueError(f"{path} does not hold factors")
        try:
            moves = cls(**{k: v.float() for k, v in tensors.items()}, names=tuple(about["names"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} holds other tensors than factors have: {error}") from error
        count, factors = len(moves.names), moves.weight.shape[-1]
        shapes = {tuple(t.shape) for t in (moves.goals, moves.rests, moves.masks)}
        others = (moves.words, moves.rows)
        if shapes != {(count, factors)} or any(len(t) != count for t in others):
            raise ValueError(f"{path} holds {count} names and tensors of {sorted(shapes)}")
        return moves

    def to(self, device: torch.device | str) -> FactorMoves:
        """The same on another device."""
        held: Mapping[str, Any] = vars(self)
        moved: dict[str, Any] = {k: v.to(device) for k, v in held.items() if k != "names"}
        return replace(self, **moved)

    def read(self, w: Tensor) -> Tensor:
        """The factors `[B, A]` that codes `[B, D]` hold: their coordinates along the directions."""
        gram = self.weight.T @ self.weight
        return w @ torch.linalg.solve(gram, self.weight.T).T + self.bias

    def whole(self, name: str) -> Tensor:
        """The way `[A]` from a face that has nothing of a class to one that has it.

        Raises:
            ValueError: no such class.
        """
        index = self.names.index(name)
        return self.masks[index] * (self.goals[index] - self.rests[index])

    def ways(self, factors: Tensor, asked: Tensor) -> list[Way]:
        """What a face lacks of the classes it is asked for, and the rows of W+ to set it in.

        Args:
            factors: that each row of its code holds, `[L, A]`.
            asked: how much of every class is wanted, `[M]` in [-1, 1]; where classes speak of the
                same factor, the most wanted counts.
        """
        free, found = factors.new_ones(factors.shape[1]), []
        for index in asked.abs().argsort(descending=True).tolist():
            wish = float(asked[index])
            if wish == 0:
                break
            goal = self.goals[index] if wish > 0 else self.rests[index]
            rows = self.rows[index]
            lacks = free * self.masks[index] * abs(wish) * (goal - rows @ factors / rows.sum())
            found.append(Way(rows, lacks))
            free = free * (1 - self.masks[index])
        return found

    def gone(self, ways: Sequence[Way]) -> Tensor:
        """The change of W+ `[L, D]` that some ways make along the directions."""
        step = self.weight.new_zeros(self.rows.shape[1], len(self.weight))
        for way in ways:
            step = step + torch.outer(way.rows, self.weight @ way.lacks)
        return step

    def step(self, factors: Tensor, asked: Tensor) -> Tensor:
        """The change of W+ `[L, D]` that gives a face what it lacks of the classes it is asked for;
        see `ways`."""
        return self.gone(self.ways(factors, asked))
