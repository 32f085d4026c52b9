"""YAMNet as a teacher: log-mel patches in, AudioSet scores and embeddings out.

Runs the TFLite file by `ai-edge-litert` (needed by this recipe only). Features follow the file's
description: 25 ms periodic Hann, 10 ms hop, FFT 512, magnitude, 64 HTK-mel bands 125-7500 Hz,
ln(mel + 0.001), patches of 96 frames.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

FRAME, HOP, FFT, MELS, PATCH = 400, 160, 512, 64, 96
PATCH_SAMPLES = (PATCH - 1) * HOP + FRAME


@lru_cache(maxsize=1)
def mel_bands() -> np.ndarray:
    """Triangles drawn on the mel axis `[257, 64]`, the DC bin silent."""

    def mel(hertz: np.ndarray) -> np.ndarray:
        return 1127.0 * np.log1p(hertz / 700.0)

    bins = mel(np.linspace(0.0, 8000.0, FFT // 2 + 1))[:, None]
    edges = np.linspace(mel(np.array(125.0)), mel(np.array(7500.0)), MELS + 2)
    low, mid, high = edges[:-2], edges[1:-1], edges[2:]
    bands = np.maximum(0.0, np.minimum((bins - low) / (mid - low), (high - bins) / (high - mid)))
    bands[0] = 0.0
    return bands.astype(np.float32)


def patches(samples: np.ndarray, hop: int = PATCH // 2) -> np.ndarray:
    """Input patches `[N, 96, 64]` of a 16 kHz sound in [-1, 1], `hop` frames apart."""
    if len(samples) < PATCH_SAMPLES:
        samples = np.pad(samples, (0, PATCH_SAMPLES - len(samples)))
    count = 1 + (len(samples) - FRAME) // HOP
    windows = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP][:count]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    spectrum = np.abs(np.fft.rfft(windows * hann.astype(np.float32), FFT)).astype(np.float32)
    mel = np.log(spectrum @ mel_bands() + 0.001)
    starts = range(0, count - PATCH + 1, hop)
    return np.stack([mel[start : start + PATCH] for start in starts]).astype(np.float32)


@dataclass(frozen=True)
class Heard:
    """What the teacher hears in each patch: scores `[N, 521]`, embeddings `[N, 1024]`."""

    scores: np.ndarray
    embeddings: np.ndarray


class Yamnet:
    """The teacher behind one call."""

    def __init__(self, folder: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        path = folder / "yamnet_spectra_in.tflite"
        if not path.is_file():
            raise FileNotFoundError(f"no teacher at {path}")
        self._net = Interpreter(str(path), num_threads=1, experimental_preserve_all_tensors=True)
        self._net.allocate_tensors()
        self._input = self._net.get_input_details()[0]["index"]
        self._output = self._net.get_output_details()[0]["index"]
        mean = next(
            t for t in self._net.get_tensor_details() if t["name"].endswith("layer28/reduce_mean")
        )
        self._mean, (self._scale, self._zero) = mean["index"], mean["quantization"]
        with (folder / "yamnet_class_map.csv").open(encoding="utf-8") as file:
            self.names = [row["display_name"] for row in csv.DictReader(file)]

    def __call__(self, samples: np.ndarray, hop: int = PATCH // 2) -> Heard:
        """Scores and embeddings of a 16 kHz sound; its peak is set to 0.8 first."""
        level = max(float(np.abs(samples).max()), 1e-6)
        scores, embeddings = [], []
        for patch in patches(samples.astype(np.float32) * (0.8 / level), hop):
            self._net.set_tensor(self._input, patch[None])
            self._net.invoke()
            scores.append(self._net.get_tensor(self._output)[0].copy())
            raw = self._net.get_tensor(self._mean).reshape(-1).astype(np.float32)
            embeddings.append((raw - self._zero) * self._scale)
        return Heard(np.stack(scores), np.stack(embeddings))
