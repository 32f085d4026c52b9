"""What the trunk sees at sampled pixels of varied pictures, kept: a decoder learns from them alone.

Neighbouring pixels tell nearly the same, so a few hundred of a picture teach as much as all of them
(Bansal et al. 2017, "PixelNet", arXiv 1702.06506), and the frozen trunk need look only once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal.devices import fast_autocast
from multimodal.files.weights import atomic
from multimodal.parsing.network import ParserNetwork
from recipes.parser.data import Mixture
from recipes.parser.partial import ALL

PIXELS = 256
"""Of a picture."""


@torch.no_grad()
def keep_samples(
    network: ParserNetwork,
    data: Mixture,
    folder: Path,
    parts: int,
    batches: int = 25,
    on_part: Callable[[int], None] | None = None,
) -> None:
    """Write what is missing of some parts of sampled pixels.

    Args:
        network: whose trunk looks.
        data: gives varied batches.
        folder: of the parts.
        parts: how many there are to be.
        batches: in a part.
        on_part: hears of every part written.
    """
    network.eval()
    for number in range(parts):
        path = folder / f"part_{number:04d}.npz"
        if path.is_file():
            continue
        rows = [_sampled(network, data) for _ in range(batches)]
        seen, sets = (np.concatenate(column) for column in zip(*rows, strict=True))
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as part, part.open("wb") as file:
            np.savez(file, seen=seen, sets=sets)
        if on_part:
            on_part(number)


def read_samples(folder: Path) -> tuple[Tensor, Tensor]:
    """Features bfloat16 `[N, F]` and int32 sets `[N]` of all parts.

    Raises:
        FileNotFoundError: no parts there.
    """
    files = sorted(folder.glob("part_*.npz"))
    if not files:
        raise FileNotFoundError(f"no samples in {folder}")
    seen, sets = [], []
    for path in files:
        with np.load(path) as file:
            seen.append(torch.from_numpy(file["seen"]).bfloat16())
            sets.append(torch.from_numpy(file["sets"].astype(np.int32)))
    return torch.cat(seen), torch.cat(sets)


def _sampled(network: ParserNetwork, data: Mixture) -> tuple[np.ndarray, np.ndarray]:
    pictures, sets = next(data)
    with fast_autocast(pictures.device):
        found = network.trunk(pictures.contiguous(memory_format=torch.channels_last))
    side = sets.shape[-1]
    places = np.stack([choose(one.numpy(), data.source) for one in sets])  # [B, PIXELS]
    rows, columns = places // side, places % side
    at = torch.from_numpy(np.stack([columns, rows], -1) + 0.5).float() / side * 2 - 1
    seen = [pyramid(found, at[:, None])]
    chosen = sets.flatten(1).gather(1, torch.from_numpy(places))
    return np.concatenate([s.half().numpy() for s in seen]), chosen.flatten().numpy().astype(
        np.uint16
    )


def pyramid(features: list[Tensor], at: Tensor) -> Tensor:
    """Features of all scales, the finest first, at places `[B, 1, P, 2]` in [-1, 1]: `[B * P, F]`.

    The coarser ones are enlarged as `ParserNetwork.decode` enlarges them.
    """
    values = [
        F.grid_sample(f.float(), at, padding_mode="border", align_corners=False) for f in features
    ]
    return torch.cat(values, 1)[:, :, 0].transpose(1, 2).flatten(0, 1)


def choose(sets: np.ndarray, source: np.random.Generator) -> np.ndarray:
    """Places of pixels to learn from: small parts as often as the root of their size, borders more.

    Args:
        sets: of a picture `[S, S]`.
        source: of chance.
    """
    kinds, which, sizes = np.unique(sets, return_inverse=True, return_counts=True)
    weight = np.where(kinds == ALL, 0.0, sizes**-0.5)[which.ravel()]
    weight *= 1.0 + 1.5 * _border(which.reshape(sets.shape)).ravel()
    total = np.cumsum(weight)
    if total[-1] <= 0:
        return source.integers(sets.size, size=PIXELS)
    return np.searchsorted(total, source.random(PIXELS) * total[-1]).clip(0, sets.size - 1)


def _border(kinds: np.ndarray) -> np.ndarray:
    """Where another kind is two pixels away."""
    out = np.zeros(kinds.shape, bool)
    out[2:] |= kinds[2:] != kinds[:-2]
    out[:-2] |= kinds[2:] != kinds[:-2]
    out[:, 2:] |= kinds[:, 2:] != kinds[:, :-2]
    out[:, :-2] |= kinds[:, 2:] != kinds[:, :-2]
    return out
