"""The sound corpora: rows, split, labels.

The split goes by speaker where a corpus names one, else by source recording: two clips of one
voice or one recording never lie on both sides.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

EVALUATE_ONLY = ("emodb",)
# Fixed once, before any training, so that every class and both sexes have held-out clips.
SPLIT_SALT = 169
EVENT_WORDS = {
    "baby_cry": "baby cry", "laugh": "laughter", "scream": "scream", "cough": "cough",
    "sneeze": "sneeze", "bird": "animal", "animal": "animal", "dog": "animal", "cat": "animal",
    "speech_child": "child speech", "rain": "nature", "wind": "nature", "thunder": "nature",
    "gasp": "gasp", "snore": "snore", "burp": "burp", "applause": "applause", "cheer": "cheer",
    "moan": "moan", "fire": "nature",
}  # fmt: skip
EMOTIONS = {
    "neutral": "neutral", "calm": "calm", "happiness": "happy", "sadness": "sad",
    "anger": "angry", "fear": "fearful", "disgust": "disgusted", "surprise": "surprised",
    "boredom": "bored",
}  # fmt: skip
TRUSTED = {
    "laughter": ({"Laughter", "Giggle", "Belly laugh", "Chuckle, chortle", "Snicker"}, 0.5),
    "scream": ({"Screaming"}, 0.5),
    "cough": ({"Cough"}, 0.6),
    "sneeze": ({"Sneeze"}, 0.5),
    "crying": ({"Crying, sobbing", "Whimper", "Wail, moan"}, 0.6),
    "music": ({"Music"}, 0.75),
    "animal": ({"Animal", "Domestic animals, pets", "Wild animals", "Bird"}, 0.75),
    "nature": ({"Rain", "Thunderstorm", "Wind", "Ocean", "Stream", "Water", "Waves, surf"}, 0.7),
}


@dataclass(frozen=True)
class Row:
    """One clip of the corpora, with what is known of it."""

    file: str
    source: str
    licence: str
    label: str
    meta: dict[str, str]
    teacher: dict[str, float]

    @property
    def corpus(self) -> str:
        """The top folder."""
        return self.file.split("/", 1)[0]

    @property
    def emotion(self) -> str | None:
        """Acted emotion of a voice."""
        return EMOTIONS.get(self.label.removeprefix("speech_")) if "speech_" in self.label else None

    @property
    def sex(self) -> str | None:
        """ "man" or "woman" of an adult speaker."""
        if self.age == "child" or "speaker" not in self.meta:
            return None
        return {"m": "man", "f": "woman"}.get(self.meta.get("sex", ""))

    @property
    def age(self) -> str | None:
        """ "child" or "adult" of a speaker (teenagers have none)."""
        if self.label == "speech_child":
            return "child"
        adult = self.corpus in ("ravdess", "emodb") or self.label == "speech_adult"
        return "adult" if adult else None

    @property
    def event(self) -> str | None:
        """What happens: from the corpus label, else where the teacher is sure."""
        if self.label in EVENT_WORDS:
            return EVENT_WORDS[self.label]
        if self.corpus in ("ravdess", "emodb") or self.label == "speech_adult":
            return "adult speech"
        for event, (names, least) in TRUSTED.items():
            if any(self.teacher.get(name, 0.0) >= least for name in names):
                return event
        return None


def rows(folder: Path) -> list[Row]:
    """Every clip of `labels.csv`."""
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        return [_row(raw) for raw in csv.DictReader(file)]


def _row(raw: dict[str, str]) -> Row:
    meta = dict(part.split("=", 1) for part in raw["meta"].split(";") if "=" in part)
    best = re.findall(r"\s*(.+?)=([0-9.]+)(?:;|$)", raw["yamnet_max3"])
    teacher = {name.strip(): float(score) for name, score in best}
    for index in range(1, 6):
        name, score = raw[f"yamnet_{index}"], raw[f"score_{index}"]
        if name:
            teacher[name] = max(teacher.get(name, 0.0), float(score))
    return Row(raw["file"], raw["source"], raw["licence"], raw["dataset_label"], meta, teacher)


def recording(row: Row) -> str:
    """The speaker, device or source recording behind a clip: what the split goes by."""
    if "speaker" in row.meta:
        return f"{row.corpus}/{row.meta['speaker']}"
    name = row.file.rsplit("/", 1)[-1].rsplit(".", 1)[0].lower()
    if row.corpus == "donateacry":
        return f"donateacry/{name[:36]}"
    return f"{row.corpus}/{re.sub(r'[^a-z]+', '', name)}"


def split_of(row: Row) -> str:
    """ "train", "test" (one recording in five) or "evaluate" (no licence to train on)."""
    if row.corpus in EVALUATE_ONLY:
        return "evaluate"
    digest = hashlib.sha256(f"{SPLIT_SALT}/{recording(row)}".encode()).digest()
    return "test" if digest[0] % 5 == 0 else "train"


def licences(clips: list[Row]) -> dict[str, int]:
    """Clips seen under each licence."""
    counts: dict[str, int] = {}
    for row in clips:
        counts[row.licence] = counts.get(row.licence, 0) + 1
    return dict(sorted(counts.items()))


def read(folder: Path, row: Row) -> np.ndarray:
    """A clip's samples, float32 at 16 kHz."""
    import soundfile

    samples, rate = soundfile.read(folder / row.file, dtype="float32", always_2d=True)
    if rate != 16000:
        raise ValueError(f"{row.file} has rate {rate}, expected 16000")
    return np.asarray(samples.mean(axis=1), dtype=np.float32)


def read_all(folder: Path, clips: list[Row]) -> Iterator[np.ndarray]:
    """The samples of every clip, in order."""
    return (read(folder, row) for row in clips)
