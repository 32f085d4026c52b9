"""Writes shards of rendered heads: pictures, landmarks, segments, factors and captions;
resumable.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from recipes.render.factors import (
    BEARD_STYLES,
    EXPRESSIONS,
    GLASSES,
    HAIR_COLORS,
    HAIR_STYLES,
    SPLITS,
    Factors,
    hair_tint,
    sample_factors,
)
from recipes.render.pairs import redrawn
from recipes.render.words.captions import captions

CAPTIONS_PER_HEAD = 8
PAIR = "pair"
"""For ``vary``: every head twice, the second time with some factors redrawn."""
# What ``vary`` can change: the values that a factor takes, the head otherwise the same.
VARIATIONS: dict[str, tuple[Any, ...]] = {
    "sex": (0.03, 0.97),
    "age": (7.0, 25.0, 47.0, 75.0),
    "expression": EXPRESSIONS,
    "glasses": GLASSES,
    "beard_style": BEARD_STYLES,
    "hair_style": HAIR_STYLES,
    "hair_color_name": tuple(HAIR_COLORS),
    "lipstick": (0.0, 1.0),
    "eye_shadow": (0.0, 1.0),
    "blush": (0.0, 1.0),
    "freckles": (0.0, 1.0),
    "skin_tone": (0.05, 0.5, 0.95),
    "weight": (0.05, 0.5, 0.95),
    "yaw": (-28.0, 0.0, 28.0),
    "pitch": (-12.0, 0.0, 12.0),
    "gaze_yaw": (-25.0, 0.0, 25.0),
    "light_yaw": (-60.0, 0.0, 60.0),
    "background_color": ((0.08, 0.08, 0.1), (0.85, 0.85, 0.85)),
    "eye_color": ("dark brown", "light blue", "green"),
    "hat": (False, True),
}


@dataclass(frozen=True)
class RenderJob:
    """One shard: seeds ``start .. start + count`` of a split, at a resolution, into ``folder``."""

    folder: Path
    start: int
    count: int
    resolution: int
    split: str
    root: Path
    vary: str = ""


def plan(
    out: Path,
    count: int,
    resolution: int,
    split: str,
    root: Path,
    seed: int = 0,
    shard_size: int = 1024,
    vary: str = "",
) -> list[RenderJob]:
    """The shards that are still missing in ``out``, or shorter than ``count`` asks for; finished
    ones are skipped.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; valid: {SPLITS}")
    if vary and vary != PAIR and vary not in VARIATIONS:
        raise ValueError(f"cannot vary {vary!r}; valid: {sorted([*VARIATIONS, PAIR])}")
    if count < 1 or shard_size < 1:
        raise ValueError(f"count and shard size must be positive, got {count} and {shard_size}")
    jobs = []
    for index, begin in enumerate(range(0, count, shard_size)):
        size = min(shard_size, count - begin)
        folder = out / f"shard_{index:05d}"
        job = RenderJob(folder, seed + begin, size, resolution, split, root, vary)
        if not _finished(job):
            jobs.append(job)
    return jobs


def run(jobs: list[RenderJob], workers: int, on_heads: Callable[[int], None]) -> None:
    """Render the jobs in ``workers`` processes; ``on_heads`` hears of each finished shard's
    heads.
    """
    if workers <= 1:
        for job in jobs:
            on_heads(write_shard(job))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(write_shard, job) for job in jobs]):
            on_heads(done.result())


def write_shard(job: RenderJob) -> int:
    """Render one shard under a temporary name, then rename it; returns the number of heads."""
    from recipes.render.scene import render

    work = job.folder.with_name(f".{job.folder.name}.{os.getpid()}")
    work.mkdir(parents=True, exist_ok=True)
    images, landmarks, segments = [], [], []
    with (work / "factors.jsonl").open("w") as facts, (work / "captions.jsonl").open("w") as words:
        for factors in _heads(job):
            result = render(factors, job.resolution, job.root)
            images.append(result.image)
            landmarks.append(result.landmarks)
            segments.append(result.segments)
            facts.write(json.dumps(factors.to_dict()) + "\n")
            lines = captions(factors, CAPTIONS_PER_HEAD, factors.seed, job.split)
            words.write(json.dumps(lines) + "\n")
    np.save(work / "images.npy", np.stack(images))
    np.save(work / "landmarks.npy", np.stack(landmarks))
    np.save(work / "segments.npy", np.stack(segments))
    if _finished(job):
        shutil.rmtree(work)
    else:
        shutil.rmtree(job.folder, ignore_errors=True)
        work.rename(job.folder)
    return job.count


def _finished(job: RenderJob) -> bool:
    """Whether the folder holds all of the shard: an earlier, smaller count may have ended in it."""
    facts = job.folder / "factors.jsonl"
    if not facts.is_file():
        return False
    each = len(VARIATIONS[job.vary]) if job.vary in VARIATIONS else 1 + (job.vary == PAIR)
    with facts.open("rb") as lines:
        return sum(1 for _ in lines) >= job.count * each


def variants(factors: Factors, name: str) -> list[Factors]:
    """The same head with factor ``name`` at each of its values."""
    if name not in VARIATIONS:
        raise ValueError(f"cannot vary {name!r}; valid: {sorted(VARIATIONS)}")
    return [_with(factors, name, value) for value in VARIATIONS[name]]


def _heads(job: RenderJob) -> Iterator[Factors]:
    for seed in range(job.start, job.start + job.count):
        factors = sample_factors(seed, job.split)
        if not job.vary:
            yield factors
        elif job.vary == PAIR:
            yield from (factors, redrawn(factors, job.split))
        else:
            yield from variants(factors, job.vary)


def _with(factors: Factors, name: str, value: Any) -> Factors:
    changed = replace(factors, **{name: value})
    if name == "expression":
        return replace(changed, expression_strength=0.0 if value == "neutral" else 0.9)
    if name == "hair_color_name":
        return replace(changed, hair_color=hair_tint(value, 0.45, 0.5))
    if name == "beard_style":
        return replace(changed, beard_amount=0.0 if value == "none" else 0.8)
    if name == "hair_style":
        return replace(changed, hat=False)
    if name == "age":
        return replace(changed, wrinkles=float(np.clip((value - 34) / 42, 0, 1)))
    return changed
