"""StyleCLIP global directions in S (Patashnik et al. 2021, section 6): no work per prompt.

`compute_statistics` measures once, for a generator and a CLIP, how each style channel moves the
CLIP embedding; a prompt's direction is then a dot product and a threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from guidance.common import (
    conv_indices,
    load_tensors,
    read_options,
    save_tensors,
    split_styles,
    style_sizes,
)
from guidance.targets import direction
from multimodal.devices import fast_dtype
from multimodal.types import (
    ClipModel,
    EditRequest,
    Generator,
    Offset,
    OnStep,
    Progress,
    Toolkit,
)

FILE_NAME = "directions.safetensors"
AUTO_BETAS = tuple(round(0.10 + 0.01 * i, 2) for i in range(81))
PUBLISHED_ALPHA = 4.1


@dataclass(frozen=True)
class StatisticsConfig:
    """How the statistics are measured.

    Args:
        samples: codes from which the channels' mean and deviation are taken (100,000 published).
        images: faces on which each channel is moved (100 published; the mean of their changes
            settles much sooner).
        sigmas: how far each way from the mean, in standard deviations.
        batch: pictures drawn at once.
        truncation: psi of the samples.
        seed: of the samples.
        fast: draw and judge in bfloat16 where the hardware has units for it.
    """

    samples: int = 20_000
    images: int = 8
    sigmas: float = 5.0
    batch: int = 32
    truncation: float = 0.7
    seed: int = 0
    fast: bool = True


@dataclass(frozen=True)
class ChannelStatistics:
    """What each style channel does.

    Args:
        sizes: channels of every style vector, toRGB included.
        std: standard deviation of every style vector, each `[C_i]`.
        effects: unit CLIP direction of each convolution channel `[N, E]` (the paper's delta i_c).
    """

    sizes: tuple[int, ...]
    std: tuple[Tensor, ...]
    effects: Tensor

    def save(self, path: Path | str) -> Path:
        """Write as `.safetensors` (float16 effects)."""
        flat = torch.cat([s.flatten() for s in self.std])
        tensors = {"std": flat.float(), "effects": self.effects.half()}
        return save_tensors(path, tensors, {"kind": "channel statistics", "sizes": self.sizes})

    @classmethod
    def load(cls, path: Path | str) -> ChannelStatistics:
        """Read what `save` wrote."""
        tensors, about = load_tensors(path)
        if about.get("kind") != "channel statistics" or not {"std", "effects"} <= set(tensors):
            raise ValueError(f"{path} does not hold channel statistics")
        sizes = about.get("sizes")
        whole = isinstance(sizes, list) and all(type(s) is int and s > 0 for s in sizes)
        if not (whole and sizes) or tensors["std"].shape != (sum(sizes),):
            raise ValueError(f"{path} holds sizes {sizes!r:.60} that do not fit its statistics")
        effects = F.normalize(tensors["effects"].float(), dim=-1)
        return cls(tuple(sizes), tuple(tensors["std"].split(sizes)), effects)


@dataclass(frozen=True)
class DirectionConfig:
    """Settings of one edit.

    Args:
        alpha: step along the direction, in the channels' standard deviations, at strength 1.
        beta: relevance a channel needs, or None: the largest that keeps more than `least`.
        least: channels that an automatic beta keeps more than.
    """

    alpha: float = PUBLISHED_ALPHA
    beta: float | None = None
    least: int = 20


class GlobalDirections:
    """Global directions as a `Guidance`.

    Args:
        toolkit: generator and CLIP; statistics are read from `folder/directions.safetensors`, or
            measured on first use and, where there is a folder, kept there.
        statistics: already measured ones.
        config: how to measure them where they are missing.
    """

    name = "direction"

    def __init__(
        self,
        toolkit: Toolkit,
        statistics: ChannelStatistics | None = None,
        config: StatisticsConfig | None = None,
    ) -> None:
        self.toolkit = toolkit
        self.config = config or StatisticsConfig()
        self._statistics = statistics

    def statistics(self, on_step: OnStep | None = None) -> ChannelStatistics:
        """The measured statistics, measuring them now if need be."""
        if self._statistics is None:
            out = None if self.toolkit.folder is None else Path(self.toolkit.folder) / FILE_NAME
            if out is not None and out.is_file():
                self._statistics = ChannelStatistics.load(out)
            else:
                self._statistics = compute_statistics(
                    self.toolkit.generator, self.toolkit.clip, out, on_step, self.config
                )
            self._check(self._statistics)
        return self._statistics

    def offset(self, request: EditRequest, on_step: OnStep | None = None) -> Offset:
        """The direction of the request; the same for every face."""
        config = read_options(DirectionConfig, request.options)
        found = self.statistics(on_step)
        change = direction(request.target, request.neutral)[0].cpu()
        relevance = found.effects @ change
        beta = auto_beta(relevance, config.least) if config.beta is None else config.beta
        boundary = boundary_of(found, select_channels(relevance, beta))
        return Offset(styles=tuple(b[None] * config.alpha for b in boundary)).to(
            request.latent.w.device
        )

    def _check(self, statistics: ChannelStatistics) -> None:
        sizes = tuple(style_sizes(self.toolkit.generator))
        if statistics.sizes != sizes or statistics.effects.shape[1] != self.toolkit.clip.dim:
            raise ValueError(
                "the channel statistics belong to another generator or CLIP: measure them again "
                "with compute_statistics"
            )


def channel_effects(embeddings: Tensor) -> Tensor:
    """Unit effect of each channel (the paper's delta i_c).

    Args:
        embeddings: `[N, images, 2, E]` of the pictures with the channel lowered and raised.

    Returns:
        `[N, E]`.
    """
    unit = F.normalize(embeddings, dim=-1)
    change = F.normalize(unit[:, :, 1] - unit[:, :, 0], dim=-1)
    return F.normalize(change.mean(dim=1), dim=-1)


def select_channels(relevance: Tensor, beta: float) -> Tensor:
    """Channels whose relevance `[N]` reaches `beta`, scaled so that the largest is 1: `[N]`.

    Raises:
        ValueError: no channel does.
    """
    kept = torch.where(relevance.abs() < beta, torch.zeros_like(relevance), relevance)
    largest = kept.abs().max()
    if float(largest) == 0:
        raise ValueError(
            f"no style channel reaches beta {beta}; the largest relevance is "
            f"{float(relevance.abs().max()):.3f}"
        )
    return kept / largest


def auto_beta(relevance: Tensor, least: int = 20) -> float:
    """The largest beta from 0.10 up that keeps more than `least` channels (StyleCLIP's rule, its
    range 0.10-0.29 continued for spaces where words move more); 0.10 where none does."""
    counts = [(beta, int((relevance.abs() >= beta).sum())) for beta in AUTO_BETAS]
    enough = [beta for beta, count in counts if count > least]
    if enough:
        return max(enough)
    return min(AUTO_BETAS[0], float(relevance.abs().max()))


def boundary_of(statistics: ChannelStatistics, channels: Tensor) -> tuple[Tensor, ...]:
    """Selected channels `[N]` times their deviations, as one vector `[C_i]` a style, toRGB zero."""
    indices = conv_indices(len(statistics.sizes))
    parts = split_styles(channels[None], statistics.sizes, indices)
    return tuple(p[0] * s for p, s in zip(parts, statistics.std, strict=True))


@torch.no_grad()
def compute_statistics(
    generator: Generator,
    clip: ClipModel,
    out: Path | str | None = None,
    on_step: OnStep | None = None,
    config: StatisticsConfig | None = None,
) -> ChannelStatistics:
    """Measure what each style channel does (StyleCLIP, section 6.1, equation 4).

    As in the published code, a channel goes to so many deviations on either side of its mean over
    all faces, whatever it was in the face at hand.

    Args:
        generator: draws.
        clip: judges.
        out: file to keep the result in, or None.
        on_step: told after every batch.
        config: how many samples and faces.
    """
    config = config or StatisticsConfig()
    mean, std = style_moments(generator, config)
    faces = generator.sample(config.images, config.seed + 1, config.truncation)
    base = [s.repeat_interleave(2, dim=0) for s in generator.styles(faces.w)]
    sizes = tuple(s.shape[0] for s in std)
    moves = [(i, c) for i in conv_indices(len(sizes)) for c in range(sizes[i])]
    per_batch = max(1, config.batch // (2 * config.images))
    judge = _judge(generator, clip, config.fast)
    sign = torch.tensor([-1.0, 1.0], device=generator.device).repeat(config.images)
    effects: list[Tensor] = []
    total = -(-len(moves) // per_batch)
    for step in range(total):
        chosen = moves[step * per_batch : (step + 1) * per_batch]
        styles = [s.repeat(len(chosen), 1) for s in base]
        for k, (i, c) in enumerate(chosen):
            rows = slice(k * len(sign), (k + 1) * len(sign))
            styles[i][rows, c] = mean[i][c] + sign * config.sigmas * std[i][c]
        vectors = judge(styles).unflatten(0, (len(chosen), config.images, 2))
        effects.append(channel_effects(vectors.float()).cpu())
        if on_step is not None:
            on_step(Progress(step + 1, total, {}, "measuring style channels"))
    result = ChannelStatistics(sizes, tuple(s.cpu() for s in std), torch.cat(effects))
    if out is not None:
        result.save(out)
    return result


@torch.no_grad()
def style_moments(
    generator: Generator, config: StatisticsConfig
) -> tuple[list[Tensor], list[Tensor]]:
    """Mean and standard deviation of every style vector over samples, each `[C_i]`."""
    sums: list[Tensor] = []
    squares: list[Tensor] = []
    count = 0
    while count < config.samples:  # in parts: W+ of all samples at once would take much memory
        part = min(1024, config.samples - count)
        codes = generator.sample(part, config.seed + count, config.truncation).w
        styles = [s if s.device.type == "mps" else s.double() for s in generator.styles(codes)]
        totals, powers = [s.sum(0) for s in styles], [s.square().sum(0) for s in styles]
        sums = totals if not sums else [a + b for a, b in zip(sums, totals, strict=True)]
        squares = powers if not squares else [a + b for a, b in zip(squares, powers, strict=True)]
        count += part
    mean = [s / config.samples for s in sums]
    variance = [q / config.samples - m.square() for q, m in zip(squares, mean, strict=True)]
    return [m.float() for m in mean], [v.clamp_min(0).sqrt().float() for v in variance]


def _judge(generator: Generator, clip: ClipModel, fast: bool) -> Callable[[list[Tensor]], Tensor]:
    """Styles to embeddings, in bfloat16 where asked and possible."""
    dtype = getattr(generator, "dtype", None)
    device = generator.device.type
    quick = fast and dtype == torch.float32 and fast_dtype(device) != torch.float32

    def judge(styles: list[Tensor]) -> Tensor:
        if not quick:
            return clip.encode_image(generator.synthesize_styles(styles))
        generator.dtype = torch.bfloat16  # type: ignore[attr-defined]
        try:
            images = generator.synthesize_styles(styles)
        finally:
            generator.dtype = dtype  # type: ignore[attr-defined]
        with torch.autocast(device, torch.bfloat16):
            return clip.encode_image(images)

    return judge
