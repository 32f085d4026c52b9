"""Known factors: a target is read as classes of a face, and those factors of the code are set.

Where a generator was trained on faces whose factors are known, its code holds them as coordinates
along known directions of W (InterFaceGAN, Shen et al. 2020, equation 3, with directions that were
trained instead of found). What a target asks for is read in CLIP's space, as a sparse sum of the
changes that words for each class stand for (lasso; Tibshirani 1996). A factor is then
not pushed by a fixed step but set: the step is what this face still lacks, so that a bearded man
stays one and a smile is not smiled twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from guidance.common import load_tensors, read_options, save_tensors
from guidance.targets import direction
from multimodal.types import EditRequest, Offset, OnStep, Toolkit

FILE_NAME = "factors.safetensors"
BEYOND = 1.5
"""Factors lie in [-1, 1]; what is read off an odd code is held to this."""


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
        names: of the classes.
    """

    weight: Tensor
    bias: Tensor
    words: Tensor
    goals: Tensor
    rests: Tensor
    masks: Tensor
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
        if shapes != {(count, factors)} or moves.words.shape[0] != count:
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

    def missing(self, factors: Tensor, asked: Tensor) -> Tensor:
        """What a face `[A]` lacks of the classes it is asked for.

        Args:
            factors: of the face, `[A]`.
            asked: how much of every class is wanted, `[M]` in [-1, 1]; where classes speak of the
                same factor, the most wanted counts.
        """
        change, free = torch.zeros_like(factors), torch.ones_like(factors)
        for index in asked.abs().argsort(descending=True).tolist():
            wish = float(asked[index])
            if wish == 0:
                break
            goal = self.goals[index] if wish > 0 else self.rests[index]
            change = change + free * self.masks[index] * abs(wish) * (goal - factors)
            free = free * (1 - self.masks[index])
        return change


@dataclass(frozen=True)
class FactorOptions:
    """Settings of one edit.

    Args:
        gain: multiple of what the face lacks.
        price: of a coefficient in the sparse sum; higher finds fewer classes.
        least: share of the largest coefficient below which a class is not meant.
        least_against: the same for classes that a target moves away from.
        full: share from which a class is meant wholly.
    """

    gain: float = 1.0
    price: float = 0.05
    least: float = 0.22
    least_against: float = 0.6
    full: float = 0.3


def sparse_sum(target: Tensor, words: Tensor, price: float, rounds: int = 60) -> Tensor:
    """Coefficients `[M]` of a sparse sum of unit vectors `[M, E]` near a unit target `[E]`: the
    minimum of half the squared error plus `price` times the coefficients' sizes, coordinate by
    coordinate."""
    gram, like = words @ words.T, words @ target
    found = torch.zeros(len(words), dtype=words.dtype, device=words.device)
    for _ in range(rounds):
        for index in range(len(words)):
            rest = like[index] - gram[index] @ found + gram[index, index] * found[index]
            size = (rest.abs() - price).clamp(min=0)
            found[index] = rest.sign() * size / gram[index, index]
    return found


def wanted(
    change: Tensor, words: Tensor, options: FactorOptions, names: Sequence[str] = ()
) -> Tensor:
    """How much of every class a change `[E]` asks for, `[M]` in [-1, 1].

    The largest coefficient counts 1, small ones 0. Nobody asks for a child and an old person in one
    face: of the classes of an attribute ("age: old" and "age: child" in `names`), only the most
    wanted is.
    """
    found = sparse_sum(F.normalize(change, dim=0), words, options.price)
    share = strongest(found, names) / found.abs().max().clamp(min=1e-6)
    least = torch.where(share > 0, options.least, options.least_against)
    share = torch.where(share.abs() >= least, share / options.full, torch.zeros_like(share))
    return share.clamp(-1, 1)


def strongest(found: Tensor, names: Sequence[str]) -> Tensor:
    """Coefficients `[M]` with all positive ones of an attribute but its largest set to zero; names
    read "attribute: class"."""
    out = found.clone()
    attributes = [name.split(": ")[0] for name in names]
    for attribute in set(attributes):
        rows = [i for i, own in enumerate(attributes) if own == attribute]
        best = max(rows, key=lambda i: float(found[i]))
        out[[i for i in rows if i != best and float(found[i]) > 0]] = 0
    return out


class KnownFactors:
    """Known factors as a `Guidance`.

    Args:
        toolkit: the moves are read from `folder/factors.safetensors`.
        moves: moves already loaded.
    """

    name = "factors"

    def __init__(self, toolkit: Toolkit, moves: FactorMoves | None = None) -> None:
        self.toolkit = toolkit
        self._moves = moves

    @property
    def moves(self) -> FactorMoves:
        """The model's factors.

        Raises:
            FileNotFoundError: it has none.
            ValueError: they belong to another generator or CLIP.
        """
        if self._moves is None:
            path = Path(self.toolkit.folder or "") / FILE_NAME
            if self.toolkit.folder is None or not path.is_file():
                raise FileNotFoundError("this model has no known factors: train it on pairs")
            moves = FactorMoves.load(path).to(self.toolkit.generator.device)
            fitting = (self.toolkit.generator.style_dim, self.toolkit.clip.dim)
            if (moves.weight.shape[0], moves.words.shape[1]) != fitting:
                raise ValueError(f"{path} belongs to another generator or CLIP")
            self._moves = moves
        return self._moves

    @torch.no_grad()
    def offset(self, request: EditRequest, on_step: OnStep | None = None) -> Offset:
        """What this face lacks of what is asked for, the same step in every row of W+."""
        options, moves = read_options(FactorOptions, request.options), self.moves
        w = request.latent.w.to(moves.weight)
        change = direction(request.target, request.neutral).to(moves.words)[0]
        factors = moves.read(w.mean(dim=1))[0].clamp(-BEYOND, BEYOND)
        missing = moves.missing(factors, wanted(change, moves.words, options, moves.names))
        step = options.gain * (moves.weight @ missing)
        return Offset(w=step.to(request.latent.w).expand_as(request.latent.w).clone())

    def heard_as(self, target: Tensor, neutral: Tensor) -> Sequence[tuple[str, float]]:
        """The classes a target `[1, E]` asks for, and how much of each, the most wanted first."""
        change = direction(target, neutral).to(self.moves.words)[0]
        asked = wanted(change, self.moves.words, FactorOptions(), self.moves.names)
        order = asked.abs().argsort(descending=True).tolist()
        return [(self.moves.names[i], float(asked[i])) for i in order if float(asked[i]) != 0]
