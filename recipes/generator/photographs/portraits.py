"""Aligned photographs with an index: which may be learnt from, and in which views."""

from __future__ import annotations

import csv
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from multimodal.images import load_image
from recipes.clip.clip_augment import vary

INDEX = "index.csv"
WEIGHTS = {"sfhq": 0.5}
"""How often a source is shown, where that is not once: another generator drew these."""


@dataclass(frozen=True)
class Portrait:
    """A row of the index.

    Args:
        file: the picture, below the index's folder.
        source: whose collection it is of.
        person: who it shows; the file where nobody says so.
    """

    file: Path
    source: str
    person: str


def read_index(folder: Path, split: str, leave_out: Collection[str] = ()) -> list[Portrait]:
    """The portraits of a split, in the index's order.

    Args:
        folder: holds `index.csv` (columns `file`, `source`, `person`, `split`) and the pictures.
        split: "train" or "heldout"; nothing is trained on or chosen by the second.
        leave_out: sources that are not wanted.

    Raises:
        FileNotFoundError: no index there.
        ValueError: no portraits are left.
    """
    path = folder / INDEX
    if not path.is_file():
        raise FileNotFoundError(f"no {INDEX} of portraits in {folder}")
    with path.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["split"] == split]
    kept = [row for row in rows if row["source"] not in leave_out]
    if not kept:
        raise ValueError(f"{path} has no portraits of split {split!r} but those left out")
    return [
        Portrait(folder / row["file"], row["source"], row["person"] or row["file"]) for row in kept
    ]


def held_back(portraits: list[Portrait], share: float) -> tuple[list[Portrait], list[Portrait]]:
    """Those to learn from, and a share of the people to choose by; the same ones every time."""
    people = sorted({portrait.person for portrait in portraits})
    chosen = np.random.default_rng(5).permutation(len(people))[: round(share * len(people))]
    judged = {people[i] for i in chosen}
    return (
        [p for p in portraits if p.person not in judged],
        [p for p in portraits if p.person in judged],
    )


def read_pictures(portraits: list[Portrait], resolution: int) -> Tensor:
    """Portraits as uint8 `[N, 3, R, R]`."""
    side = (resolution, resolution)
    rows = [np.asarray(load_image(p.file).convert("RGB").resize(side)) for p in portraits]
    return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).contiguous()


class PortraitBatches:
    """Endless batches of portraits in many views: mirrored, moved, turned, tinted, grey.

    Args:
        portraits: to show.
        resolution: side of the pictures.
        batch: pictures a batch.
        seed: of order and views.
        device: where all pictures are kept.
        grey: share that is shown without colour.
    """

    def __init__(
        self,
        portraits: list[Portrait],
        resolution: int,
        batch: int,
        seed: int,
        device: torch.device,
        grey: float = 0.03,
    ) -> None:
        self.pictures = read_pictures(portraits, resolution).to(device)
        self.batch, self.device, self.grey = batch, device, grey
        weights = torch.tensor([WEIGHTS.get(p.source, 1.0) for p in portraits])
        self._weights = weights
        self._source = torch.Generator().manual_seed(seed)

    def __iter__(self) -> PortraitBatches:
        return self

    def __next__(self) -> Tensor:
        """`[B, 3, R, R]` in [-1, 1], channels-last."""
        index = torch.multinomial(self._weights, self.batch, generator=self._source)
        images = self.pictures[index.to(self.device)].float() / 127.5 - 1
        images = torch.where(self._chance(0.5), images.flip(3), images)
        # Half of them are shown as they are: photographs to be edited are aligned well.
        images = torch.where(self._chance(0.5), vary(images, self._source), images)
        plain = images.mean(dim=1, keepdim=True).expand_as(images)
        images = torch.where(self._chance(self.grey), plain, images)
        return images.contiguous(memory_format=torch.channels_last)

    def _chance(self, share: float) -> Tensor:
        drawn = torch.rand(self.batch, generator=self._source) < share
        return drawn[:, None, None, None].to(self.device)
