"""What a face's own changes must leave to edits: a step of the code does to the changed generator's
drawing what it does to the plain one's.

A hypernetwork that is only asked for the picture may hold it there by features that no code moves:
then a smile fades, for the closed mouth was added. So every face is drawn a second time, after a
random edit along the model's known factors, and held against its own drawing with the plain
generator's difference added; where that is large, against the plain generator's edited drawing,
for a sum of two mouths is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from guidance.methods.factor_moves import BEYOND, FILE_NAME, FactorMoves
from multimodal.generators.smaller import drawn_at
from multimodal.generators.stylegan2 import StyleGAN2
from recipes.encoder.train_encoder import Judges, Weights, distances

RULE = Weights(pixels=2.0, perceptual=1.0, identity=0.0)
LEAST, MOST = 0.7, 1.5
"""Multiples of what a face lacks of a class, as gains and sliders ask for."""
REDRAWN = (0.1, 0.4)
"""Mean differences (of 2) from which the plain drawing begins to count, and counts alone."""
AWAY = 0.2
"""Share of the edits that go away from a class."""


@dataclass(frozen=True)
class Asked:
    """Edits of a batch of faces.

    Args:
        codes: after the edits `[B, L, D]`.
        plain: the plain generator's drawings of them `[B, 3, S, S]`.
        change: how these differ from those before the edits.
    """

    codes: Tensor
    plain: Tensor
    change: Tensor

    def wanted(self, before: Tensor) -> Tensor:
        """What drawings before the edits, `[B, 3, S, S]`, should become."""
        least, most = REDRAWN
        size = self.change.abs().mean(dim=1, keepdim=True)
        share = (F.avg_pool2d(size, 5, 1, 2) - least) / (most - least)
        pasted = before.detach().float() + self.change
        return torch.lerp(pasted, self.plain, share.clamp(0, 1)).clamp(-1, 1)

    def missed(self, before: Tensor, after: Tensor, judges: Judges) -> Tensor:
        """How far the drawings after the edits `[B, 3, S, S]` are from what those before should
        become; only the former learn."""
        terms = distances(self.wanted(before), after, judges, RULE)
        return torch.stack([term.float() for term in terms.values()]).sum()


@dataclass(frozen=True)
class Edits:
    """Random edits along a model's factors.

    Args:
        moves: the factors.
    """

    moves: FactorMoves

    @classmethod
    def of(cls, model: Path) -> Edits | None:
        """Those of a model's folder; None where it has no factors."""
        path = model / FILE_NAME
        return cls(FactorMoves.load(path)) if path.is_file() else None

    def step(self, w_plus: Tensor) -> Tensor:
        """The change `[L, D]` of a code `[L, D]` that some class asks for."""
        asked = torch.zeros(len(self.moves.names))
        sign = -1.0 if float(torch.rand(())) < AWAY else 1.0
        asked[int(torch.randint(len(asked), ()))] = sign
        factors = self.moves.read(w_plus).clamp(-BEYOND, BEYOND)
        return (LEAST + (MOST - LEAST) * float(torch.rand(()))) * self.moves.step(factors, asked)

    @torch.no_grad()
    def asked(self, generator: StyleGAN2, codes: Tensor, side: int) -> Asked:
        """An edit of each face, `[B, L, D]`, drawn plainly at a side."""
        edited = codes + torch.stack([self.step(code) for code in codes])
        drawn = drawn_at(generator, torch.cat([codes, edited]), side).float()
        before, after = drawn.chunk(2)
        return Asked(edited, after, after - before)
