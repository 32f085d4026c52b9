"""Batches of faces for the generator's training: alone, or each with the same head redrawn; and a
few photos among many renders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recipes.clip.clip_augment import vary
from recipes.data import Faces, index_batches, read_rows
from recipes.factors.attributes import MIRRORED, NAMES, attribute_matrix


@dataclass(frozen=True)
class FaceBatch:
    """Pictures and what is known about them.

    Args:
        images: `[B, 3, R, R]` in [-1, 1].
        edited: the same heads with some factors redrawn, `[B, 3, R, R]`, or None.
        factors: of `images`, `[B, A]`, or None where nothing is known.
        change: factors of `edited` less those of `images`, `[B, A]`, or None.
    """

    images: Tensor
    edited: Tensor | None = None
    factors: Tensor | None = None
    change: Tensor | None = None


class MixedBatches:
    """Batches of renders, and now and then one of photos: few, so they are seen in many views.

    Args:
        renders: gives most batches.
        folder: aligned photos.
        share: of the batches that show photos, in [0, 1).
        seed: of their order and views.
    """

    def __init__(self, renders: FaceBatches, folder: Path, share: float, seed: int) -> None:
        if not 0 <= share < 1:
            raise ValueError(f"a share of {share} is not in [0, 1)")
        size = renders.batch * (2 if renders.paired else 1)
        self.photos = FaceBatches(
            folder, renders.faces.resolution or 256, size, seed, renders.device
        )
        self.renders, self.share = renders, share
        self._source = torch.Generator().manual_seed(seed)

    def __iter__(self) -> MixedBatches:
        return self

    def __next__(self) -> FaceBatch:
        if float(torch.rand(1, generator=self._source)) >= self.share:
            return next(self.renders)
        seen = vary(next(self.photos).images, self._source)
        return FaceBatch(seen.to(self.renders.device, memory_format=torch.channels_last))


class FaceBatches:
    """Endless shuffled batches, half of them mirrored; looks for new shards on `refresh`.

    Args:
        folder: shards of renders (in pairs, or not), or aligned photos.
        resolution: side of the pictures.
        batch: faces a batch; a pair counts as one.
        seed: of the order.
        device: where batches go.
    """

    def __init__(
        self, folder: Path, resolution: int, batch: int, seed: int, device: torch.device
    ) -> None:
        self.faces = Faces(folder, resolution, device)
        self.batch, self.device = batch, device
        self._shards: dict[Path, tuple[Tensor, np.ndarray]] = {}
        self._known, self.vectors = 0, torch.empty(0, len(NAMES))
        self.refresh(seed)

    def refresh(self, seed: int) -> None:
        """Look for new shards, and shuffle anew."""
        self.faces.refresh()
        if self.faces.shards and len(self.faces) != self._known:
            found = [self._read(shard) for shard in self.faces.shards]
            self._known = len(self.faces)
            self.vectors = torch.cat([vectors for vectors, _ in found])
            seeds = np.concatenate([seeds for _, seeds in found])
            paired = len(seeds) % 2 == 0 and bool((seeds[0::2] == seeds[1::2]).all())
            self.paired = paired and len(seeds) > 2
        elif not self.faces.shards:
            self.paired = False
        heads = len(self.faces) // 2 if self.paired else len(self.faces)
        self._source = np.random.default_rng(seed)
        self._order = index_batches(heads, self.batch, seed)

    def _read(self, shard: Path) -> tuple[Tensor, np.ndarray]:
        if shard not in self._shards:
            rows = read_rows(shard, "factors")
            seeds = np.asarray([row["seed"] for row in rows])
            self._shards[shard] = torch.from_numpy(attribute_matrix(rows)), seeds
        return self._shards[shard]

    def __iter__(self) -> FaceBatches:
        return self

    def __next__(self) -> FaceBatch:
        index = next(self._order)
        flip = torch.from_numpy(self._source.random(len(index)) < 0.5)
        if not self.paired:
            known = self._factors(index, flip) if self._known else None
            return FaceBatch(self._images(index, flip), factors=known)
        swap = (self._source.random(len(index)) < 0.5).astype(int)
        first, second = 2 * index + swap, 2 * index + 1 - swap
        factors, other = self._factors(first, flip), self._factors(second, flip)
        images, edited = self._images(first, flip), self._images(second, flip)
        return FaceBatch(images, edited, factors, other - factors)

    def _images(self, index: np.ndarray, flip: Tensor) -> Tensor:
        images = self.faces.batch(index)
        mirrored = flip.to(images.device)[:, None, None, None]
        images = torch.where(mirrored, images.flip(3), images)
        return images.to(self.device, memory_format=torch.channels_last)

    def _factors(self, index: np.ndarray, flip: Tensor) -> Tensor:
        vectors = self.vectors[torch.from_numpy(index)]
        vectors[:, list(MIRRORED)] *= torch.where(flip, -1.0, 1.0)[:, None]
        return vectors.to(self.device)
