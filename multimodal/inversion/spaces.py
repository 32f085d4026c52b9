"""The spaces a code can be searched in, as one small calling convention.

Z, Z with a class, W, W+ and P, PN+ (Zhu et al. 2020, "Improved StyleGAN Embedding: Where are the
Good Latents?").
A point `[B, *shape]` of any of them becomes a W+ code, differentiably.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.options import SPACES
from multimodal.inversion.whitening import pn_statistics
from multimodal.latents import p_to_w, require_space, spaces_of, w_to_p
from multimodal.types import Generator

SAMPLES = 4096


@dataclass(frozen=True)
class Space:
    """A search space.

    Args:
        name: one of `SPACES`.
        centre: the average point `[*shape]`.
        spread: its typical deviation, broadcasts to `[*shape]`.
        w_spread: typical deviation of W, one number.
        draw: `(n, source)` to random points `[n, *shape]`.
        to_w_plus: points `[B, *shape]` to codes `[B, L, D]`.
        from_w_plus: codes to the nearest points, or None where there is no inverse (Z).
    """

    name: str
    centre: Tensor
    spread: Tensor
    w_spread: float
    draw: Callable[[int, torch.Generator], Tensor]
    to_w_plus: Callable[[Tensor], Tensor]
    from_w_plus: Callable[[Tensor], Tensor] | None

    @property
    def size(self) -> int:
        """Numbers in a point."""
        return self.centre.numel()

    @property
    def radius(self) -> Tensor:
        """Root mean squared distance of a row from the average row, one number."""
        return self.spread.expand_as(self.centre).norm(dim=-1).mean()

    def distance(self, points: Tensor) -> Tensor:
        """Mean squared distance from the centre in units of the spread, `[B]`."""
        return ((points - self.centre) / self.spread).square().flatten(1).mean(dim=1)

    def start_at(self, w_plus: Tensor) -> Tensor:
        """The point of a given code.

        Raises:
            ValueError: codes have no point in this space.
        """
        if self.from_w_plus is None:
            raise ValueError(f"a W+ code has no exact point in space {self.name!r}: choose w or w+")
        return self.from_w_plus(w_plus)


def make_space(name: str, generator: Generator, seed: int = 0) -> Space:
    """The space of that name for a generator; its statistics follow from `seed`.

    Raises:
        ValueError: an unknown name.
    """
    makers = {"z": _z, "w": _w, "w+": _w_plus, "p": _p, "pn+": _pn_plus, "class": _class}
    if name not in makers:
        raise ValueError(f"space {name!r} is not one of {', '.join(SPACES)}")
    require_space(generator, name, "this search")
    with torch.no_grad():
        return makers[name](generator, seed)


def sample_w(generator: Generator, seed: int, count: int = SAMPLES) -> Tensor:
    """Codes `[n, D]` of random noise."""
    return generator.sample(count, seed, truncation=1.0).w[:, 0]


def _z(generator: Generator, seed: int) -> Space:
    source = torch.Generator().manual_seed(seed)
    width = z_dim(generator)
    z = torch.randn(SAMPLES, width, generator=source).to(generator.device)
    w = generator.mapping(z)[:, 0]
    nearest = z[(w - generator.w_avg).square().sum(dim=1).argmin()]
    alone = "w" not in spaces_of(generator)  # a code is z itself, with a class beside it or not
    return Space(
        name="z",
        centre=nearest,  # the origin of Z is its least likely point, so no place to start from
        spread=torch.ones((), device=z.device),
        w_spread=_spread(w),
        draw=lambda n, rng: torch.randn(n, width, generator=rng).to(z.device),
        to_w_plus=lambda points: generator.mapping(points),
        from_w_plus=(lambda codes: codes[:, 0, :width]) if alone else None,
    )


def _class(generator: Generator, seed: int) -> Space:
    """z and the embedding of the class, searched together."""
    codes, width = sample_w(generator, seed), z_dim(generator)
    kinds = codes[:, width:]
    spread = torch.cat([torch.ones(width), kinds.std(dim=0).clamp(min=1e-6).cpu()])
    return Space(
        name="class",
        centre=codes[codes[:, :width].square().sum(dim=1).argmin()],
        spread=spread.to(codes.device),
        w_spread=_spread(codes),
        draw=lambda n, rng: generator.sample(n, _seed_of(rng), 1.0).w[:, 0],
        to_w_plus=lambda points: points[:, None],
        from_w_plus=lambda codes: codes[:, 0],
    )


def _w(generator: Generator, seed: int) -> Space:
    w, rows = sample_w(generator, seed), generator.num_layers
    return Space(
        name="w",
        centre=generator.w_avg,
        spread=w.std(dim=0).clamp(min=1e-6),
        w_spread=_spread(w),
        draw=lambda n, rng: _draw_w(generator, n, rng),
        to_w_plus=lambda points: points[:, None].expand(-1, rows, -1),
        from_w_plus=lambda codes: codes.mean(dim=1),
    )


def _w_plus(generator: Generator, seed: int) -> Space:
    w, rows = sample_w(generator, seed), generator.num_layers
    return Space(
        name="w+",
        centre=generator.w_avg.repeat(rows, 1),
        spread=w.std(dim=0).clamp(min=1e-6),
        w_spread=_spread(w),
        draw=lambda n, rng: _draw_w(generator, n, rng)[:, None].repeat(1, rows, 1),
        to_w_plus=lambda points: points,
        from_w_plus=lambda codes: codes,
    )


def _p(generator: Generator, seed: int) -> Space:
    w, rows = sample_w(generator, seed), generator.num_layers
    p = w_to_p(w)
    return Space(
        name="p",
        centre=p.mean(dim=0),
        spread=p.std(dim=0).clamp(min=1e-6),
        w_spread=_spread(w),
        draw=lambda n, rng: w_to_p(_draw_w(generator, n, rng)),
        to_w_plus=lambda points: p_to_w(points)[:, None].expand(-1, rows, -1),
        from_w_plus=lambda codes: w_to_p(codes).mean(dim=1),
    )


def _pn_plus(generator: Generator, seed: int) -> Space:
    if not isinstance(generator, StyleGAN2):
        raise ValueError(f"space 'pn+' needs a StyleGAN2, not {type(generator).__name__}")
    w, rows = sample_w(generator, seed), generator.num_layers
    statistics = pn_statistics(generator)
    return Space(
        name="pn+",
        centre=torch.zeros(rows, w.shape[1], device=w.device),
        spread=torch.ones((), device=w.device),
        w_spread=_spread(w),
        draw=lambda n, rng: statistics.w_to_pn(_draw_w(generator, n, rng))[:, None].repeat(
            1, rows, 1
        ),
        to_w_plus=statistics.pn_to_w,
        from_w_plus=statistics.w_to_pn,
    )


def _seed_of(source: torch.Generator) -> int:
    return int(torch.randint(2**31, (1,), generator=source))


def _draw_w(generator: Generator, count: int, source: torch.Generator) -> Tensor:
    z = torch.randn(count, z_dim(generator), generator=source).to(generator.device)
    return generator.mapping(z)[:, 0]


def z_dim(generator: Generator) -> int:
    """Size of the noise vectors that a generator maps."""
    return int(getattr(getattr(generator, "config", None), "z_dim", generator.style_dim))


def _spread(w: Tensor) -> float:
    return max(float(w.std(dim=0).mean()), 1e-6)
