"""What the survey's table compares: ways to invert, and ways to find a direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from apps.evaluation.measures.goals import Wish
from apps.evaluation.setting import Setting
from guidance.common import apply_offset, draw
from guidance.controls.attributes import ganspace, sefa
from guidance.controls.components import Components, spread
from guidance.controls.jacobian import JacobianConfig, orthogonal_jacobian
from multimodal.types import Generator, Latent, Offset
from recipes.factors.delta_words import MEANINGS

FAR = 2.0
"""Strength of an unnamed direction, in deviations of sampled codes."""
COUNT = 10
LOOKED_AT = 4
"""Sampled faces on which the unnamed direction of a wish is chosen."""


@dataclass(frozen=True)
class Inversion:
    """A way to invert.

    Args:
        name: in the table.
        method: of `multimodal.inversion.METHODS`.
        options: of the method.
    """

    name: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)


def inversions(share: float = 1.0) -> list[Inversion]:
    """Every inversion method, with a share of its usual steps."""

    def some(count: int) -> int:
        return max(2, round(count * share))

    found = [Inversion("encoder", "encoder"), _with("hybrid", steps=some(100))]
    found += [
        Inversion(f"adam in {space}", "adam", {"space": space, "steps": some(100)})
        for space in ("z", "w", "w+", "p", "pn+")
    ]
    return [
        *found,
        _with("lbfgs", steps=some(100)),
        _with("projector", steps=some(300)),
        _with("cma", generations=some(50)),
        _with("basin-cma", generations=some(5), inner=some(6), final=some(60)),
        _with("idinvert", steps=some(100)),
        _with("hmc", descend=some(100), warmup=some(60), samples=some(30)),
        _with("layers"),
        _with("programs"),
        _with("features", steps=some(100)),
        _with("hyperstyle"),
        _with("pti", steps=some(200), pivot_steps=some(100)),
    ]


def _with(method: str, **options: Any) -> Inversion:
    return Inversion(method, method, options)


def guidances(setting: Setting) -> list[str]:
    """The methods that take words and that this model can use at once, the quick ones first."""
    from guidance.registry import METHODS

    folder = setting.editor.toolkit.folder
    files = {
        "direction": "directions",
        "text-encoder": "text_encoder",
        "delta": "delta",
        "factors": "factors",
        "flow": "flow",
    }
    there = [n for n, f in files.items() if folder and (folder / f"{f}.safetensors").is_file()]
    return [*there, *(name for name in ("optimize", "sound-optimize") if name in METHODS)]


def unnamed(generator: Generator, seed: int = 0) -> dict[str, dict[str, Offset]]:
    """Directions that nobody named, by how they were found."""
    _, weights = sefa(generator, count=COUNT)
    deviations, principal = ganspace(generator, COUNT, 4000, seed)
    _, across = orthogonal_jacobian(generator, JacobianConfig(COUNT, 4, 16, seed=seed))
    parts = {
        "SeFa": Components("sefa", weights, spread(generator, weights, seed)),
        "GANSpace": Components("ganspace", principal, deviations),
        "orthogonal Jacobian": Components("jacobian", across, spread(generator, across, seed)),
    }
    return {name: part.offsets(generator.num_layers, COUNT) for name, part in parts.items()}


def named(setting: Setting, wish: Wish) -> tuple[Offset, float] | None:
    """The slider whose meaning is one of a wish's goals, and how far: 1, or -1 where the wish is
    what the slider leaves; None where there is none."""
    for name, (attribute, more, less) in MEANINGS.items():
        for goal in (g for g in wish.goals if g.attribute == attribute):
            offset = setting.editor.directions.get(name)
            if offset is not None and more in goal.classes:
                return offset, 1.0
            if offset is not None and less is not None and less in goal.classes:
                return offset, -1.0
    return None


@torch.no_grad()
def fitting(
    setting: Setting, wish: Wish, offsets: Mapping[str, Offset], seed: int
) -> tuple[Offset, float]:
    """Of some directions, the one and the sign that bring most of a wish to sampled faces."""
    generator = setting.editor.generator
    latent = generator.sample(LOOKED_AT, 50_000 + seed, 0.7)
    best, found = -2.0, (next(iter(offsets.values())), FAR)
    for offset in offsets.values():
        for sign in (FAR, -FAR):
            gain = _share(setting, wish, apply_offset(generator, latent, offset, sign))
            if gain > best:
                best, found = gain, (offset, sign)
    return found


def _share(setting: Setting, wish: Wish, latent: Latent) -> float:
    reading = setting.judge.read(draw(setting.editor.generator, latent).clamp(-1, 1))
    rows: Sequence[int] = range(len(latent.w))
    return sum(wish.share(setting.judge.config, reading, row) for row in rows) / len(rows)
