"""Teach who speaks, and how: logistic regression on YAMNet's layers and the pitch.

    python -m recipes.sound.train_voices --assets ../shared/assets --out runs/ears/encoder

Two readers, in files of their own. `voices.safetensors` learns sex and child or adult from clips
under permissive licences. `voices_acted.safetensors` learns mood too, from acted voices (RAVDESS,
CC BY-NC-SA 4.0), and has their licence. Every clip is heard twice more: at another pace, in another
colour of sound, and mostly through other rooms, lines and noises.

The files that ship were fitted in this way, with the same penalty, but the acted one to 684 of the
1,140 acted clips that this takes, and their copies were drawn in another order: a new fit differs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor
from torch.nn import functional as F

from audio.hearing.voices import (
    AGE,
    FILES,
    MOOD,
    QUESTIONS,
    SEX,
    VoiceReader,
    save_reader,
    voice_features,
)
from audio.hearing.yamnet import Yamnet
from audio.io import RATE, load_sound
from recipes.sound import augment
from recipes.sound.data import Row, licences, read, rows, split_of
from recipes.sound.heard_clips import may_be_learnt
from recipes.sound.read_yamnet import read_yamnet

CHILD, GROWN = 11, 15
"""Years up to which a speaker is a child, and from which none any more."""

ECHO_S, PACE, COLOUR_DB, DEGRADED, PEAK = 4.0, 0.06, 5.0, 0.6, 0.8
"""Of another recording of a voice: seconds, log of the most change of pace, how unevenly it sounds,
how often a room, a line or a noise comes besides, and its loudest sample."""

ACTED = "ravdess"
NON_COMMERCIAL = "CC-BY-NC-SA-4.0"


@dataclass(frozen=True)
class Spoken:
    """Voices with what is known of them.

    Args:
        features: `[N, D]` of `voice_features`.
        answers: question to the answers' indices `[N]`, -1 where not known.
    """

    features: Tensor
    answers: dict[str, Tensor]


def answers_of(row: Row) -> dict[str, int]:
    """Indices of a clip's answers, -1 where not known. Calm voices count as neutral."""
    years = int(row.meta.get("age", "0") or 0)
    child = row.corpus == "speechocean762" and years <= CHILD
    grown = row.age == "adult" or years >= GROWN
    mood = "neutral" if row.emotion == "calm" else row.emotion
    sex = {"m": "man", "f": "woman"}.get(row.meta.get("sex", "")) if grown else None
    told = {SEX: sex, AGE: "child" if child else "adult" if grown else None, MOOD: mood}
    return {
        question: QUESTIONS[question].index(told[question])  # type: ignore[arg-type]
        if told[question] in QUESTIONS[question] else -1
        for question in QUESTIONS
    }  # fmt: skip


@torch.no_grad()
def hear_voices(
    trunk: Yamnet, folder: Path, clips: Sequence[Row], echoes: int, seed: int,
    on_step: Callable[[int, int], None] = lambda *_: None,
) -> Spoken:  # fmt: skip
    """Features of clips, and of `echoes` worse recordings of each."""
    rng = np.random.default_rng(seed)
    features: list[Tensor] = []
    answers: dict[str, list[int]] = {question: [] for question in QUESTIONS}
    for index, row in enumerate(clips):
        samples = read(folder, row)
        for echo in range(1 + echoes):
            heard = echo_of(rng, samples) if echo else samples
            sound = load_sound((RATE, heard), 30.0).tensor()
            features.append(voice_features(sound, trunk(sound)))
            for question, answer in answers_of(row).items():
                answers[question].append(answer)
        on_step(index + 1, len(clips))
    return Spoken(torch.cat(features), {k: torch.tensor(v) for k, v in answers.items()})


def echo_of(rng: np.random.Generator, samples: np.ndarray) -> np.ndarray:
    """Another recording of the first seconds of a voice `[T]`."""
    pace = float(np.exp(rng.uniform(-PACE, PACE)))
    heard = _coloured(rng, augment.speed(samples[: round(ECHO_S * RATE)], pace))
    heard = augment.degrade(rng, heard) if rng.random() < DEGRADED else heard
    return np.asarray(PEAK * heard / max(float(np.abs(heard).max()), 1e-6), np.float32)


def _coloured(rng: np.random.Generator, samples: np.ndarray) -> np.ndarray:
    """Louder and softer by some decibels at a few places of the spectrum."""
    bands = np.fft.rfft(samples)
    count = int(rng.integers(3, 9))
    places = np.sqrt(np.linspace(0, 1, len(bands)))
    decibels = np.interp(places, np.linspace(0, 1, count), rng.normal(size=count) * COLOUR_DB)
    return np.asarray(np.fft.irfft(bands * 10 ** (decibels / 20), len(samples)), np.float32)


def fit_reader(
    spoken: Spoken, questions: Sequence[str], decay: float = 5e-3, steps: int = 200
) -> VoiceReader:
    """Logistic regression of each question on the voices whose answer is known; answers count
    alike, however many voices each has."""
    reader = VoiceReader(questions, spoken.features.shape[1])
    reader.mean.copy_(spoken.features.mean(dim=0))
    reader.deviation.copy_(spoken.features.std(dim=0).clamp(min=1e-3))
    ready = (spoken.features - reader.mean) / reader.deviation
    for question in questions:
        line, answers = reader.answers[question], spoken.answers[question]
        known = answers >= 0
        counts = torch.bincount(answers[known], minlength=len(QUESTIONS[question])).clamp(min=1)
        weight = len(answers[known]) / (counts * len(counts))
        torch.nn.init.zeros_(line.weight)  # type: ignore[arg-type]
        torch.nn.init.zeros_(line.bias)  # type: ignore[arg-type]
        _descend(line, ready[known], answers[known], weight, decay, steps)
    return reader.eval().requires_grad_(False)


def _descend(
    line: torch.nn.Module, x: Tensor, y: Tensor, weight: Tensor, decay: float, steps: int
) -> None:
    parameters = list(line.parameters())
    optimiser = torch.optim.LBFGS(parameters, max_iter=steps, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.cross_entropy(line(x), y, weight) + decay * parameters[0].square().sum()
        value.backward()
        return value

    optimiser.step(loss)


def main(
    assets: Annotated[Path, typer.Option(help="folder of sounds/ and teachers/")],
    out: Annotated[Path, typer.Option(help="folder of the ears")],
    echoes: int = 2,
    seed: int = 0,
) -> None:
    """Fit and write both readers."""
    folder = assets / "sounds"
    trunk = read_yamnet(assets / "teachers")
    voices = [r for r in rows(folder) if max(answers_of(r).values()) >= 0]
    voices = [r for r in voices if split_of(r) == "train"]
    free = [r for r in voices if may_be_learnt(r)]
    acted = [r for r in voices if r.corpus == ACTED]
    for clips, questions, name in (
        (free, (SEX, AGE), FILES[0]),
        ([*free, *acted], (SEX, AGE, MOOD), FILES[1]),
    ):
        spoken = hear_voices(trunk, folder, clips, echoes, seed)
        save_reader(fit_reader(spoken, questions), out / name, {"trained_on": licences(clips)})


if __name__ == "__main__":
    typer.run(main)
