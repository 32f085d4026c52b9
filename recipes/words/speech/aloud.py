"""Sentences read aloud by eSpeak NG (Debian's `espeak-ng`), in many voices."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import soundfile
import torch
import torchaudio

from audio.io import RATE

ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029", "en-us")
VARIANTS = (
    *("", "", "", "+f1", "+f2", "+f3", "+f4", "+f5", "+m1", "+m2", "+m3", "+m4", "+m5", "+m6"),
    *("+m7", "+klatt", "+klatt2", "+klatt3", "+klatt4", "+Annie", "+Andy", "+Alex", "+belinda"),
)


@dataclass(frozen=True)
class Voice:
    """How something is read.

    Args:
        name: eSpeak's voice and variant.
        speed: words a minute.
        pitch: 0 to 99.
    """

    name: str = "en-us"
    speed: int = 155
    pitch: int = 50


def any_voice(draw: random.Random) -> Voice:
    """Some voice."""
    name = draw.choice(ACCENTS) + draw.choice(VARIANTS)
    return Voice(name, draw.randint(110, 200), draw.randint(25, 80))


def read_aloud(text: str, voice: Voice = Voice()) -> np.ndarray:
    """A sentence as float32 samples `[T]` at 16 kHz.

    Raises:
        FileNotFoundError: espeak-ng is not installed.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise FileNotFoundError("espeak-ng is not installed: apt-get install espeak-ng")
    given = [program, "-v", voice.name, "-s", str(voice.speed), "-p", str(voice.pitch)]
    wave = subprocess.run([*given, "--stdout", text], capture_output=True, check=True).stdout
    samples, rate = soundfile.read(io.BytesIO(wave), dtype="float32")
    resampled = torchaudio.functional.resample(torch.from_numpy(samples), rate, RATE)
    return np.asarray(resampled.numpy(), np.float32)


def all_aloud(texts: Sequence[str], voices: Sequence[Voice], workers: int = 2) -> list[np.ndarray]:
    """Many sentences, each by its voice."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(read_aloud, texts, voices))


def disturbed(samples: np.ndarray, draw: random.Random) -> np.ndarray:
    """A recording of it: another pitch and pace (by resampling), another colour of sound, noise."""
    sound = torch.from_numpy(samples)
    rate = draw.choice([0.85, 0.9, 0.95, 1.0, 1.0, 1.05, 1.1, 1.18])
    sound = torchaudio.functional.resample(sound, RATE, round(RATE / rate / 100) * 100)
    sound = torchaudio.functional.equalizer_biquad(
        sound, RATE, draw.uniform(300, 4000), draw.uniform(-9, 9), 0.7
    )
    level = float(sound.square().mean().sqrt()) + 1e-5
    noise = torch.randn(len(sound), generator=torch.Generator().manual_seed(draw.randrange(2**31)))
    if draw.random() < 0.5:  # softer towards high notes, as rooms and streets are
        noise = torchaudio.functional.lowpass_biquad(noise, RATE, draw.uniform(500, 3000)) * 2
    decibels = draw.uniform(8, 40)
    return (sound + noise * level * 10 ** (-decibels / 20)).numpy()
