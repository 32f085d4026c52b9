"""Sliders that are no named direction: the picture turned and shifted by the generator itself, and
single channels of S."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

import torch

from apps.studio.session import Session, Step
from multimodal.types import Generator, Latent, Offset

MOTIONS: dict[str, tuple[float, float, float]] = {
    "rotate picture": (-15.0, 0.0, 0.0),
    "shift right": (0.0, 0.1, 0.0),
    "shift down": (0.0, 0.0, 0.1),
}
"""Sliders of a generator with an input transform: degrees (clockwise here) and shares of the
picture at 1, as the steerability walks count them."""

SPREAD_SAMPLES = 256


def motions(generator: Generator) -> list[str]:
    """The sliders that a generator's input transform gives; none where it has no such input."""
    return list(MOTIONS) if hasattr(generator, "moved") else []


def with_motion(session: Session, generator: Generator, name: str, strength: float) -> Session:
    """The session with its picture turned or shifted so far.

    Turning and shifting do not add up, so every step of the kind holds what it adds to those before
    it: undoing the last one leaves what was before.
    """
    found = session.with_step(Step(name, Offset(), strength, group=name))
    done, steps = dict.fromkeys(MOTIONS, 0.0), []
    for step in found.steps:
        if step.group in MOTIONS:
            before = dict(done)
            done[step.group] = step.strength
            change = _between(generator, session.face.latent, before, done)
            step = replace(step, offset=_per_strength(change, step.strength))
        steps.append(step)
    return replace(found, steps=tuple(steps))


def _between(
    generator: Any, latent: Latent, before: dict[str, float], after: dict[str, float]
) -> list[torch.Tensor]:
    """The change of every style from one motion of a face to another."""
    made = []
    for amounts in (before, after):
        parts = [[amounts[name] * part for part in MOTIONS[name]] for name in MOTIONS]
        angle, x, y = (sum(values) for values in zip(*parts, strict=True))
        made.append(generator.moved(latent.w, angle, x, y))
    if not any(before.values()):  # the input reads its style in units of (cos, sin): so does a move
        made[0] = generator.styles(latent.w)
    return [b - a for a, b in zip(*made, strict=True)]


def _per_strength(change: Sequence[torch.Tensor], strength: float) -> Offset:
    scale = 0.0 if strength == 0 else 1 / strength
    return Offset(styles=tuple(part * scale for part in change))


@dataclass(frozen=True)
class Channel:
    """One channel of S.

    Args:
        style: the style vector, from 0.
        channel: its place there, from 0.
    """

    style: int
    channel: int

    @property
    def name(self) -> str:
        """What a person reads."""
        return f"channel {self.channel} of style {self.style}"


def channel_offset(generator: Generator, channel: Channel) -> Offset:
    """A single channel as an offset: strength 1 moves it by two standard deviations.

    Raises:
        ValueError: the generator has no such channel, or no S.
    """
    deviations = _deviations(cast(Any, generator))
    if not 0 <= channel.style < len(deviations):
        raise ValueError(f"Style {channel.style} is not in 0 to {len(deviations) - 1}.")
    size = len(deviations[channel.style])
    if not 0 <= channel.channel < size:
        raise ValueError(f"Channel {channel.channel} is not in 0 to {size - 1}.")
    styles = [torch.zeros(1, len(d)).to(d) for d in deviations]
    styles[channel.style][0, channel.channel] = 2 * deviations[channel.style][channel.channel]
    return Offset(styles=tuple(styles))


@lru_cache(maxsize=1)
def _deviations(generator: Generator) -> tuple[torch.Tensor, ...]:
    """Standard deviation of every channel over sampled codes."""
    with torch.no_grad():
        styles = generator.styles(generator.sample(SPREAD_SAMPLES, 0, 0.7).w)
    return tuple(style.std(dim=0) for style in styles)


def style_count(generator: Generator) -> int:
    """How many style vectors a generator with S has."""
    return len(_deviations(cast(Any, generator)))
