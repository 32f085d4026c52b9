"""Wav2CLIP (Wu et al. 2022): sounds into the space of CLIP ViT-B/32, from the public checkpoint.

Spectrogram (n_fft 512, hop 353) -> log -> standardisation -> ResNet18 -> two-layer perceptron.
The original standardises over the whole batch, so a clip's vector depends on its neighbours;
`standardise="batch"` reproduces that, the default treats every clip alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from audio.resnet import ResNet18

RATE, N_FFT, HOP, DIM = 16000, 512, 353, 512


def spectrogram(samples: Tensor, window: Tensor) -> Tensor:
    """ln(power + 1e-7) of samples `[B, T]` at 16 kHz: `[B, 1, 257, F]`."""
    bins = torch.stft(
        samples, N_FFT, HOP, N_FFT, window, center=True, pad_mode="reflect", return_complex=True
    )
    return torch.log(bins.abs().square() + 1e-7)[:, None]


class Wav2Clip(nn.Module):
    """The published network; keys `audio_encoder.*` and `audio_transform.sequential.{0,3}`."""

    def __init__(self) -> None:
        super().__init__()
        self.audio_encoder = ResNet18(1)
        self.audio_encoder.spectrogram = nn.Module()
        self.audio_encoder.spectrogram.register_buffer("window", torch.hann_window(N_FFT))
        self.audio_transform = nn.Module()
        self.audio_transform.sequential = nn.Sequential(
            nn.Linear(512, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, DIM)
        )

    def features(self, samples: Tensor) -> Tensor:
        """log spectrogram of `[B, T]`, not standardised: `[B, 1, 257, F]`."""
        return spectrogram(samples, self.get_buffer("audio_encoder.spectrogram.window"))

    def encode(self, samples: Tensor, standardise: Literal["clip", "batch"] = "clip") -> Tensor:
        """ResNet features `[B, 512]` of samples `[B, T]`, before the perceptron."""
        x = self.features(samples)
        axes = None if standardise == "batch" else (1, 2, 3)
        mean, deviation = x.mean(dim=axes, keepdim=True), x.std(dim=axes, keepdim=True)
        return self.audio_encoder((x - mean) / deviation.clamp(min=1e-9))

    def forward(self, samples: Tensor, standardise: Literal["clip", "batch"] = "clip") -> Tensor:
        """Vectors `[B, 512]` (not of unit length) of samples `[B, T]` at 16 kHz."""
        return self.audio_transform.sequential(self.encode(samples, standardise))  # type: ignore[operator]

    @torch.no_grad()
    def hear(self, samples: Tensor) -> Tensor:
        """Unit `[B, 512]` of sounds `[B, T]` at 16 kHz, each clip alone."""
        samples = samples.to(self.audio_encoder.conv1.weight.device)
        if samples.shape[-1] < N_FFT:
            samples = nn.functional.pad(samples, (0, N_FFT - samples.shape[-1]))
        return nn.functional.normalize(self(samples), dim=-1)


def load_wav2clip(state: Mapping[str, Tensor]) -> Wav2Clip:
    """The network with the tensors of `Wav2CLIP.pt`.

    Raises:
        ValueError: keys or shapes of another network.
    """
    net = Wav2Clip()
    tensors = dict(state)
    tensors.setdefault("audio_encoder.spectrogram.window", torch.hann_window(N_FFT))
    _drop_head(tensors, set(net.state_dict()))
    try:
        net.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"not a Wav2CLIP checkpoint: {error}") from error
    return net.eval().requires_grad_(False)


def _drop_head(tensors: dict[str, Tensor], known: set[str]) -> None:
    """Training leftovers beside the two networks (image towers, loss scales) are not needed."""
    for key in list(tensors):
        if key not in known and not key.startswith(("audio_encoder.", "audio_transform.")):
            del tensors[key]
