"""Training examples made once: pairs of log-mel views of a sound with what the teacher heard.

A shard holds, for N windows of two seconds, features of a good and of a worse recording `[N, 2, F,
M]`, the teacher's embeddings of three patches `[N, 3, 1024]` and scores `[N, 521]` (the maximum),
and the class of each group (-1: not known).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audio.features import log_mel
from recipes.sound import augment
from recipes.sound.data import Row, read_all
from recipes.sound.synth import KINDS, from_voice
from recipes.sound.texts import AGES, EMOTIONS, EVENTS, SEXES
from recipes.sound.yamnet import Yamnet

RATE, SECONDS = 16000, 2.0
COUNT = int(RATE * SECONDS)
PATCH_HOP = 51  # three teacher patches cover the two seconds
GROUP_NAMES = {
    "event": list(EVENTS), "emotion": list(EMOTIONS), "sex": list(SEXES), "age": list(AGES),
}  # fmt: skip
AGREE = {
    "laughter": ("Laughter", "Giggle", "Belly laugh", "Chuckle, chortle", "Snicker"),
    "crying": ("Crying, sobbing", "Whimper", "Wail, moan"),
    "scream": ("Screaming", "Shout", "Yell"),
    "cough": ("Cough", "Throat clearing"),
    "sneeze": ("Sneeze",),
}


@dataclass
class Example:
    """One window on its way into a shard."""

    samples: np.ndarray
    groups: dict[str, str | None] = field(default_factory=dict)


class ExampleMaker:
    """Draws windows from the corpora and from synthesis, and asks the teacher about them.

    Args:
        folder: the corpora.
        clips: the training rows.
        teacher: YAMNet.
        seed: of everything random.
    """

    def __init__(self, folder: Path, clips: list[Row], teacher: Yamnet, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.teacher, self.clips = teacher, clips
        self.sounds = list(read_all(folder, clips))
        self.by_event: dict[str, list[int]] = {}
        for index, row in enumerate(clips):
            self.by_event.setdefault(row.event or "unknown", []).append(index)
        self.voices = [i for i, row in enumerate(clips) if row.age is not None]
        self.moods = [i for i in self.voices if clips[i].emotion is not None]
        self.adults = [i for i in self.voices if clips[i].corpus == "speechocean762"]

    def draw(self) -> Example:
        """One window: a corpus clip (classes balanced), a mixture, or a synthesised noise."""
        dice = self.rng.random()
        if dice < 0.24:
            return self._synthetic()
        if dice < 0.48:
            return self._clip(self._any(self.moods))
        if dice < 0.56:
            return self._clip(self._any(self.adults))
        event = list(self.by_event)[self.rng.integers(len(self.by_event))]
        if dice < 0.72:
            return self._clip(int(self.rng.integers(len(self.clips))))
        example = self._clip(self._any(self.by_event[event]))
        return self._mixed(example) if dice > 0.9 else example

    def _any(self, indices: list[int]) -> int:
        return indices[self.rng.integers(len(indices))]

    def _clip(self, index: int) -> Example:
        row, samples = self.clips[index], self.sounds[index]
        groups: dict[str, str | None] = {
            "event": row.event, "emotion": row.emotion, "sex": row.sex, "age": row.age,
        }  # fmt: skip
        spread = 0.07 if row.age is not None else 0.3
        if self.rng.random() < 0.7:
            samples = augment.speed(samples, float(np.exp(self.rng.uniform(-spread, spread))))
        return Example(augment.window(self.rng, samples, COUNT), groups)

    def _synthetic(self) -> Example:
        """A synthesised noise, or a variation of a real one, that the teacher agrees with."""
        kind = list(KINDS)[self.rng.integers(len(KINDS))]
        names = {self.teacher.names.index(name) for name in AGREE[kind]}
        best, best_score = np.zeros(COUNT, dtype=np.float32), -1.0
        for _ in range(5):
            made = augment.window(self.rng, self._one(kind), COUNT)
            scores = self.teacher(made, PATCH_HOP).scores.max(axis=0)
            score = max(float(scores[i]) for i in names)
            if score > best_score:
                best, best_score = made, score
            if score > 0.35:
                break
        return Example(best, {"event": kind if best_score > 0.1 else None})

    def _one(self, kind: str) -> np.ndarray:
        real = self.by_event.get(kind, [])
        dice = self.rng.random()
        if real and dice < 0.45:
            made = self.sounds[self._any(real)]
            return augment.speed(made, float(np.exp(self.rng.uniform(-0.4, 0.4))))
        if kind in ("laughter", "crying") and dice < 0.6:
            made = from_voice(self.rng, self.sounds[self._any(self.voices)], kind)
        else:
            made = KINDS[kind](self.rng)
        if self.rng.random() < 0.5:
            made = augment.add_noise(self.rng, augment.room(self.rng, made), 15, 40)
        return made

    def _mixed(self, example: Example) -> Example:
        """Another sound under it, 6 to 18 dB softer."""
        other = self._clip(int(self.rng.integers(len(self.clips)))).samples
        level = example.samples.std() / max(other.std(), 1e-6)
        weight = level * 10 ** (-self.rng.uniform(6, 18) / 20)
        return Example(example.samples + np.float32(weight) * other, example.groups)


def classes(groups: dict[str, str | None]) -> list[int]:
    """Index of the class in each group, -1 where it is not known."""
    known = [(names, groups.get(group)) for group, names in GROUP_NAMES.items()]
    return [names.index(value) if value in names else -1 for names, value in known]


def make_shard(maker: ExampleMaker, count: int) -> dict[str, Tensor]:
    """`count` examples as tensors."""
    views, embeddings, scores, labels = [], [], [], []
    for _ in range(count):
        example = maker.draw()
        heard = maker.teacher(example.samples, PATCH_HOP)
        worse = augment.degrade(maker.rng, example.samples)
        pair = torch.from_numpy(np.stack([example.samples, worse]))
        views.append(log_mel(pair)[:, 0].half())
        embeddings.append(torch.from_numpy(heard.embeddings[:3]).half())
        scores.append(torch.from_numpy(heard.scores.max(axis=0)).half())
        labels.append(torch.tensor(classes(example.groups), dtype=torch.int16))
    stacked = (torch.stack(x) for x in (views, embeddings, scores, labels))
    return dict(zip(("views", "embeddings", "scores", "labels"), stacked, strict=True))


def make_cache(
    out: Path,
    shards: int,
    count: int,
    maker: Callable[[int], ExampleMaker],
    on_shard: Callable[[int], None] = lambda _: None,
) -> None:
    """Write the missing shards; each is seeded by its number, so stopping and resuming is safe."""
    out.mkdir(parents=True, exist_ok=True)
    shared: ExampleMaker | None = None
    for index in range(shards):
        path = out / f"shard_{index:03d}.pt"
        if not path.exists():
            shared = shared or maker(index)
            shared.rng = np.random.default_rng((7, index))
            temporary = path.with_suffix(".part")
            torch.save(make_shard(shared, count), temporary)
            temporary.replace(path)
        on_shard(index)


def load_cache(out: Path) -> dict[str, Tensor]:
    """All shards, joined."""
    paths = sorted(out.glob("shard_*.pt"))
    if not paths:
        raise FileNotFoundError(f"no shards in {out}")
    parts = [torch.load(path, weights_only=True) for path in paths]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
