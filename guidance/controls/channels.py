"""Single channels of S that act on one region (Wu et al. 2021, "StyleSpace Analysis", section 4).

A channel's gradient map says where a picture moves with it. The paper draws a map for each of
thousands of channels; here its energy inside and outside a region is estimated for all channels at
once: with random signs r on pixels, the square of `d (r . x) / d s_c` is on average the sum of the
squared entries of the channel's map where r is not 0 (Hutchinson's estimator). The most promising
ones are then moved for real, and their change is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from guidance.common import conv_indices, load_tensors, save_tensors
from multimodal.latents import require_space
from multimodal.types import Generator, Offset, OnStep, Progress

FILE_NAME = "channels.safetensors"
KIND = "style channels"
SPREAD_SAMPLES = 1024
FINALISTS, BATCH = 8, 8
"""Channels measured for each one kept, and how many at a time."""

Masks = Callable[[Tensor], Tensor]
"""Pictures `[1, 3, R, R]` to a mask of the region `[1, 1, R, R]` in [0, 1]."""


@dataclass(frozen=True)
class ChannelConfig:
    """How channels are looked for.

    Args:
        count: channels that are kept.
        faces: sampled faces.
        probes: random signs a face.
        least: locality that a channel needs.
        truncation: psi of the faces.
        seed: of faces and signs.
    """

    count: int = 5
    faces: int = 6
    probes: int = 4
    least: float = 0.1
    truncation: float = 0.7
    seed: int = 0

    def __post_init__(self) -> None:
        for name, most in (("count", 1000), ("faces", 10_000), ("probes", 1000)):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} {getattr(self, name)} is not in 1..{most}")
        if not 0 <= self.least <= 1:
            raise ValueError(f"least {self.least} is not in 0..1")


@dataclass(frozen=True)
class Channels:
    """Named channels of S.

    Args:
        sizes: channels of every style vector, toRGB included.
        places: of each, the style vector and the channel in it, `[K, 2]`.
        deviations: its standard deviation over sampled codes, `[K]`.
        localities: share of its effect that lies in the region, `[K]`.
        names: of each.

    Raises:
        ValueError: they do not fit each other.
    """

    sizes: tuple[int, ...]
    places: Tensor
    deviations: Tensor
    localities: Tensor
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        count = len(self.names)
        fits = tuple(self.places.shape) == (count, 2) and len(set(self.names)) == count
        fits = fits and self.deviations.shape == self.localities.shape == (count,)
        inside = fits and all(
            0 <= s < len(self.sizes) and 0 <= c < self.sizes[s] for s, c in self.places.tolist()
        )
        if not inside:
            raise ValueError(f"{count} channels {self.names!r:.80} do not fit their places")

    def offsets(self) -> dict[str, Offset]:
        """Each channel as an offset of S: strength 1 moves it by two standard deviations."""
        found = {}
        for name, (style, channel), spread in zip(
            self.names, self.places.tolist(), self.deviations.tolist(), strict=True
        ):
            styles = [torch.zeros(1, size) for size in self.sizes]
            styles[style][0, channel] = 2 * spread
            found[name] = Offset(styles=tuple(styles))
        return found

    def joined(self, other: Channels) -> Channels:
        """These and another model's or region's, which win where names are the same.

        Raises:
            ValueError: they belong to generators of another shape.
        """
        if self.sizes != other.sizes:
            raise ValueError("the channels belong to another generator")
        keep = [i for i, name in enumerate(self.names) if name not in other.names]
        return Channels(
            self.sizes,
            torch.cat([self.places[keep], other.places]),
            torch.cat([self.deviations[keep], other.deviations]),
            torch.cat([self.localities[keep], other.localities]),
            (*(self.names[i] for i in keep), *other.names),
        )

    def save(self, folder: Path | str) -> Path:
        """Write into a model folder."""
        tensors = {
            "places": self.places.float(),
            "deviations": self.deviations,
            "localities": self.localities,
        }
        about = {"kind": KIND, "sizes": self.sizes, "names": self.names}
        return save_tensors(Path(folder) / FILE_NAME, tensors, about)

    @classmethod
    def load(cls, folder: Path | str) -> Channels:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: the folder has none.
            ValueError: the file holds something else.
        """
        path = Path(folder) / FILE_NAME
        tensors, about = load_tensors(path)
        names, sizes = about.get("names"), about.get("sizes")
        wanted = {"places", "deviations", "localities"}
        whole = isinstance(names, list) and all(isinstance(n, str) for n in names)
        counted = isinstance(sizes, list) and all(type(s) is int and 0 < s <= 4096 for s in sizes)
        if about.get("kind") != KIND or set(tensors) != wanted or not (whole and counted):
            raise ValueError(f"{path} does not hold style channels")
        values = {name: tensor.float() for name, tensor in tensors.items()}
        try:
            return cls(
                tuple(sizes or ()),
                values["places"].long(),
                values["deviations"],
                values["localities"],
                tuple(names or ()),
            )
        except ValueError as error:
            raise ValueError(f"{path} cannot be used: {error}") from error


def find_channels(
    generator: Generator,
    masks: Masks,
    name: str,
    config: ChannelConfig | None = None,
    on_step: OnStep | None = None,
) -> Channels:
    """The channels that move a region most and little else.

    Args:
        generator: any family with S.
        masks: where the region is in a picture.
        name: of the region; channels are called "name 1", "name 2", ...
        config: how many, and how well they are looked at.
        on_step: told after every face.

    Returns:
        channels with a locality of at least `config.least`, those first whose typical change of the
        region, times their locality, is the largest.

    Raises:
        ValueError: the family has no S, or no channel is so local.
    """
    config = config or ChannelConfig()
    require_space(generator, "s", "looking for style channels")
    codes = generator.sample(SPREAD_SAMPLES, config.seed + 1, config.truncation).w
    with torch.no_grad():
        deviations = [style.std(dim=0).cpu() for style in generator.styles(codes)]
    inside, everywhere = torch.zeros(0), torch.zeros(0)
    source = torch.Generator().manual_seed(config.seed)
    for face in range(config.faces):
        w = generator.sample(1, config.seed + 100 + face, config.truncation).w
        within, whole = energies(generator, w, masks, config.probes, source)
        inside = within if face == 0 else inside + within
        everywhere = whole if face == 0 else everywhere + whole
        if on_step is not None:
            on_step(Progress(face + 1, config.faces, {}, "looking at style channels"))
    sizes = tuple(len(d) for d in deviations)
    spread = torch.cat(deviations)
    locality = (inside / everywhere.clamp(min=1e-20)).clamp(max=1)
    seen = _looked_at(generator, sizes) & (spread > 1e-8)
    # An estimate is noisy, and the best of noisy ones flatters: so many go on, and are measured.
    effect = torch.where(seen, inside.sqrt() * spread * locality.square(), torch.zeros(()))
    finalists = effect.argsort(descending=True)[: min(FINALISTS * config.count, int(seen.sum()))]
    effect, locality = measured(generator, finalists, spread, masks, config)
    kept = (locality >= config.least).nonzero().flatten()
    if not len(kept):
        raise ValueError(
            f"no channel has {config.least:.0%} of its effect in {name!r}; the most local has "
            f"{float(locality.max()):.0%}"
        )
    kept = kept[(effect * locality)[kept].argsort(descending=True)][: config.count]
    best, locality = finalists[kept], locality[kept]
    starts = torch.tensor([0, *sizes[:-1]]).cumsum(0)
    styles = torch.bucketize(best, starts, right=True) - 1
    return Channels(
        sizes,
        torch.stack([styles, best - starts[styles]], dim=1),
        spread[best],
        locality,
        tuple(f"{name} {i + 1}" for i in range(len(best))),
    )


def energies(
    generator: Generator, w: Tensor, masks: Masks, probes: int, source: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Squared entries of every channel's gradient map, summed in a region and everywhere, each
    `[all channels]`.

    Args:
        generator: with S.
        w: one code `[1, L, D]`.
        masks: where the region is.
        probes: random signs that are averaged over.
        source: of the signs.
    """
    with torch.enable_grad():
        styles = [style.detach().requires_grad_(True) for style in generator.styles(w)]
        picture = generator.synthesize_styles(styles)
        # A probe in the region and one in the rest: together they are one everywhere.
        mask = masks(picture.detach()).to(picture).clamp(0, 1).sqrt()
        rest = (1 - mask.square()).clamp(min=0).sqrt()
        sums = []
        for part in (mask, rest):
            total = torch.zeros(sum(s.shape[1] for s in styles))
            for _ in range(probes):
                signs = torch.randint(2, picture.shape, generator=source).to(picture) * 2 - 1
                found = torch.autograd.grad(
                    (picture * signs * part).sum(), styles, retain_graph=True
                )
                total += torch.cat(found, dim=1)[0].square().cpu()
            sums.append(total / probes)
    return sums[0], sums[0] + sums[1]


@torch.no_grad()
def measured(
    generator: Generator, channels: Tensor, spread: Tensor, masks: Masks, config: ChannelConfig
) -> tuple[Tensor, Tensor]:
    """What moving channels by two deviations changes: the root of the summed squares in the region,
    and their share of those everywhere, each `[K]`.

    Args:
        generator: with S.
        channels: which, counted over all style vectors, `[K]`.
        spread: deviation of every channel, `[all channels]`.
        masks: where the region is.
        config: `faces`, `truncation` and `seed` are read.
    """
    inside, everywhere = torch.zeros(len(channels)), torch.zeros(len(channels))
    for face in range(config.faces):
        w = generator.sample(1, config.seed + 100 + face, config.truncation).w
        styles = generator.styles(w)
        sizes = [s.shape[1] for s in styles]
        before = generator.synthesize_styles(styles)
        mask = masks(before).to(before).clamp(0, 1)
        for start in range(0, len(channels), BATCH):
            part = channels[start : start + BATCH]
            flat = torch.cat(styles, dim=1).repeat(len(part), 1)
            flat[torch.arange(len(part)), part] += 2 * spread[part].to(flat)
            drawn = generator.synthesize_styles(list(flat.split(sizes, dim=1)))
            change = (drawn - before).square()
            inside[start : start + BATCH] += (change * mask).sum(dim=(1, 2, 3)).cpu()
            everywhere[start : start + BATCH] += change.sum(dim=(1, 2, 3)).cpu()
    return inside.sqrt(), inside / everywhere.clamp(min=1e-20)


def _looked_at(generator: Generator, sizes: tuple[int, ...]) -> Tensor:
    """Which channels count: a StyleGAN2's toRGB only tint, so they do not (section 3)."""
    stylegan2 = getattr(generator, "family", "stylegan2") == "stylegan2"
    kept = list(conv_indices(len(sizes)) if stylegan2 else range(len(sizes)))
    return torch.cat([torch.full((n,), i in kept) for i, n in enumerate(sizes)])
