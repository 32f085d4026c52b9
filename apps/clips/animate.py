"""A face that moves: each frame is `latent + sum_k weight[t, k] * offset_k`, drawn in batches.

A `Timeline` holds a few offsets (key moments of a sound, prompts) and what each weighs in every
frame, so a minute of sound costs a few edits and one synthesis a frame.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from guidance.common import draw, styles_of
from multimodal.files.weights import atomic
from multimodal.meant import Meant
from multimodal.types import Generator, Latent, Offset

MAX_SECONDS = 120.0
FADE_SECONDS = 0.4

OnFrames = Callable[[int, int], None]
"""Called with (frames done, frames planned)."""


@dataclass(frozen=True)
class Timeline:
    """What each offset weighs in each frame.

    Args:
        offsets: the K changes that play a part.
        weights: strengths, `[T, K]`.
        fps: frames a second.
    """

    offsets: tuple[Offset, ...]
    weights: Tensor
    fps: float

    def __post_init__(self) -> None:
        shape = tuple(self.weights.shape)
        if self.weights.ndim != 2 or shape[1] != len(self.offsets) or not shape[0]:
            raise ValueError(f"weights {shape} do not fit {len(self.offsets)} offsets")
        if not bool(torch.isfinite(self.weights).all()):
            raise ValueError("the weights of the frames hold values that are not finite")

    def meant(self, frame: int) -> tuple[Meant, ...]:
        """What the words of a frame's offsets say."""
        shares = zip(self.offsets, self.weights[frame].tolist(), strict=True)
        return tuple(one for offset, share in shares for one in offset.scaled(share).meant)

    def __len__(self) -> int:
        return self.weights.shape[0]


def frame_count(seconds: float, fps: float) -> int:
    """How many frames a clip of that duration has.

    Raises:
        ValueError: longer than two minutes, or a frame rate out of (0, 120].
    """
    if not 0 < fps <= 120:
        raise ValueError(f"frame rate {fps} is not in (0, 120]")
    if not 0 < seconds <= MAX_SECONDS:
        raise ValueError(f"{seconds:.1f} s is not in (0, {MAX_SECONDS:g}] seconds")
    return max(1, round(seconds * fps))


def crossfade(
    spans: Sequence[tuple[float, float]], frames: int, fps: float, fade: float = FADE_SECONDS
) -> Tensor:
    """Weights `[T, K]` that rise to 1 in each span (seconds) and fall after it, in `fade` s."""
    times = torch.arange(frames, dtype=torch.float64)[:, None] / fps
    starts, ends = (torch.tensor(side, dtype=torch.float64) for side in zip(*spans, strict=True))
    up = (times - starts) / fade + 1
    down = (ends - times) / fade + 1
    ramp = torch.minimum(up, down).clamp(0, 1)
    return (ramp * ramp * (3 - 2 * ramp)).float()


def key_weights(frames: int, keys: int) -> Tensor:
    """Linear interpolation `[T, K]` between keys spread evenly from first frame to last."""
    if keys == 1:
        return torch.ones(frames, 1)
    place = torch.linspace(0, keys - 1, frames)[:, None]
    return (1 - (place - torch.arange(keys)).abs()).clamp(min=0)


def frames_of(
    generator: Generator,
    latent: Latent,
    timeline: Timeline,
    batch: int = 8,
    cache: Path | None = None,
    on_frames: OnFrames | None = None,
) -> Iterator[np.ndarray]:
    """The frames, one after the other, `[H, W, 3]` uint8.

    Args:
        generator: draws them.
        latent: the face at rest, batch 1.
        timeline: what moves it.
        batch: frames drawn at a time.
        cache: folder where drawn frames are kept, so that an interrupted clip goes on; it belongs
            to one latent, timeline and batch (see `cache_key`).
        on_frames: progress.
    """
    total = len(timeline)
    for start in range(0, total, batch):
        stop = min(start + batch, total)
        make = partial(draw_frames, generator, latent, timeline, start, stop)
        yield from _cached(cache, f"{start:06}-{stop:06}", make)
        if on_frames is not None:
            on_frames(stop, total)


@torch.no_grad()
def draw_frames(
    generator: Generator, latent: Latent, timeline: Timeline, start: int, stop: int
) -> np.ndarray:
    """Frames `start` to `stop` `[B, H, W, 3]` uint8."""
    weights = timeline.weights[start:stop].to(latent.w)
    moved = Latent(
        _moved_w(latent.w, timeline.offsets, weights),
        _moved_styles(generator, latent, timeline.offsets, weights),
        latent.noise,
    )
    pixels = (draw(generator, moved).float().clamp(-1, 1) + 1) * 127.5
    return pixels.round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def cache_key(*parts: object) -> str:
    """A short name for the frames that follow from these tensors and values."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            digest.update(part.detach().float().cpu().numpy().tobytes())
        else:
            digest.update(repr(part).encode())
        digest.update(b"|")
    return digest.hexdigest()[:16]


def timeline_key(latent: Latent, timeline: Timeline) -> str:
    """The cache key of a clip: its latent, offsets, weights and rate."""
    tensors: list[object] = [latent.w, *(latent.styles or ()), *(latent.noise or ())]
    for offset in timeline.offsets:
        tensors += [offset.w, *(offset.styles or ())]
    return cache_key(*tensors, timeline.weights, timeline.fps)


def clear_caches(clip: Path) -> None:
    """Remove the frames kept for a finished clip, those of other settings too, and what runs that
    were killed had written of it under a temporary name."""
    stem, suffix = re.escape(clip.stem), re.escape(clip.suffix)
    kept = re.compile(rf"\.{stem}\.[0-9a-f]+\.frames")
    unfinished = re.compile(rf"\.{re.escape(clip.stem[:40])}-[a-z0-9_]{{8}}{suffix}")
    for path in clip.parent.iterdir():
        if kept.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)
        elif unfinished.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def pictures(frames: Iterator[np.ndarray]) -> Iterator[Image.Image]:
    """Frames as PIL images."""
    return (Image.fromarray(frame) for frame in frames)


def _moved_w(w: Tensor, offsets: Sequence[Offset], weights: Tensor) -> Tensor:
    """`[T, L, D]`: W+ moved by every offset that lives there."""
    moved = w.expand(len(weights), -1, -1)
    for index, offset in enumerate(offsets):
        if offset.w is not None:
            moved = moved + weights[:, index, None, None] * offset.w.to(w)
    return moved


def _moved_styles(
    generator: Generator, latent: Latent, offsets: Sequence[Offset], weights: Tensor
) -> tuple[Tensor, ...] | None:
    """S codes `[T, C_i]`, where the latent or an offset lives in S; W+ parts carry over exactly."""
    if latent.styles is None and all(offset.styles is None for offset in offsets):
        return None
    rest = styles_of(generator, latent)
    if latent.styles is None:
        moved = list(generator.styles(_moved_w(latent.w, offsets, weights)))
    else:
        zero = generator.styles(latent.w)
        shifted = generator.styles(_moved_w(latent.w, offsets, weights))
        moved = [r + s - z for r, s, z in zip(rest, shifted, zero, strict=True)]
    for index, offset in enumerate(offsets):
        if offset.styles is not None:
            share = weights[:, index, None]
            moved = [m + share * s.to(m) for m, s in zip(moved, offset.styles, strict=True)]
    return tuple(moved)


def _cached(cache: Path | None, name: str, make: Callable[[], np.ndarray]) -> np.ndarray:
    if cache is None:
        return make()
    path = cache / f"{name}.npz"
    block = _kept(path)
    if block is None:
        block = make()
        with atomic(path) as part:
            np.savez(part, frames=block)
    return block


def _kept(path: Path) -> np.ndarray | None:
    """Frames drawn before; None where there are none, or what is there is damaged."""
    try:
        with np.load(path, allow_pickle=False) as found:
            frames = found["frames"]  # the archive holds a checksum of them
    except (OSError, EOFError, KeyError, ValueError, MemoryError, TypeError, AttributeError):
        return None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError):
        return None
    whole = frames.dtype == np.uint8 and frames.ndim == 4 and frames.shape[-1] == 3
    return frames if whole else None
