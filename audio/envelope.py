"""A sound over time: what is heard and how loud it is, for every frame of a video.

Content drives the direction of an edit, loudness its strength.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from audio.io import Sound, loudness

WINDOW_S, HOP_S, SMOOTH_S = 1.5, 0.25, 0.3
RANGE_DB = 40.0
ATTACK_S, RELEASE_S = 0.04, 0.18
PAUSE_DB, OVER_PAUSE_DB, LEAST_DB = 18.0, 6.0, 15.0
"""A tenth of a clip that is so much quieter than its loudest moment is a pause; what is within
`OVER_PAUSE_DB` of it is silent; the range heard is `LEAST_DB` at least."""
DRIFT_S = 0.2
FACELESS, SURELY = 0.4, 0.6
"""Shares of what a face makes: at the first a moment moves nothing, at the second it moves all."""

FAINT = 0.1
"""Loudness, relative to all that is heard, that the loudest moment with a face must have."""


@dataclass(frozen=True)
class SoundTrack:
    """A sound frame by frame.

    Args:
        embeddings: unit vectors `[F, E]`.
        loudness: `[F]` in [0, 1], 1 at the loudest moment.
        fps: frames a second; frame k stands for the moment k / fps.
    """

    embeddings: Tensor
    loudness: Tensor
    fps: float

    def __len__(self) -> int:
        return len(self.loudness)


def frame_loudness(sound: Sound, fps: float) -> Tensor:
    """Loudness `[F]` in [0, 1]: decibels over 40 dB, quick to rise and slow to fall."""
    step = 1.0 / fps
    count = max(1, round(sound.seconds * fps))
    fine = loudness(_about_zero(sound), sound.rate // 100)
    times = (np.arange(len(fine)) + 0.5) / 100
    level = 20 * np.log10(np.maximum(fine / max(fine.max(), 1e-9), 1e-6))
    level = np.clip(1 - level / _silence(level), 0, 1)
    at = np.interp((np.arange(count) + 0.5) * step, times, level)
    rise, fall = np.exp(-step / ATTACK_S), np.exp(-step / RELEASE_S)
    out, state = np.empty(count), float(at[0])
    for index, value in enumerate(at):
        keep = rise if value > state else fall
        state = keep * state + (1 - keep) * value
        out[index] = state
    return torch.from_numpy((out / max(out.max(), 1e-6)).astype(np.float32))


def _silence(level: np.ndarray) -> float:
    """The decibels under the loudest moment, negative, from which on a sound is silent: 40, or
    what its own pauses hold (hiss, hum) where they are quiet beside it."""
    pause = float(np.percentile(level, 10))
    return (
        float(np.clip(pause + OVER_PAUSE_DB, -RANGE_DB, -LEAST_DB))
        if pause < -PAUSE_DB
        else -RANGE_DB
    )


def _about_zero(sound: Sound) -> np.ndarray:
    """The samples without what moves slower than anything heard: a recorder's drifting offset."""
    samples = sound.samples.astype(np.float64)
    half = max(1, round(sound.rate * DRIFT_S / 2))
    sums = np.concatenate([[0.0], np.cumsum(samples)])
    at = np.arange(len(samples))
    first, last = np.maximum(at - half, 0), np.minimum(at + half + 1, len(samples))
    return samples - (sums[last] - sums[first]) / (last - first)


def sound_track(
    embed: Callable[[Tensor], Tensor],
    sound: Sound,
    fps: float = 25.0,
    window_s: float = WINDOW_S,
    hop_s: float = HOP_S,
    smooth_s: float = SMOOTH_S,
) -> SoundTrack:
    """Sliding-window embeddings and loudness per video frame.

    Args:
        embed: sounds `[B, T]` at 16 kHz to unit vectors `[B, E]`.
        sound: not trimmed, so that its time is the video's.
        fps: frames a second, in (0, 120].
        window_s, hop_s: length and distance of the windows.
        smooth_s: standard deviation of the smoothing; quiet moments count less than loud ones, so
            a pause keeps the meaning of what surrounds it.

    Raises:
        ValueError: a frame rate out of range, a window or hop that is not positive.
    """
    if not 0 < fps <= 120:
        raise ValueError(f"frame rate {fps} is not in (0, 120]")
    if not (window_s > 0 and hop_s > 0 and smooth_s > 0):
        raise ValueError(f"window {window_s}, hop {hop_s} and smooth {smooth_s} must be positive")
    level = frame_loudness(sound, fps)
    centres = torch.arange(0.0, max(sound.seconds, hop_s), hop_s) + hop_s / 2
    windows = _windows(sound, centres, window_s)
    heard = torch.cat([embed(part) for part in windows.split(16)]).float()
    power = windows.square().mean(dim=1).sqrt()
    weight = (power / power.max().clamp(min=1e-9)).clamp(min=1e-3).to(heard.device)
    times = ((torch.arange(len(level)) + 0.5) / fps).to(heard.device)
    near = torch.exp(-0.5 * ((times[:, None] - centres.to(heard.device)) / smooth_s) ** 2)
    mixed = ((near + 1e-9) * weight) @ heard
    return SoundTrack(F.normalize(mixed, dim=-1), level, fps)


def moments_track(
    embeddings: Tensor,
    faces: Tensor,
    sound: Sound,
    hop_s: float,
    fps: float = 25.0,
    smooth_s: float = SMOOTH_S,
) -> SoundTrack:
    """As `sound_track`, from moments that were heard already; what no face makes is as silence.

    Args:
        embeddings: unit vectors of the moments `[N, E]`; moment k is at k times `hop_s`.
        faces: share `[N]` of what a face makes, in [0, 1].
        sound: not trimmed.
        hop_s: seconds between moments.
        fps: frames a second, in (0, 120].
        smooth_s: standard deviation of the smoothing; moments without a face count little.

    Raises:
        ValueError: a frame rate out of range.
    """
    if not 0 < fps <= 120:
        raise ValueError(f"frame rate {fps} is not in (0, 120]")
    level = frame_loudness(sound, fps).to(embeddings.device)
    times = (torch.arange(len(level), device=embeddings.device) + 0.5) / fps
    moments = torch.arange(len(embeddings), device=embeddings.device) * hop_s
    near = torch.exp(-0.5 * ((times[:, None] - moments) / smooth_s) ** 2) + 1e-9
    weight = near * faces.clamp(min=1e-3)
    mixed = F.normalize(weight @ embeddings.float(), dim=-1)
    made = (near @ faces) / near.sum(dim=1)
    level = level * ((made - FACELESS) / (SURELY - FACELESS)).clamp(0, 1)
    highest = float(level.max())
    return SoundTrack(mixed, level / highest if highest > FAINT else level * 0.0, fps)


def _windows(sound: Sound, centres: Tensor, window_s: float) -> Tensor:
    """`[N, T]`: the sound around each centre, silence beyond its ends."""
    size = int(window_s * sound.rate)
    padded = F.pad(torch.from_numpy(sound.samples), (size, size))
    starts = (centres * sound.rate).long() + size - size // 2
    return torch.stack([padded[s : s + size] for s in starts.clamp(0, len(padded) - size)])
