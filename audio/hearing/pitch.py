"""The pitch of a voice: how low, how high, how lively.

Normalised autocorrelation of short frames (Boersma 1993: divided by the window's own), on any
device.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

RATE, FRAME, HOP, FFT = 16000, 640, 320, 2048
LOWEST, HIGHEST = 75.0, 500.0
VOICED = 0.55
"""Autocorrelation from which a frame counts as voiced."""

QUIET = 0.05
"""Frames under this share of the loudest frame's level are not asked."""

FIGURES = 8


def frame_pitch(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Pitch in Hz and how voiced each frame of 40 ms is, every 20 ms.

    Args:
        samples: `[B, T]` at 16 kHz.

    Returns:
        Two `[B, N]`: Hz in [75, 500], and the height of the autocorrelation's peak, at most 1; 0
        where it is quiet.
    """
    samples = F.pad(samples.float(), (0, max(0, FRAME - samples.shape[1])))
    window = torch.hann_window(FRAME, device=samples.device)
    frames = samples.unfold(1, FRAME, HOP)
    level = frames.square().mean(dim=2).sqrt()
    frames = (frames - frames.mean(dim=2, keepdim=True)) * window
    own = torch.fft.irfft(torch.fft.rfft(window, FFT).abs().square())
    power = torch.fft.irfft(torch.fft.rfft(frames, FFT).abs().square())
    first, last = int(RATE / HIGHEST), int(RATE / LOWEST)
    like = power / power[..., :1].clamp(min=1e-12) / (own / own[0])
    like = like[..., first : last + 1]
    # Among peaks almost as high, the shortest period: its multiples are as like.
    lags = torch.arange(first, last + 1, device=samples.device)
    high, place = (like - 0.02 * torch.log2(lags / first)).max(dim=2)
    loud = level > QUIET * level.amax(dim=1, keepdim=True)
    return RATE / (place + first).float(), torch.where(loud, high.clamp(0, 1), 0.0)


def pitch_figures(samples: Tensor) -> Tensor:
    """A voice in eight numbers `[B, 8]`, of samples `[B, T]`.

    Quantiles (0.1, 0.25, 0.5, 0.75, 0.9) and deviation of log2(pitch / 150 Hz) over the voiced
    frames, their share, and how voiced they are.
    """
    pitch, voiced = frame_pitch(samples)
    out = []
    for own, sure in zip(torch.log2(pitch / 150), voiced, strict=True):
        kept = own[sure > VOICED]
        if len(kept) < 3:
            out.append(samples.new_zeros(FIGURES))
            continue
        levels = kept.new_tensor([0.1, 0.25, 0.5, 0.75, 0.9])
        share = kept.new_tensor([len(kept) / len(own), float(sure[sure > VOICED].mean())])
        out.append(torch.cat([kept.quantile(levels), kept.std()[None], share]))
    return torch.stack(out)
