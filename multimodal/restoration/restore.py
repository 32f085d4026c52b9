"""`restore(generator, given, degradation)`: the picture before something happened to it.

Asks for the code whose drawing, degraded in the same way, equals what is given (Bora et al. 2017,
"Compressed Sensing using Generative Models"). What was not lost is the given picture's own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal.inversion.objective import Objective
from multimodal.inversion.task import Task
from multimodal.restoration.degradations import Degradation
from multimodal.restoration.degraded import Degraded
from multimodal.restoration.filters import smooth
from multimodal.restoration.searches import SEARCHES, WEIGHTS, SearchOptions
from multimodal.types import Encoder, Generator, ImageDistance, Latent, OnStep

METHODS = tuple(SEARCHES)
VARIETY = 0.35
"""How far another seed starts from what the encoder sees, towards a face of that seed."""


@dataclass(frozen=True)
class Restored:
    """A mended picture.

    Args:
        picture: `[1, 3, R, R]` in [-1, 1]: what was given, mended where it was lost.
        drawn: the generator's own drawing, `[1, 3, R, R]`.
        latent: its code.
        tuned: generator weights that were changed, by state-dict key, or None.
        report: `task`, `method`, `seed`, `steps`, `seconds` and `error`, the root mean squared
            difference in levels between the degraded result and what is given.
    """

    picture: Tensor
    drawn: Tensor
    latent: Latent
    tuned: Mapping[str, Tensor] | None
    report: Mapping[str, Any]


def restore(
    generator: Generator,
    given: Tensor,
    harm: Degradation,
    method: str = "code",
    on_step: OnStep | None = None,
    *,
    encoder: Encoder | None = None,
    perceptual: ImageDistance | None = None,
    seed: int = 0,
    usual: Tensor | None = None,
    **options: Any,
) -> Restored:
    """Mend a picture.

    Args:
        generator: draws faces of this kind.
        given: the aligned picture at the generator's size `[1, 3, R, R]` in [-1, 1]; a smaller one
            (for "upscale") is enlarged.
        harm: what happened to it (`degradation`).
        method: one of `METHODS`.
        on_step: told of every step.
        encoder: gives the code to begin from, or None: from the average face.
        perceptual: LPIPS, or None: judged by pixels.
        seed: another seed, another answer that is as consistent with what is given.
        usual: code `[1, L, D]` of a face of usual colours, where none are given; None: the average.
        options: fields of `SearchOptions`.

    Raises:
        ValueError: an unknown method or option, or a picture of a wrong shape.
    """
    began = time.perf_counter()
    if method not in SEARCHES:
        raise ValueError(f"method {method!r} is not one of {', '.join(METHODS)}")
    try:
        settings = SearchOptions(**options)
    except TypeError as error:
        raise ValueError(f"restoring takes no such option: {error}") from error
    given = _at_size(given, generator)
    target = given if harm.seen is None else given * harm.seen
    objective = Objective(target, WEIGHTS, perceptual, mask=harm.seen)
    start = _varied(generator, _start(generator, given, harm, encoder), harm, usual, seed)
    task = Task(
        Degraded(generator, harm.apply),
        objective,
        seed,
        encoder,
        start,
        on_step,  # type: ignore[arg-type]
    )
    found = SEARCHES[method](task, settings)
    with torch.no_grad():
        picture = harm.keep(found.drawn.clamp(-1, 1), given).clamp(-1, 1)
        away = _error(harm, picture, target)
    report = {"task": harm.name, "method": method, "seed": seed, "steps": found.steps}
    report |= {"error": away, "seconds": round(time.perf_counter() - began, 3)}
    return Restored(picture, found.drawn.detach(), found.latent, found.tuned, report)


def _at_size(given: Tensor, generator: Generator) -> Tensor:
    if given.ndim != 4 or given.shape[:2] != (1, 3):
        raise ValueError(f"the picture has shape {tuple(given.shape)}, expected [1, 3, H, W]")
    side = generator.resolution
    given = given.to(generator.device).float().clamp(-1, 1)
    if given.shape[-2:] == (side, side):
        return given
    shrinks = given.shape[-1] > side
    mode = "bicubic" if shrinks else "nearest"
    return F.interpolate(given, (side, side), mode=mode, antialias=shrinks).clamp(-1, 1)


@torch.no_grad()
def _start(
    generator: Generator, given: Tensor, harm: Degradation, encoder: Encoder | None
) -> Tensor:
    """Where the search begins, `[1, L, D]`: what the encoder makes of the ruin. Holes are filled
    with their surroundings at first, and then with the average face: the mean of both codes errs
    less than either."""
    average = generator.w_avg.expand(1, generator.num_layers, -1).clone()
    if encoder is None:
        return average
    if harm.seen is None:
        return _looked(generator, given, harm, encoder, given)
    around = smooth(given * harm.seen, 12.0) / smooth(harm.seen, 12.0).clamp(min=1e-3)
    usual = harm.keep(generator.synthesize(average).clamp(-1, 1), given).clamp(-1, 1)
    begun = (torch.where(harm.seen > 0, given, around.clamp(-1, 1)), usual)
    return torch.stack([_looked(generator, given, harm, encoder, one) for one in begun]).mean(0)


def _looked(
    generator: Generator, given: Tensor, harm: Degradation, encoder: Encoder, seen: Tensor
) -> Tensor:
    """What an encoder makes of a ruin that was mended provisionally. It looks again at the ruin
    mended by what was drawn, and so on: eyes that it sees half it sees better the next time."""
    for left in reversed(range(harm.looks)):
        code = encoder(F.interpolate(seen, (256, 256), mode="bilinear", antialias=True))
        code = code.to(generator.device)
        if left:
            seen = harm.keep(generator.synthesize(code).clamp(-1, 1), given).clamp(-1, 1)
    return code


@torch.no_grad()
def _varied(
    generator: Generator, begin: Tensor, harm: Degradation, usual: Tensor | None, seed: int
) -> Tensor:
    """The start of a seed; the half of its rows that draws colours is a usual face's where the
    encoder could see none."""
    if harm.colourless:
        colours = generator.w_avg.expand_as(begin) if usual is None else usual.to(begin)
        half = begin.shape[1] // 2
        begin = torch.cat([begin[:, :half], colours[:, half:]], dim=1)
    if seed == 0:
        return begin
    return torch.lerp(begin, generator.sample(1, seed, 0.8).w, VARIETY)


def _error(harm: Degradation, picture: Tensor, target: Tensor) -> float:
    away = harm.apply(picture) - target
    return round(float(away.square().mean().sqrt()) * 127.5, 3)
