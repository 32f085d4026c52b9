"""What the sound encoder sees: a log-mel spectrogram, normalised clip by clip.

Every clip is divided by its own root-mean-square level, so a clip's features never depend on its
gain or on what else is in the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
import torchaudio
from torch import Tensor


@dataclass(frozen=True)
class FeatureConfig:
    """Geometry of the spectrogram.

    Args:
        rate: samples per second of the input.
        window: samples under one analysis window (25 ms).
        hop: samples between frames (10 ms).
        n_fft: points of the transform.
        mels: mel bands.
        low, high: edges of the mel bands in Hz.
        floor: smallest level heard, relative to the clip's root-mean-square level.
        scale: the logarithm is divided by this, which gives values of about unit size.
    """

    rate: int = 16000
    window: int = 400
    hop: int = 160
    n_fft: int = 512
    mels: int = 64
    low: float = 60.0
    high: float = 7600.0
    floor: float = 1e-3
    scale: float = 3.0

    def frames(self, seconds: float) -> int:
        """Frames of so many seconds of sound."""
        return 1 + int(seconds * self.rate) // self.hop


@lru_cache(maxsize=4)
def _bands(config: FeatureConfig) -> Tensor:
    """Triangular HTK-mel bands `[n_fft // 2 + 1, mels]`."""
    return torchaudio.functional.melscale_fbanks(
        config.n_fft // 2 + 1, config.low, config.high, config.mels, config.rate, mel_scale="htk"
    )


def magnitudes(samples: Tensor, config: FeatureConfig | None = None) -> Tensor:
    """Mel magnitudes of samples `[B, T]`: `[B, F, M]`, linear, on the samples' device."""
    config = config or FeatureConfig()
    spectrum = torch.stft(
        samples.float(),
        config.n_fft,
        config.hop,
        config.window,
        torch.hann_window(config.window, device=samples.device),
        center=True,
        pad_mode="constant",
        return_complex=True,
    ).abs()
    return spectrum.transpose(1, 2) @ _bands(config).to(samples.device)


def log_mel(samples: Tensor, config: FeatureConfig | None = None) -> Tensor:
    """Normalised log-mel features of sounds.

    Args:
        samples: `[B, T]` or `[T]` at `config.rate`, any level.
        config: geometry; the default is what the bundled encoder was trained on.

    Returns:
        `[B, 1, F, M]`: ln(mel / rms + floor) / scale + 1, with rms over the clip's own mel
        magnitudes. Digital silence gives a constant plane. Multiplying a clip by a positive
        number changes nothing.

    Raises:
        ValueError: samples of another shape, or none.
    """
    config = config or FeatureConfig()
    if samples.ndim == 1:
        samples = samples[None]
    if samples.ndim != 2 or samples.shape[1] == 0:
        raise ValueError(f"samples must be [B, T] with T > 0, got {list(samples.shape)}")
    peak = samples.float().abs().amax(dim=1, keepdim=True).clamp(min=1e-9)
    mel = magnitudes(samples.float() / peak, config)
    level = mel.square().mean(dim=(1, 2), keepdim=True).sqrt().clamp(min=1e-6)
    return (torch.log(mel / level + config.floor) / config.scale + 1.0)[:, None]
