"""Clips for the ears: which may be learnt from, what each is called, and what YAMNet hears in it.

Only clips under licences that ask for no more than credit are used. What YAMNet hears is kept in
one file a corpus, so that stopping and going on is safe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audio.hearing.yamnet import Patches, Yamnet
from audio.io import RATE, load_sound
from recipes.sound import augment
from recipes.sound.data import Row, read, split_of

PERMISSIVE = (
    "CC0-1.0", "CC-BY (", "CC-BY-2.0", "CC-BY-3.0", "MIT", "BSD-2-Clause", "public domain",
    "free for commercial and non-commercial use",
)  # fmt: skip
"""How the licences begin that ask for no more than credit."""

ANIMALS = ("a dog", "a cat", "birds", "farm animals", "a wild animal", "an animal", "insects")
MUSIC = ("music", "a piano", "a guitar", "drums", "bells")
NATURE = ("rain", "wind", "thunder", "water", "a fire")
NAMES: dict[str, tuple[str, ...]] = {
    "child speech": ("a child speaking", "a person speaking"),
    "adult speech": ("a child speaking", "a person speaking"),
    "cough": ("a person coughing",),
    "moan": ("a person groaning",),
    "cheer": ("people cheering",),
    "laughter": ("a person laughing",),
    "burp": ("a person burping or hiccuping",),
    "applause": ("people clapping",),
    "snore": ("a person snoring",),
    "animal": ANIMALS,
    "music": MUSIC,
    "nature": NATURE,
}
"""The corpora's events, and the names that are right for them; whose a voice is, others tell."""

NOISE = "noise"
KINDS = {"child speech": "speech", "adult speech": "speech", "animal": "animal", "music": "music",
         "nature": "nature"}  # fmt: skip
"""Kinds of events that count alike, however many clips each has; all others are noises."""


@dataclass(frozen=True)
class HeardClips:
    """What YAMNet hears in clips.

    Args:
        patches: one each, of one clip.
        names: the names that are right for it.
        kinds: of `KINDS`, or noise.
    """

    patches: list[Patches]
    names: list[tuple[str, ...]]
    kinds: list[str]


def may_be_learnt(row: Row) -> bool:
    """Is the clip under a licence that asks for no more than credit?"""
    return row.licence.startswith(PERMISSIVE)


def event_of(row: Row) -> str | None:
    """The event that a clip is learnt as; None for none."""
    event = "adult speech" if row.label == "speech_teen" else row.event
    return event if event in NAMES else None


def clips_to_learn(rows: Sequence[Row], split: str = "train") -> list[Row]:
    """Clips with a known event that may be learnt from, of one split."""
    return [r for r in rows if may_be_learnt(r) and event_of(r) and split_of(r) == split]


@torch.no_grad()
def hear_clips(
    trunk: Yamnet,
    folder: Path,
    clips: Sequence[Row],
    mixtures: int,
    seed: int,
    cache: Path | None = None,
    on_step: Callable[[int, int], None] = lambda *_: None,
) -> HeardClips:
    """Hear clips, and mixtures of each first with a softer second (6 to 18 dB).

    Args:
        trunk: hears.
        folder: of the corpora.
        clips: with known events.
        mixtures: how many besides.
        seed: of the mixtures.
        cache: a file that keeps what was heard.
        on_step: called with (clips heard, all).
    """
    rng = np.random.default_rng(seed)
    pairs: list[tuple[int, int | None]] = [(i, None) for i in range(len(clips))]
    drawn = rng.integers(len(clips), size=(mixtures, 2)).tolist()
    pairs += [(int(a), int(b)) for a, b in drawn]
    levels = rng.uniform(6, 18, size=len(pairs))
    known = _cached(cache, len(pairs))
    for index in range(len(known), len(pairs)):
        first, second = pairs[index]
        samples = read(folder, clips[first])
        if second is not None:
            samples = _under(samples, read(folder, clips[second]), float(levels[index]))
        known.append(_heard(trunk, samples))
        if cache is not None and (index % 200 == 199 or index == len(pairs) - 1):
            _keep(cache, known)
        on_step(index + 1, len(pairs))
    events = [event_of(clips[first]) or "" for first, _ in pairs]
    return HeardClips(known, [NAMES[e] for e in events], [KINDS.get(e, NOISE) for e in events])


def _heard(trunk: Yamnet, samples: np.ndarray) -> Patches:
    heard = trunk(load_sound((RATE, samples), 30.0).tensor())
    return Patches(heard.logits, heard.embeddings, heard.traits[..., :0])


def _under(first: np.ndarray, second: np.ndarray, decibels: float) -> np.ndarray:
    second = np.resize(augment.speed(second, 1.0), len(first))
    level = first.std() / max(float(second.std()), 1e-6)
    return np.asarray(first + np.float32(level * 10 ** (-decibels / 20)) * second)


def _cached(path: Path | None, most: int) -> list[Patches]:
    if path is None or not path.is_file():
        return []
    stored: list[dict[str, Tensor]] = torch.load(path, weights_only=True)
    return [
        Patches(one["logits"].float(), one["embeddings"].float(), torch.zeros(1, 1, 0))
        for one in stored[:most]
    ]


def _keep(path: Path, known: Sequence[Patches]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    stored = [{"logits": p.logits.half(), "embeddings": p.embeddings.half()} for p in known]
    torch.save(stored, part)
    part.replace(path)
