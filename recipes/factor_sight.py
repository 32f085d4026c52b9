"""How CLIP sees that a class shows: a line through its space for each class.

CLIP's words for a class point where pictures of it lie on average; whether this face has arrived is
a finer question. Faces of the generator, moved towards every class by random amounts, are read by a
network that knows faces well but is too large to ship; logistic regression finds in CLIP's picture
vectors what it says.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from guidance.factor_moves import BEYOND, FactorMoves
from multimodal.judge import Judge
from multimodal.types import ClipModel, Generator
from recipes.factor_goals import chances
from recipes.factor_words import CLASSES

BATCH = 16
FARTHEST = 1.8
"""Greatest multiple of what a face lacks."""

STEPS, RATE = 600, 3e-2


def sighted(
    moves: FactorMoves,
    reader: Judge,
    clip: ClipModel,
    generator: Generator,
    pictures: int,
    seed: int = 0,
) -> FactorMoves:
    """The moves with `sight` fitted to a reader of faces, for the classes that it knows.

    Args:
        moves: with their goals and rows.
        reader: says which classes show.
        clip: sees.
        generator: draws.
        pictures: how many are drawn, of faces at 0.85 of the truncation.
        seed: of the faces and their moves.
    """
    seen, said = drawn(moves, reader, clip, generator, pictures, seed)
    known = said[0] >= 0
    line = fitted(seen, said[:, known])
    sight, bias = moves.sight.clone(), moves.sight_bias.clone()
    sight[known], bias[known] = line.weight.detach(), line.bias.detach()
    return replace(moves, sight=sight, sight_bias=bias)


@torch.no_grad()
def drawn(
    moves: FactorMoves,
    reader: Judge,
    clip: ClipModel,
    generator: Generator,
    pictures: int,
    seed: int,
) -> tuple[Tensor, Tensor]:
    """Unit vectors `[N, E]` of moved faces, and chances of classes `[N, M]`, -1 where unknown."""
    source = torch.Generator().manual_seed(seed)
    seen, said = [], []
    for first in range(0, pictures, BATCH):
        w = generator.sample(BATCH, 10_000 + seed + first, 0.85).w
        factors = moves.read(w).clamp(-BEYOND, BEYOND)
        classes = torch.randint(len(CLASSES), (BATCH,), generator=source)
        amounts = FARTHEST * torch.rand(BATCH, generator=source)
        wishes = amounts[:, None] * F.one_hot(classes, len(CLASSES))
        steps = [moves.step(f, wish) for f, wish in zip(factors, wishes, strict=True)]
        images = generator.synthesize(w + torch.stack(steps))
        seen.append(clip.encode_image(images).cpu())
        said.append(torch.stack([_chance(reader, images, name) for name in CLASSES], dim=1))
    return torch.cat(seen), torch.cat(said)


def _chance(reader: Judge, images: Tensor, name: tuple[str, str]) -> Tensor:
    found = chances(reader, images, *name)
    return torch.full((len(images),), -1.0) if found is None else found.cpu()


def fitted(seen: Tensor, said: Tensor) -> nn.Linear:
    """Logistic regression of chances `[N, M]` on unit vectors `[N, E]`."""
    line = nn.Linear(seen.shape[1], said.shape[1])
    nn.init.zeros_(line.weight)
    nn.init.zeros_(line.bias)
    spread = seen.shape[1] ** 0.5
    adam = torch.optim.AdamW(line.parameters(), RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.LinearLR(adam, 1.0, 1e-2, STEPS)
    for _ in range(STEPS):
        loss = F.binary_cross_entropy_with_logits(line(seen * spread), said)
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
    with torch.no_grad():
        line.weight.mul_(spread)
    return line
