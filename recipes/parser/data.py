"""What the parser learns from: renders with exact labels, photographs with sets of labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recipes.data import index_batches
from recipes.parser import augment as vary
from recipes.parser.partial import ALL, Sets

LABELS, SETS, IMAGES, NAMES = "labels.npy", "sets.npy", "images.npy", "files.txt"


@dataclass(frozen=True)
class Labelled:
    """Pictures uint8 `[S, S, 3]` by index, with a set of classes for every pixel.

    Args:
        images: arrays `[n, S, S, 3]`, memory-mapped.
        labels: as many arrays `[n, S, S]`: uint8 places in `CLASSES`, or uint16 sets.
        names: files of photographs.
    """

    images: tuple[np.ndarray, ...]
    labels: tuple[np.ndarray, ...]
    names: tuple[str, ...] = ()

    @classmethod
    def renders(cls, folder: Path) -> Labelled:
        """Shards of `recipes.render` that have been labelled (`recipes.parser.label`).

        Raises:
            FileNotFoundError: none there.
        """
        shards = [p for p in sorted(folder.glob("shard_*")) if (p / LABELS).is_file()]
        if not shards:
            raise FileNotFoundError(f"no labelled shards in {folder}")
        arrays = [(np.load(p / IMAGES, "r"), np.load(p / LABELS, "r")) for p in shards]
        return cls(tuple(a for a, _ in arrays), tuple(b for _, b in arrays))

    @classmethod
    def photographs(cls, folder: Path) -> Labelled:
        """What `recipes.parser.label photos` wrote.

        Raises:
            FileNotFoundError: nothing there.
        """
        if not (folder / SETS).is_file():
            raise FileNotFoundError(f"no labelled photographs in {folder}")
        list_of = folder / NAMES
        names = list_of.read_text(encoding="utf-8").splitlines() if list_of.is_file() else []
        arrays = np.load(folder / IMAGES, "r"), np.load(folder / SETS, "r")
        return cls((arrays[0],), (arrays[1],), tuple(names))

    def __len__(self) -> int:
        return sum(len(a) for a in self.images)

    def __getitem__(self, index: int) -> tuple[vary.Picture, Sets]:
        """A picture float32 `[S, S, 3]` in [0, 1], and the set of every pixel."""
        for images, labels in zip(self.images, self.labels, strict=True):
            if index < len(images):
                found = np.asarray(labels[index])
                sets = (
                    found if found.dtype == np.uint16 else np.uint16(1) << found.astype(np.uint16)
                )
                return images[index].astype(np.float32) / 255, sets.astype(np.uint16)
            index -= len(images)
        raise IndexError(index)


class Mixture:
    """Endless varied batches of renders and photographs.

    Args:
        renders: with exact labels.
        photos: with sets, or None.
        batch: pictures of a batch.
        share: of photographs in a batch.
        sides: to choose from for a batch, in pixels.
        seed: of everything.
        again: places of photographs that come more often.
    """

    def __init__(
        self,
        renders: Labelled,
        photos: Labelled | None,
        batch: int,
        share: float = 0.5,
        sides: tuple[int, ...] = (192, 192, 256),
        seed: int = 0,
        again: Sequence[int] = (),
    ) -> None:
        self.renders, self.photos, self.sides = renders, photos, sides
        self.real = 0 if photos is None else round(batch * share)
        self.source = np.random.default_rng(seed)
        self._renders = index_batches(len(renders), max(batch - self.real, 1), seed)
        self._order = [*range(len(photos) if photos else 0), *again]
        self._photos = index_batches(len(self._order), max(self.real, 1), seed) if photos else None

    def __next__(self) -> tuple[Tensor, Tensor]:
        """Pictures `[B, 3, S, S]` in [-1, 1], channels-last, and int32 sets `[B, S, S]`."""
        side = int(self.source.choice(self.sides))
        found = [self._render(int(i), side) for i in next(self._renders)]
        if self._photos is not None:
            found += [self._photo(self._order[i], side) for i in next(self._photos)][: self.real]
        pictures = torch.from_numpy(np.stack([p for p, _ in found])).permute(0, 3, 1, 2)
        sets = torch.from_numpy(np.stack([s.astype(np.int32) for _, s in found]))
        return pictures * 2 - 1, sets

    def _render(self, index: int, side: int) -> tuple[vary.Picture, Sets]:
        picture, sets = vary.dress(*self.renders[index], self.source)
        if self.source.random() < 0.7:
            picture = vary.before(picture, sets, self._background(len(picture)), self.source)
        return self._finished(picture, sets, side)

    def _photo(self, index: int, side: int) -> tuple[vary.Picture, Sets]:
        assert self.photos is not None
        return self._finished(*self.photos[index], side)

    def _finished(self, picture: vary.Picture, sets: Sets, side: int) -> tuple[vary.Picture, Sets]:
        if self.source.random() < 0.15:
            picture, sets = vary.occlude(picture, sets, self.source)
        picture, sets = vary.placed(picture.astype(np.float32), sets, side, self.source)
        return vary.photographed(picture, self.source), sets

    def _background(self, side: int) -> vary.Picture:
        """A pattern, or an upper corner of a photograph, enlarged."""
        if self.photos is None or self.source.random() < 0.4:
            return vary.texture(side, self.source)
        photo, sets = self.photos[int(self.source.integers(len(self.photos)))]
        part = side // 4
        column = 0 if self.source.random() < 0.5 else side - part
        corner = photo[:part, column : column + part]
        if (sets[:part, column : column + part] != 1).mean() > 0.1:  # not all background
            return vary.texture(side, self.source)
        image = torch.from_numpy(np.ascontiguousarray(corner)).permute(2, 0, 1)[None]
        large = torch.nn.functional.interpolate(image, (side, side), mode="bicubic")
        return large[0].permute(1, 2, 0).clamp(0, 1).numpy()


def members(sets: Tensor, count: int) -> Tensor:
    """Sets `[B, H, W]` as booleans `[B, count, H, W]`."""
    places = torch.arange(count, dtype=sets.dtype, device=sets.device)[None, :, None, None]
    return (sets[:, None] >> places) & 1 > 0


__all__ = ["ALL", "IMAGES", "LABELS", "SETS", "Labelled", "Mixture", "members"]
