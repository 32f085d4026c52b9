"""The settings of every inversion method, one frozen dataclass each.

Defaults are those of the published systems where a method has one; the docstrings name them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

INITS = ("mean", "random", "given")
PIVOTS = ("quick", "hybrid", "projector", "encoder", "adam")
SPACES = ("z", "w", "w+", "p", "pn+", "class")

Options = TypeVar("Options")


def read_options(kind: type[Options], values: Mapping[str, Any]) -> Options:
    """A method's options from the caller's names and values.

    Raises:
        ValueError: a name the method does not have, or a value it refuses.
    """
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f"unknown options {unknown}; this method has {known}")
    return kind(**values)


def check_bounds(**bounds: tuple[float, float, float]) -> None:
    """Raise `ValueError` for a `name=(value, low, high)` out of its bounds."""
    for name, (value, low, high) in bounds.items():
        if not low <= value <= high:
            raise ValueError(f"{name} {value} is not in {low:g}..{high:g}")


@dataclass(frozen=True)
class Weights:
    """What a reconstruction is judged by; a term whose network is missing is left out.

    Args:
        pixels: mean squared error.
        perceptual: LPIPS at 256 px.
        identity: one minus the cosine of identity vectors.
    """

    pixels: float = 1.0
    perceptual: float = 0.8
    identity: float = 0.1

    def __post_init__(self) -> None:
        check_bounds(
            pixels=(self.pixels, 0, 1e6),
            perceptual=(self.perceptual, 0, 1e6),
            identity=(self.identity, 0, 1e6),
        )
        if self.pixels + self.perceptual + self.identity <= 0:
            raise ValueError("all weights are zero: nothing to invert by")


PICTURE = Weights()
QUICK = Weights(pixels=6.0, perceptual=1.0, identity=0.1)
HYBRID = Weights(perceptual=1.2, identity=0.15)
PROJECTION = Weights(pixels=0.1, perceptual=1.0, identity=0.0)
PIVOTAL = Weights(pixels=8.0, perceptual=1.2, identity=0.05)


@dataclass(frozen=True)
class EncoderOptions:
    """Feed-forward.

    Args:
        passes: how often a feedback (ReStyle) encoder looks; None: its own number (ReStyle: 5).
    """

    passes: int | None = None

    def __post_init__(self) -> None:
        check_bounds(passes=(self.passes or 1, 1, 50))


@dataclass(frozen=True)
class DescentOptions:
    """Gradient descent on a code.

    Args:
        steps: at most so many (L-BFGS: evaluations of the loss).
        lr: peak learning rate, in units of the space's own spread for "z", "p" and "pn+".
        space: one of `SPACES`.
        init: "mean" (the average code), "random" (several starts, the best goes on), or "given"
            (the caller's `start`, which also wins over "mean").
        starts: number of random starts.
        trial: steps of every start before the best is chosen.
        weights: of the loss.
        prior: weight of the squared distance from the average in units of the space's spread
            ("pn+": Zhu et al. 2020, "Improved StyleGAN Embedding", equation 6).
        stay: weight of the mean squared distance from the start, in units of W's spread.
        domain: IDInvert's weight of `mean((E(G(w)) - w)^2)`; needs an encoder.
        noise: optimise the noise maps too, kept white by `noise_weight`.
        noise_weight: of StyleGAN2's noise regulariser.
        betas: of Adam: how long it remembers gradients and their squares.
        rampup: share of the steps over which the learning rate grows.
        rampdown: share over which it falls.
        jitter: start strength of the noise added to the code (projector), in units of the root
            mean squared distance of codes from their average.
        patience: stop after so many steps without improvement; None never stops early.
        tolerance: what counts as improvement, relative.
        restarts: how often to go back to the best code with half the step when a loss is not
            finite.
    """

    steps: int = 300
    lr: float = 0.05
    space: str = "w+"
    init: str = "mean"
    starts: int = 8
    trial: int = 20
    weights: Weights = Weights()
    prior: float = 0.0
    stay: float = 0.0
    domain: float = 0.0
    noise: bool = False
    noise_weight: float = 1e5
    betas: tuple[float, float] = (0.9, 0.999)
    rampup: float = 0.05
    rampdown: float = 0.25
    jitter: float = 0.0
    patience: int | None = 60
    tolerance: float = 1e-3
    restarts: int = 3

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise ValueError(f"space {self.space!r} is not one of {', '.join(SPACES)}")
        if self.init not in INITS:
            raise ValueError(f"init {self.init!r} is not one of {', '.join(INITS)}")
        check_bounds(
            steps=(self.steps, 1, 100_000),
            lr=(self.lr, 1e-8, 1e3),
            starts=(self.starts, 1, 64),
            trial=(self.trial, 0, 1000),
            prior=(self.prior, 0, 1e6),
            stay=(self.stay, 0, 1e6),
            domain=(self.domain, 0, 1e6),
            restarts=(self.restarts, 0, 20),
        )


@dataclass(frozen=True)
class LbfgsOptions(DescentOptions):
    """L-BFGS with a strong Wolfe line search; `lr` is the first step's length."""

    lr: float = 1.0
    steps: int = 200
    history: int = 10


@dataclass(frozen=True)
class ProjectorOptions(DescentOptions):
    """StyleGAN2's projector (Karras et al. 2020, appendix D): W, noise maps, LPIPS."""

    steps: int = 1000
    lr: float = 0.1
    space: str = "w"
    weights: Weights = PROJECTION
    noise: bool = True
    jitter: float = 0.05
    patience: int | None = None


@dataclass(frozen=True)
class HybridOptions(DescentOptions):
    """The encoder's code, then a short descent that stays near it: high rates that fall from the
    start, and an Adam that forgets quickly.

    Args:
        passes: of the encoder, see `EncoderOptions`.
    """

    steps: int = 42
    lr: float = 0.18
    weights: Weights = HYBRID
    stay: float = 0.002
    betas: tuple[float, float] = (0.8, 0.9)
    rampdown: float = 0.9
    passes: int | None = None


@dataclass(frozen=True)
class IdInvertOptions(HybridOptions):
    """IDInvert (Zhu et al. 2020, "In-Domain GAN Inversion", equation 4)."""

    steps: int = 100
    lr: float = 0.01
    weights: Weights = PICTURE
    stay: float = 0.0
    betas: tuple[float, float] = DescentOptions.betas
    rampdown: float = DescentOptions.rampdown
    domain: float = 2.0


@dataclass(frozen=True)
class EvolutionOptions:
    """CMA-ES (Hansen 2016) over codes; BasinCMA (Bau et al. 2019) refines every candidate.

    Args:
        generations: rounds of candidates.
        population: candidates a round; None lets CMA choose.
        sigma: first step in units of the space's spread.
        space: one of `SPACES`; spaces of more than `full` numbers use a diagonal covariance.
        full: largest size with a full covariance.
        weights: of the loss.
        prior: as for `DescentOptions`.
        inner: BasinCMA's descent steps on each candidate; 0 for plain CMA-ES.
        inner_lr: their learning rate.
        final: descent steps on the winner.
        chunk: candidates drawn at once.
    """

    generations: int = 50
    population: int | None = None
    sigma: float = 0.5
    space: str = "w"
    full: int = 600
    weights: Weights = Weights()
    prior: float = 0.0
    inner: int = 0
    inner_lr: float = 0.05
    final: int = 0
    chunk: int = 8

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise ValueError(f"space {self.space!r} is not one of {', '.join(SPACES)}")
        check_bounds(
            generations=(self.generations, 1, 100_000),
            population=(self.population or 4, 4, 4096),
            sigma=(self.sigma, 1e-6, 100),
            inner=(self.inner, 0, 10_000),
            final=(self.final, 0, 100_000),
            chunk=(self.chunk, 1, 1024),
        )


@dataclass(frozen=True)
class BasinOptions(EvolutionOptions):
    """BasinCMA: CMA-ES picks basins, descent goes to their floor."""

    generations: int = 10
    inner: int = 10
    final: int = 200


@dataclass(frozen=True)
class PivotalOptions:
    """Pivotal tuning (Roich et al. 2021, "Pivotal Tuning", equations 3-5).

    Args:
        steps: at most so many of Adam on the generator at a fixed code; its rate falls over them.
            None: 12 after "quick", else 100. PTI: 350.
        lr: of Adam at its highest. PTI: 3e-4.
        threshold: stop when LPIPS is at most this; PTI's own code stops at 0.06.
        pivot: how the pivot is found: "quick" (code and every layer together), "hybrid",
            "projector", "encoder" or "adam"; None: quick with an encoder, projector without.
            Weights that it tuned are tuned further. A given `start` is the pivot itself.
        pivot_steps: steps of that search; None: 450 for the projector (PTI), 45 for "quick" (24
            from a hypernetwork's weights), else its default.
        weights: of the loss.
        locality: weight of the locality regulariser, 0 to leave it out (PTI's default).
        locality_every: steps between its uses.
        alpha: distance of its samples from the pivot.
        restarts: as for `DescentOptions`.
    """

    steps: int | None = None
    lr: float = 0.003
    threshold: float = 0.045
    pivot: str | None = None
    pivot_steps: int | None = None
    weights: Weights = PIVOTAL
    locality: float = 0.0
    locality_every: int = 1
    alpha: float = 30.0
    restarts: int = 3

    def __post_init__(self) -> None:
        if self.pivot not in (None, *PIVOTS):
            raise ValueError(f"pivot {self.pivot!r} is not one of {', '.join(map(repr, PIVOTS))}")
        check_bounds(
            steps=(self.steps or 1, 1, 100_000),
            lr=(self.lr, 1e-8, 1.0),
            threshold=(self.threshold, 0, 10),
            locality=(self.locality, 0, 1e3),
            locality_every=(self.locality_every, 1, 1000),
        )
