"""Directions without words in the survey's table: walks of steerability, and the quality direction.

No wish of the judge's is theirs, so each is measured by what it is for: a walk by how much of an
edit of the picture it draws, quality by its own score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from apps.evaluation.setting import Setting
from guidance.common import draw
from guidance.controls.quality import own_good, quality_direction, quality_scores
from guidance.controls.steering import WalkConfig, learn_walk, walk_loss
from multimodal.metrics import FeatureExtractor
from multimodal.types import Latent, Offset

WALKS = ("brightness", "red", "zoom", "shift_x", "rotate")
SHORT = WalkConfig(steps=30, batch=2, lr=0.05)
SAMPLES = 120
"""Sampled faces by which the quality direction is found."""
FULL = 1.0

Achieved = Callable[[Latent, Latent], bool]
"""Codes before and after to whether the direction did what it is for."""


@dataclass(frozen=True)
class Aim:
    """A direction and how its success is told.

    Args:
        offset: of strength 1.
        achieved: told of the codes before and after.
    """

    offset: Offset
    achieved: Achieved


def walked(setting: Setting, edit: str) -> Aim:
    """A short walk; it succeeds where it draws at least half of the edit (in squared error)."""
    generator = setting.editor.generator
    walk = learn_walk(generator, edit, SHORT)
    amounts = torch.full((1,), FULL, device=generator.device)

    def achieved(before: Latent, after: Latent) -> bool:
        with torch.no_grad():
            left, whole = (
                float(walk_loss(generator, before.w, latent.w, edit, amounts))
                for latent in (after, before)
            )
        return left < whole / 2

    return Aim(Offset(w=walk[None]), achieved)


def better(setting: Setting) -> Aim:
    """The quality direction, as `semblance directions quality` finds it; it succeeds where the
    score rises."""
    generator = setting.editor.generator
    extract = FeatureExtractor("efficientnet-lite0").to(generator.device)
    scores = quality_scores(own_good(generator, extract, SAMPLES), extract)
    found = quality_direction(generator, scores, SAMPLES, setting.plan.seed)

    @torch.no_grad()
    def achieved(before: Latent, after: Latent) -> bool:
        first, last = (
            scores(draw(generator, latent).clamp(-1, 1).to(generator.device))
            for latent in (before, after)
        )
        return bool(last > first)

    return Aim(Offset(w=found[None]), achieved)


def aims(setting: Setting) -> dict[str, Callable[[], Aim]]:
    """Every such direction by its name in the table, made when it is asked for."""

    def walk(edit: str) -> Callable[[], Aim]:
        return lambda: walked(setting, edit)

    return {f"walk: {edit}": walk(edit) for edit in WALKS} | {
        "quality": lambda: better(setting),
    }
