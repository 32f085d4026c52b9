"""Who speaks, and how: sex, child or adult, and mood, read off YAMNet's layers and the pitch.

A reader is linear (logistic regression), and there may be several, each in a file of its own with
the licence of what it saw. A later file's answers replace an earlier one's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from audio.hearing.pitch import FIGURES, pitch_figures
from audio.hearing.words import Word
from audio.hearing.yamnet import TRAITS, Patches
from multimodal.files.weights import atomic

FILES = ("voices.safetensors", "voices_acted.safetensors")
"""The readers of a folder; the second saw acted moods, which are not for commercial use."""

SEX, AGE, MOOD = "sex", "age", "mood"
QUESTIONS: dict[str, tuple[str, ...]] = {
    SEX: ("man", "woman"),
    AGE: ("child", "adult"),
    MOOD: ("neutral", "happy", "sad", "angry"),
}
"""What can be asked of a voice, and the answers."""

FEATURES = FIGURES + TRAITS

Voice = dict[str, Tensor]
"""Question to probabilities of its answers `[B, A]`."""


def voice_features(samples: Tensor, patches: Patches) -> Tensor:
    """What voices are told apart by, `[B, 2696]`: pitch, and the mean traits of all patches."""
    return torch.cat([pitch_figures(samples), patches.traits.mean(dim=1)], dim=1)


class VoiceReader(nn.Module):
    """Answers to some of `QUESTIONS`, from `[B, 2696]` of `voice_features`.

    Args:
        questions: which it answers.
        features: how many numbers it reads.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, questions: Sequence[str], features: int = FEATURES) -> None:
        super().__init__()
        unknown = sorted(set(questions) - set(QUESTIONS))
        if unknown:
            raise ValueError(f"unknown questions {unknown}; known: {sorted(QUESTIONS)}")
        self.questions = tuple(questions)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        self.answers = nn.ModuleDict(
            {name: nn.Linear(features, len(QUESTIONS[name])) for name in self.questions}
        )

    def forward(self, features: Tensor) -> Voice:
        """Probabilities of every question's answers."""
        ready = (features - self.mean) / self.deviation
        return {name: self.answers[name](ready).softmax(dim=1) for name in self.questions}


def save_reader(reader: VoiceReader, path: Path, notes: Mapping[str, object]) -> None:
    """Write a reader with what it saw (`notes`) as one file."""
    about = {"questions": json.dumps(reader.questions), "notes": json.dumps(dict(notes))}
    with atomic(path) as part:
        save_file({k: v.contiguous() for k, v in reader.state_dict().items()}, part, about)


def load_reader(path: Path) -> VoiceReader:
    """Read what `save_reader` wrote.

    Raises:
        FileNotFoundError: no such file.
        ValueError: something else is in it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no voice reader at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
            questions = json.loads((file.metadata() or {})["questions"])
        reader = VoiceReader(questions, len(tensors["mean"]))
        reader.load_state_dict(tensors)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path.name} is not a voice reader: {error}") from error
    return reader.eval().requires_grad_(False)


def load_readers(folder: Path) -> list[VoiceReader]:
    """The readers of a folder, those that are there."""
    return [load_reader(folder / name) for name in FILES if (folder / name).is_file()]


def _answers() -> list[dict[str, str]]:
    """The answers that each of `speakers` stands for."""
    found = []
    for who in ("man", "woman", "child"):
        for mood in QUESTIONS[MOOD]:
            answers = {MOOD: mood, AGE: "child" if who == "child" else "adult"}
            found.append(answers if who == "child" else answers | {SEX: who})
    return found


def speakers() -> list[Word]:
    """Voices in words: each sex of adults, and children, in each mood."""
    found = []
    for answers in _answers():
        who, mood = answers.get(SEX, "child"), answers[MOOD]
        article = "an" if mood == "angry" else "a"
        look = f"a {who}" if mood == "neutral" else f"{article} {mood} {who}"
        found.append(Word(f"{look} speaking", (), look))
    return found


def speaker_shares(voice: Voice) -> Tensor:
    """Shares `[B, W]` of `speakers`, which add up to 1.

    Without a question's answer each is as likely; but an unknown mood is taken as neutral, and a
    voice as an adult's.
    """
    first = next(iter(voice.values()))
    usual = {SEX: (0.5, 0.5), AGE: (0.0, 1.0), MOOD: (1.0, 0.0, 0.0, 0.0)}
    known = {
        name: voice.get(name, first.new_tensor(usual[name]).expand(len(first), -1))
        for name in QUESTIONS
    }
    shares = []
    for answers in _answers():
        share = first.new_ones(len(first))
        for question, answer in answers.items():
            share = share * known[question][:, QUESTIONS[question].index(answer)]
        shares.append(share)
    return torch.stack(shares, dim=1)
