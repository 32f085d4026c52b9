"""Noise taken off speech: a Wiener filter whose idea of the noise comes from the quietest moments.

The signal-to-noise ratio of every bin is smoothed over time by the decision-directed rule (Ephraim
and Malah 1984, equation 51), so that what is left of the noise does not twitter.
"""

from __future__ import annotations

import numpy as np
import torch

from audio.io import RATE

WINDOW, HOP, BINS = 400, 100, 512
QUIET = 0.15
"""Share of the frames that are taken for noise alone: the quietest."""

OVER = 1.5
"""What their power is multiplied by: the loud moments of a noise are louder than its mean."""

SMOOTH = 0.92
"""Weight of the frame before in a bin's signal-to-noise ratio."""

FLOOR = 0.15
"""The least that is left of a bin."""

RUMBLE = 90.0
"""Hz up to which nothing of a voice is lost."""


def signal_to_noise(samples: np.ndarray) -> float:
    """How far speech `[T]` at 16 kHz is above its quietest moments, in decibels; 100 at most, and
    where it is shorter than a window."""
    if len(samples) < WINDOW:
        return 100.0
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    power = np.sort((frames.astype(np.float64) ** 2).mean(axis=1))
    noise = power[: max(3, round(len(power) * QUIET))].mean()
    return float(10 * np.log10(min((power.mean() + 1e-20) / (noise + 1e-20), 1e10)))


def denoised(samples: np.ndarray) -> np.ndarray:
    """Speech `[T]` at 16 kHz with steady noise taken off, as float32 `[T]`.

    Sounds shorter than a window are returned as they are.
    """
    if len(samples) < WINDOW:
        return samples
    sound = torch.from_numpy(np.ascontiguousarray(samples, np.float32))
    window = torch.hann_window(WINDOW).sqrt()
    around = (BINS, HOP, WINDOW, window)
    spectrum = torch.stft(sound, *around, return_complex=True)
    gains = _gains(spectrum.abs().square())
    gains[torch.fft.rfftfreq(BINS, 1 / RATE) <= RUMBLE] = 0.0
    out: np.ndarray = torch.istft(spectrum * gains, *around, length=len(samples)).numpy()
    return out


def _gains(power: torch.Tensor) -> torch.Tensor:
    """What is left of every bin, `[F, T]` to `[F, T]`."""
    frames = power.shape[1]
    quietest = power.sum(dim=0).argsort()[: max(3, round(frames * QUIET))]
    noise = power[:, quietest].mean(dim=1) * OVER + 1e-12
    ratios = power / noise[:, None]
    gains, before = torch.ones_like(power), torch.zeros_like(noise)
    for frame in range(frames):
        now = (ratios[:, frame] - 1).clamp(min=0)
        expected = SMOOTH * before + (1 - SMOOTH) * now if frame else now
        gains[:, frame] = (expected / (1 + expected)).clamp(min=FLOOR)
        before = gains[:, frame].square() * ratios[:, frame]
    return gains
