"""How far each factor must go until its class shows, and in which rows of W+.

Surprise takes twice what training called surprised, glasses two thirds. And a factor that is set
in every row changes more of a person than it must: closed eyes are drawn by the later rows alone.
Every class is tried on faces of the generator, in several rows and at growing amounts; of the rows
in which nearly as many faces come to show it as in any, those are kept that keep the person best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from guidance.methods.factor_moves import BEYOND, FactorMoves
from multimodal.recognition.judge import Judge
from multimodal.types import Generator, ImageEmbedder
from recipes.factors.classes import CLASSES

AMOUNTS = (0.5, 0.7, 0.85, 1.0, 1.25, 1.5, 1.9, 2.4)
"""How far from a plain face to the class's factors a goal may lie."""

ROWS: tuple[tuple[int, int | None], ...] = ((0, None), (0, 6), (2, 8), (4, 8), (4, 10), (6, None))
"""First row of W+ in which a class is tried, and the row after the last."""

SEEN = 0.5
"""Chance from which a face counts as one of a class."""

ARRIVED = 0.9
"""Share of the faces that must show a class."""

NEARLY = 0.08
"""What may be missing to the most faces that anything brings there, where nothing brings enough."""


@dataclass(frozen=True)
class Trial:
    """A class tried in some rows: the least amount that shows, the share of the faces that then
    show it, and how alike they stay (mean identity cosine)."""

    rows: tuple[int, int | None]
    amount: float
    share: float
    identity: float


@dataclass(frozen=True)
class Faces:
    """Faces of the generator: codes `[B, L, D]`, factors `[B, A]`, identity vectors `[B, K]`."""

    w: Tensor
    factors: Tensor
    identities: Tensor

    def those(self, kept: Tensor) -> Faces:
        """Some of them."""
        return Faces(self.w[kept], self.factors[kept], self.identities[kept])


@torch.no_grad()
def calibrated(
    moves: FactorMoves,
    reader: Judge,
    identity: ImageEmbedder,
    generator: Generator,
    faces: int,
) -> FactorMoves:
    """The moves with goals as far from a plain face as it takes until the class shows, in the rows
    that keep the person best.

    Args:
        moves: with the factors of training as goals.
        reader: says what shows; classes that it does not know keep their goals.
        identity: says how alike a face stays.
        generator: draws.
        faces: of the generator, on which every class is tried.
    """
    w = generator.sample(faces, 7, 0.8).w
    before = generator.synthesize(w)
    factors = moves.read(w.mean(dim=1)).clamp(-BEYOND, BEYOND)
    all_faces = Faces(w, factors, identity(before))
    for index, name in enumerate(CLASSES):
        there = chances(reader, before, *name)
        if there is None or bool((there >= SEEN).all()):
            continue
        tried = all_faces.those(there < SEEN)
        trials = [_trial(moves, index, rows, reader, identity, generator, tried) for rows in ROWS]
        moves = _adopted(moves, index, best(trials))
    return moves


def chances(reader: Judge, images: Tensor, attribute: str, value: str) -> Tensor | None:
    """How sure a network is that pictures `[B, 3, H, W]` show a class, `[B]`; None where it does
    not know the class."""
    if value not in reader.config.classes.get(attribute, ()):
        return None
    return reader.read(images)[attribute][:, reader.config.index(attribute, value)]


def best(trials: Sequence[Trial]) -> Trial:
    """Of the trials that bring enough faces there, or nearly as many as any, the one that keeps the
    person best; the first where no face ever shows the class."""
    most = max(trial.share for trial in trials)
    if most <= 0:
        return trials[0]
    enough = min(ARRIVED, most - NEARLY)
    return max((t for t in trials if t.share >= enough), key=lambda trial: trial.identity)


def least(shares: Sequence[float]) -> int:
    """Which of the first amounts is the smallest at which enough faces show a class, or nearly as
    many as at any; that of amount 1 where no face ever does."""
    if max(shares) <= 0:
        return AMOUNTS.index(1.0)
    enough = min(ARRIVED, max(shares) - NEARLY)
    return next(i for i, share in enumerate(shares) if share >= enough)


def _trial(
    moves: FactorMoves,
    index: int,
    rows: tuple[int, int | None],
    reader: Judge,
    identity: ImageEmbedder,
    generator: Generator,
    faces: Faces,
) -> Trial:
    shares: list[float] = []
    alike: list[float] = []
    for amount in AMOUNTS:
        goal = torch.lerp(moves.rests[index], moves.goals[index], amount)
        step = ((goal - faces.factors) * moves.masks[index]) @ moves.weight.T
        moved = faces.w + step[:, None] * row_mask(rows, faces.w.shape[1])[:, None]
        drawn = generator.synthesize(moved)
        found = chances(reader, drawn, *tuple(CLASSES)[index])
        assert found is not None
        shares.append(float((found >= SEEN).float().mean()))
        alike.append(float((identity(drawn) * faces.identities).sum(dim=1).mean()))
        if shares[-1] >= ARRIVED:
            break
    found_at = least(shares)
    return Trial(rows, AMOUNTS[found_at], shares[found_at], alike[found_at])


def row_mask(rows: tuple[int, int | None], layers: int) -> Tensor:
    """`[L]`, 1 in these rows; in all where W+ has none of them."""
    mask = torch.zeros(layers)
    mask[rows[0] : rows[1]] = 1
    return mask if bool(mask.any()) else torch.ones(layers)


def _adopted(moves: FactorMoves, index: int, trial: Trial) -> FactorMoves:
    goals, rows = moves.goals.clone(), moves.rows.clone()
    goals[index] = torch.lerp(moves.rests[index], goals[index], trial.amount)
    rows[index] = row_mask(trial.rows, rows.shape[1])
    return replace(moves, goals=goals, rows=rows)
