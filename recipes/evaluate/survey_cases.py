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
from guidance.controls.channels import ChannelConfig, find_channels
from guidance.controls.components import Components, spread
from guidance.controls.jacobian import JacobianConfig, orthogonal_jacobian
from guidance.controls.regions import region_mask
from multimodal.recognition.judge import Reading
from multimodal.types import Generator, Offset
from recipes.factors.delta_words import MEANINGS

FAR = 2.0
"""Strength of an unnamed direction, in deviations of sampled codes."""
COUNT = 10
CHANNEL_REGIONS = ("mouth", "eyes", "hair", "skin", "background")
LOOKED_AT = 4
"""Sampled faces on which the unnamed direction of a wish is chosen."""


@dataclass(frozen=True)
class Inversion:
    """A way to invert.

    Args:
        name: in the table.
        method: of `multimodal.inversion.METHODS`.
        options: of the method.
        slow: a face takes some half minute of a core or more.
    """

    name: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    slow: bool = False


def inversions(share: float = 1.0) -> list[Inversion]:
    """Every inversion method, with a share of its usual steps (the quick ones' are their own)."""

    def some(count: int) -> int:
        return max(2, round(count * share))

    found = [Inversion("encoder", "encoder"), _with("quick"), _with("hybrid"), _with("pti")]
    found += [_with("hyperstyle"), _with("layers"), _with("programs")]
    found += [
        Inversion(f"adam in {space}", "adam", {"space": space, "steps": some(100)}, True)
        for space in ("w+", "w", "z", "p", "pn+")
    ]
    return [
        *found,
        _slow("lbfgs", steps=some(100)),
        _slow("hmc"),
        _slow("idinvert", steps=some(100)),
        _slow("features", steps=some(100), feature_steps=some(100)),
        _slow("projector", steps=some(300)),
        _slow("cma", generations=some(50)),
        _slow("basin-cma", generations=some(5), inner=some(6), final=some(60)),
    ]


def _with(method: str) -> Inversion:
    return Inversion(method, method)


def _slow(method: str, **options: Any) -> Inversion:
    return Inversion(method, method, options, True)


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


def _components(name: str, generator: Generator, seed: int) -> Components:
    if name == "GANSpace":
        deviations, principal = ganspace(generator, COUNT, 4000, seed)
        return Components("ganspace", principal, deviations)
    if name == "SeFa":
        _, found = sefa(generator, count=COUNT)
    else:
        _, found = orthogonal_jacobian(generator, JacobianConfig(COUNT, 4, 16, seed=seed))
    return Components(name.split()[-1].lower(), found, spread(generator, found, seed))


def _channels(generator: Generator, seed: int) -> dict[str, Offset]:
    found: dict[str, Offset] = {}
    for region in CHANNEL_REGIONS:
        mask = region_mask(region, generator.resolution)
        few = ChannelConfig(COUNT // len(CHANNEL_REGIONS), faces=2, least=0.0, seed=seed)
        found |= find_channels(generator, lambda _, m=mask: m, region, few).offsets()  # type: ignore[misc]
    return found


UNNAMED = ("SeFa", "GANSpace", "orthogonal Jacobian", "StyleSpace channels")
"""Ways to find directions that nobody named."""


def unnamed(name: str, generator: Generator, seed: int = 0) -> dict[str, Offset]:
    """The directions that one of `UNNAMED` finds."""
    if name == UNNAMED[-1]:
        return _channels(generator, seed)
    return _components(name, generator, seed).offsets(generator.num_layers, COUNT)


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
def read_moved(
    setting: Setting, offsets: Mapping[str, Offset], seed: int
) -> list[tuple[Offset, float, Reading]]:
    """How the judge reads sampled faces that are moved along each direction, both ways."""
    generator = setting.editor.generator
    latent = generator.sample(LOOKED_AT, 50_000 + seed, 0.7)

    def read(offset: Offset, strength: float) -> Reading:
        moved = apply_offset(generator, latent, offset, strength)
        return setting.judge.read(draw(generator, moved).clamp(-1, 1))

    return [(o, sign, read(o, sign)) for o in offsets.values() for sign in (FAR, -FAR)]


def fitting(
    setting: Setting, wish: Wish, moved: Sequence[tuple[Offset, float, Reading]]
) -> tuple[Offset, float]:
    """Of directions read by `read_moved`, the one and the sign that bring most of a wish."""

    def share(reading: Reading) -> float:
        rows = range(LOOKED_AT)
        return sum(wish.share(setting.judge.config, reading, row) for row in rows)

    offset, strength, _ = max(moved, key=lambda found: share(found[2]))
    return offset, strength
