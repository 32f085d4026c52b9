"""The quality direction: codes are moved away from where a generator draws artefacts (Shen et al.
2020, "Interpreting the Latent Space of GANs for Semantic Face Editing", section 4.3).

The paper labels 4,000 drawings by hand as good or broken and takes the normal between the two, as
for any attribute. Here nobody labels: a drawing is as good as its features are usual among pictures
that are known to be good (photographs, or the generator's own drawings near its average).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from guidance.controls.attributes import Scores, attribute_directions
from multimodal.types import Generator, OnStep

NAME = "quality"
Extract = Callable[[Tensor], Tensor]
"""Pictures `[B, 3, H, W]` in [-1, 1] to features `[B, F]`."""
GOOD_PSI = 0.5
"""Truncation of the drawings that count as good where no pictures are given."""
KEPT = 0.95
"""Share of the variance of good pictures' features that is looked at."""


@dataclass(frozen=True)
class Usual:
    """What features of good pictures are like.

    Args:
        mean: `[F]`.
        axes: principal axes, divided by the deviation along each, `[F, K]`.
    """

    mean: Tensor
    axes: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Usual:
        """Of good pictures' features `[N, F]`.

        Raises:
            ValueError: fewer than eight pictures.
        """
        if len(features) < 8:
            raise ValueError(f"{len(features)} good pictures given, 8 or more are needed")
        mean = features.mean(dim=0)
        _, sizes, axes = torch.linalg.svd(features - mean, full_matrices=False)
        held = sizes.square().cumsum(0) / sizes.square().sum().clamp(min=1e-20)
        count = max(1, min(int((held < KEPT).sum()) + 1, len(features) // 4))
        deviations = sizes[:count] / (len(features) - 1) ** 0.5
        return cls(mean, axes[:count].T / deviations.clamp(min=1e-8))

    def score(self, features: Tensor) -> Tensor:
        """How usual features `[B, F]` are, `[B]`: minus the root of the mean squared distance from
        the mean, in deviations; about -1 for good pictures."""
        return -((features - self.mean) @ self.axes).square().mean(dim=1).sqrt()


def quality_scores(good: Tensor, extract: Extract) -> Scores:
    """Scores of pictures by how usual their features are among good ones'.

    Args:
        good: features of good pictures `[N, F]`.
        extract: the network they are of.

    Raises:
        ValueError: fewer than eight pictures.
    """
    usual = Usual.of(good)
    return lambda images: usual.score(extract(images))


@torch.no_grad()
def own_good(generator: Generator, extract: Extract, count: int = 200, seed: int = 0) -> Tensor:
    """Features `[count, F]` of the generator's drawings near its average, which have few faults."""
    parts = []
    for start in range(0, count, 8):
        codes = generator.sample(min(8, count - start), seed + 7_000_000 + start, GOOD_PSI).w
        parts.append(extract(generator.synthesize(codes).clamp(-1, 1)).cpu())
    return torch.cat(parts)


def quality_direction(
    generator: Generator,
    scores: Scores,
    samples: int = 1000,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> Tensor:
    """The direction `[L, D]` along which pictures get better: a full step is half the distance
    between the codes of the best and the worst tenth.

    Args:
        generator: draws; its codes are taken without truncation, where its faults are.
        scores: higher for better pictures.
        samples: pictures.
        seed: of the codes.
        on_step: told after every batch.
    """
    found = attribute_directions(
        generator, {NAME: scores}, samples=samples, seed=seed, truncation=1.0, on_step=on_step
    )
    return found.directions[NAME]
