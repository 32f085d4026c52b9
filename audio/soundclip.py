"""The sound encoder of "Sound-Guided Semantic Image Manipulation" (Lee et al., CVPR 2022).

Its preprocessing is kept as published, oddities included, because the weights were trained on it:
the mel picture [128 mels, 864 frames] is resized to 512 rows by 128 columns and then reshaped (not
transposed) to [128, 512].
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional as F

from audio.resnet import ResNet18

RATE, N_FFT, HOP, MELS, FRAMES, DIM = 44100, 2048, 512, 128, 864, 512


def mel_power(samples: Tensor) -> Tensor:
    """Slaney mel power of samples `[T]` at 44.1 kHz: `[128, F]`."""
    window = torch.hann_window(N_FFT, dtype=torch.float64)
    bins = torch.stft(
        samples.double(), N_FFT, HOP, N_FFT, window, center=True, pad_mode="constant",
        return_complex=True,
    )  # fmt: skip
    bands = torchaudio.functional.melscale_fbanks(
        N_FFT // 2 + 1, 0.0, RATE / 2, MELS, RATE, norm="slaney", mel_scale="slaney"
    )
    return bands.T.double() @ bins.abs().square()


def decibels(mel: Tensor) -> Tensor:
    """Level under the loudest place, 80 dB deep, scaled to [0, 1]."""
    level = 10 * torch.log10(mel.clamp(min=1e-10))
    level = level - 10 * torch.log10(mel.max().clamp(min=1e-10))
    return level.clamp(min=-80.0) / 80 + 1


def prepare(samples: Tensor, start: int | None = None) -> Tensor:
    """What the network sees of samples `[T]` at 44.1 kHz: `[1, 1, 128, 512]`.

    Args:
        samples: `[T]`.
        start: first of the 864 frames kept of a longer sound (the original draws it at random);
            the middle when None.
    """
    level = decibels(mel_power(samples))
    count = level.shape[1]
    if count < FRAMES:
        level = F.pad(level, (0, FRAMES - count))
    else:
        start = (count - FRAMES) // 2 if start is None else min(max(start, 0), count - FRAMES)
        level = level[:, start : start + FRAMES]
    resized = F.interpolate(level[None, None], (512, 128), mode="bilinear", align_corners=False)
    return resized.reshape(1, 1, 128, 512).float()


class SoundClip(nn.Module):
    """`conv` 1 -> 3 channels, then ResNet18; keys `conv.*` and `feature_extractor.*`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.feature_extractor = ResNet18(3, DIM)

    def forward(self, features: Tensor) -> Tensor:
        """`[B, 1, 128, 512]` of `prepare` -> `[B, 512]`, not of unit length."""
        return self.feature_extractor(self.conv(features))

    @torch.no_grad()
    def hear(self, samples: Tensor) -> Tensor:
        """Unit `[B, 512]` of sounds `[B, T]` at 16 kHz."""
        wide = torchaudio.functional.resample(samples.cpu(), 160, 441)
        features = torch.cat([prepare(row) for row in wide])
        return F.normalize(self(features.to(self.conv.weight.device)), dim=-1)


def load_soundclip(state: Mapping[str, Tensor]) -> SoundClip:
    """The network with the tensors of `resnet18_57.pth` (a `module.` prefix is taken off).

    Raises:
        ValueError: keys or shapes of another network.
    """
    net = SoundClip()
    try:
        net.load_state_dict({key.removeprefix("module."): value for key, value in state.items()})
    except RuntimeError as error:
        raise ValueError(f"not a sound-guided checkpoint: {error}") from error
    return net.eval().requires_grad_(False)
