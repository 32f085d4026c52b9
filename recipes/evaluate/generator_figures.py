"""Is the generator any good? Distances between sets of faces, and a look for memorised ones.

Features are EfficientNet-Lite0's (`multimodal.metrics`). A distance between sets has no scale of
its own: beside it stands the distance between held-out women and men, and that between the training
renders and the held-out ones, which no generator trained on the former can be asked to beat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from multimodal.files.weights import atomic
from multimodal.metrics import frechet_distance, kernel_distance
from multimodal.types import Generator
from recipes.data import Faces

BLOCK = 256
"""Faces in one cached file of features."""

BATCH = 16
BAR = 1 / 3
"""Share of the distance between women and men that samples may lie from held-out renders."""

Extract = Callable[[Tensor], Tensor]
"""Pictures `[B, 3, H, W]` in [-1, 1] to features `[B, F]`."""
Draw = Callable[[np.ndarray], Tensor]
"""Numbers `[n]` of faces to pictures `[n, 3, H, W]`."""
OnFaces = Callable[[int], None]
"""Told how many more faces are done."""


def drawer(generator: Generator, seed: int, truncation: float = 1.0) -> Draw:
    """Draws the face of each number: number n has seed `seed + n`, alone or in a batch."""

    def draw(numbers: np.ndarray) -> Tensor:
        codes = [generator.sample(1, seed + int(n), truncation).w for n in numbers]
        return generator.synthesize(torch.cat(codes)).clamp(-1, 1)

    return draw


@torch.no_grad()
def features(
    draw: Draw, count: int, extract: Extract, folder: Path, on_faces: OnFaces | None = None
) -> np.ndarray:
    """Features `[count, F]` of faces 0 to count - 1, block by block; done blocks are read again.

    Args:
        draw: makes or reads the pictures.
        count: faces.
        extract: the feature network.
        folder: of the blocks; belongs to these faces alone.
        on_faces: told after every block.
    """
    blocks = []
    for first in range(0, count, BLOCK):
        numbers = np.arange(first, min(first + BLOCK, count))
        path = folder / f"block_{first:06d}_{len(numbers)}.npy"
        if not path.is_file():
            parts = [extract(draw(n)).cpu().numpy() for n in _batches(numbers)]
            with atomic(path) as part:
                np.save(part, np.concatenate(parts).astype(np.float32))
        blocks.append(np.load(path))
        if on_faces is not None:
            on_faces(len(numbers))
    return np.concatenate(blocks)


def distances(
    samples: np.ndarray, heldout: np.ndarray, men: np.ndarray | None, training: np.ndarray | None
) -> dict[str, Any]:
    """Distances between sets of features, each `[n, F]`.

    Args:
        samples: of the generator.
        heldout: of renders never trained on.
        men: which of them are men `[n]`, or None where that is not known.
        training: of renders trained on, or None.
    """
    out: dict[str, Any] = {
        "samples": len(samples),
        "heldout": len(heldout),
        "frechet": frechet_distance(samples, heldout),
        "kernel": kernel_distance(samples, heldout),
    }
    if men is not None and min(int(men.sum()), int((~men).sum())) > 1:
        out["frechet_women_men"] = frechet_distance(heldout[~men], heldout[men])
        out["frechet_share"] = out["frechet"] / out["frechet_women_men"]
        out["bar_share"] = BAR
    if training is not None:
        out["frechet_training_heldout"] = frechet_distance(training, heldout)
    return out


def men_among(faces: Faces, count: int) -> np.ndarray | None:
    """Which of the first `count` renders are men `[count]`; None where there are no factors."""
    if not faces.shards or not (faces.shards[0] / "factors.jsonl").is_file():
        return None
    return np.array([float(row["sex"]) > 0.5 for row in faces.column("factors")[:count]])


@dataclass(frozen=True)
class Neighbours:
    """The training renders nearest to generated faces.

    Args:
        figures: how near they are, and how near held-out renders come.
        pairs: (sample, training render), the nearest pairs first.
    """

    figures: dict[str, float]
    pairs: tuple[tuple[int, int], ...]


def neighbours(samples: np.ndarray, heldout: np.ndarray, training: np.ndarray) -> Neighbours:
    """Look for memorised faces: samples nearer to a training render than new renders ever come.

    Args:
        samples: features `[n, F]`.
        heldout: `[m, F]`, the yardstick.
        training: `[k, F]`.
    """
    near, who = _nearest(samples, training)
    usual, _ = _nearest(heldout, training)
    limit = float(np.quantile(usual, 0.99))
    order = np.argsort(-near)
    figures = {
        "training": float(len(training)),
        "cosine_of_samples": float(np.median(near)),
        "cosine_of_heldout": float(np.median(usual)),
        "nearest_sample": float(near.max()),
        "nearest_heldout": float(usual.max()),
        "nearer_than_99_percent_of_heldout": float((near > limit).mean()),
    }
    return Neighbours(figures, tuple((int(i), int(who[i])) for i in order))


def _nearest(points: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest cosine `[n]` to a set, and whose it is, measured from the set's mean."""
    centre = among.mean(axis=0)
    units = [
        x / np.linalg.norm(x, axis=1, keepdims=True) for x in (points - centre, among - centre)
    ]
    cosines = units[0] @ units[1].T
    return cosines.max(axis=1), cosines.argmax(axis=1)


def _batches(numbers: np.ndarray) -> Iterator[np.ndarray]:
    return (numbers[i : i + BATCH] for i in range(0, len(numbers), BATCH))
