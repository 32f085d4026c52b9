"""Pictures for the trainers: shards made by `recipes.render`, or any folder of aligned photos."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

PICTURES = {".png", ".jpg", ".jpeg", ".webp"}


class Faces:
    """Aligned faces in memory-mapped shards or picture files, by index.

    Args:
        folder: holds `shard_*/images.npy` (uint8 `[n, R, R, 3]`), or picture files.
        resolution: side the pictures are brought to (area averaging), or None: as stored.
        device: where batches are wanted. A GPU keeps all pictures in its own memory: a processor
            could not read and send them as fast as it learns from them.

    Raises:
        FileNotFoundError: neither shards nor pictures there.
    """

    def __init__(
        self,
        folder: Path | str,
        resolution: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.folder = Path(folder)
        self.resolution, self.device = resolution, torch.device(device)
        self._held: dict[Path, Tensor] = {}
        self.refresh()

    def refresh(self) -> None:
        """Look again: rendering may go on beside the training."""
        self.shards = sorted(p for p in self.folder.glob("shard_*") if (p / "images.npy").exists())
        if self.shards:
            self._arrays: list[Any] = [np.load(p / "images.npy", "r") for p in self.shards]
        elif not hasattr(self, "_arrays"):
            self._arrays = [_read_folder(self.folder, self.resolution or 256)]
        if self.device.type == "cuda":
            named = zip(self.shards or [self.folder], self._arrays, strict=True)
            self._arrays = [self._on_gpu(name, array) for name, array in named]
        self._ends = np.cumsum([len(a) for a in self._arrays])

    def _on_gpu(self, name: Path, array: Any) -> Tensor:
        if name not in self._held:
            self._held[name] = torch.from_numpy(np.array(array)).to(self.device)
        return self._held[name]

    def __len__(self) -> int:
        return int(self._ends[-1])

    def batch(self, indices: np.ndarray) -> Tensor:
        """Pictures `[n, 3, R, R]` in [-1, 1], float32, channels-last; on the GPU that holds them,
        else on the CPU."""
        images = self._rows(indices).permute(0, 3, 1, 2).float() / 127.5 - 1
        if self.resolution and images.shape[-1] != self.resolution:
            images = torch.nn.functional.interpolate(
                images, size=(self.resolution,) * 2, mode="bilinear", antialias=True
            )
        return images

    def _rows(self, indices: np.ndarray) -> Tensor:
        which = np.searchsorted(self._ends, indices, side="right")
        starts = self._ends - [len(a) for a in self._arrays]
        rows = [self._arrays[s][i - starts[s]] for s, i in zip(which, indices, strict=True)]
        return torch.stack(rows) if self.device.type == "cuda" else torch.from_numpy(np.stack(rows))

    def column(self, name: str) -> list[Any]:
        """All rows of `name.jsonl` (factors, captions) in index order."""
        return [row for shard in self.shards for row in read_rows(shard, name)]

    def array(self, name: str) -> np.ndarray:
        """All rows of `name.npy` (landmarks, segments) in index order."""
        return np.concatenate([np.load(shard / f"{name}.npy") for shard in self.shards])


def read_rows(shard: Path, name: str) -> list[Any]:
    """All rows of a shard's `name.jsonl`."""
    lines = (shard / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def index_batches(count: int, batch: int, seed: int) -> Iterator[np.ndarray]:
    """Endless shuffled index batches `[batch]`, epoch after epoch."""
    source = np.random.default_rng(seed)
    pool = np.empty(0, dtype=np.int64)
    while True:
        while len(pool) < batch:
            pool = np.concatenate([pool, source.permutation(count)])
        yield pool[:batch]
        pool = pool[batch:]


def _read_folder(folder: Path, resolution: int) -> np.ndarray:
    from multimodal.images import load_image

    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES)
    if not files:
        raise FileNotFoundError(f"no shards and no pictures in {folder}")
    side = (resolution, resolution)
    return np.stack([np.asarray(load_image(p).resize(side)) for p in files])
