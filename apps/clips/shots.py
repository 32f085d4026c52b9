"""A face through one shot of a film: which of its frames are planned, and its code in each."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from multimodal.faces.align import FaceTransform
from multimodal.faces.tracking import Track, smoothed
from multimodal.types import Offset

CODE_SECONDS = 2.0
"""Between two frames that are inverted, at least."""
KEY_SECONDS = 2.0
"""Between two frames that are planned, at most."""
LEAST_FRAMES = 4
"""Frames between two that are planned, at least."""
MOVED = 0.045
"""How far a point of the face may move in its crop, in parts of the side, before a frame is
planned anew: by what turns the head or opens the mouth, not by what moves the whole."""
INNER = slice(17, 68)
"""The points within the face; those of the jaw tremble."""


@dataclass(frozen=True, eq=False)
class Shot:
    """An edited track.

    Args:
        track: the face.
        places: where its crop lies in every frame.
        keys: frames of the film that are planned, its first and last among them.
        coded: frames of the film that were inverted.
        codes: their codes `[K, L, D]`.
        offset: the change.
        strength: how far it goes.
    """

    track: Track
    places: list[FaceTransform]
    keys: list[int]
    coded: list[int]
    codes: Tensor
    offset: Offset
    strength: float

    def shows(self, number: int) -> bool:
        """Is the face in this frame of the film?"""
        return self.track.start <= number < self.track.stop

    def place(self, number: int) -> FaceTransform:
        """Where its crop lies in a frame of the film."""
        return self.places[number - self.track.start]

    def code(self, number: int) -> Tensor:
        """The code `[1, L, D]` in a frame of the film."""
        at = float(np.interp(number, self.coded, np.arange(len(self.coded))))
        low = int(at)
        high = min(low + 1, len(self.coded) - 1)
        return torch.lerp(self.codes[low], self.codes[high], at - low)[None]

    def about(self, number: int) -> tuple[int, int, float]:
        """The planned frames before and after a frame, and how far it lies towards the second."""
        high = min(bisect_left(self.keys, number), len(self.keys) - 1)
        second = self.keys[high]
        first = second if second == number else self.keys[max(high - 1, 0)]
        return first, second, (number - first) / max(second - first, 1)


def chosen_keys(
    track: Track, places: Sequence[FaceTransform], rate: float, most: int, forced: Sequence[int]
) -> list[int]:
    """Which frames of a track are planned.

    Args:
        track: the face.
        places: where its crop lies in every frame.
        rate: frames a second.
        most: frames between two, at most.
        forced: frames that must be.
    """
    apart = max(1, min(most, round(KEY_SECONDS * rate)))
    units = _in_crop(track, places)
    wanted = {n for n in forced if track.start <= n < track.stop}
    keys = [track.start]
    for number in range(track.start + 1, track.stop):
        since = number - keys[-1]
        away = np.abs(units[number - track.start] - units[keys[-1] - track.start]).max()
        due = since >= apart or (since >= LEAST_FRAMES and away > MOVED)
        if due or number in wanted or number == track.stop - 1:
            keys.append(number)
    return keys


def _in_crop(track: Track, places: Sequence[FaceTransform]) -> np.ndarray:
    """Where the points within the face lie in its crop, in parts of the side, about their middle
    and smoothed over time `[N, 51, 2]`: neither their trembling nor where the crop lies counts."""
    pairs = zip(places, track.points, strict=True)
    units = np.stack([place.to_unit(points[INNER].astype(np.float64)) for place, points in pairs])
    units -= units.mean(axis=1, keepdims=True)
    return smoothed(units.reshape(len(units), -1)).reshape(units.shape)


def coded_among(keys: Sequence[int], rate: float) -> list[int]:
    """Which of the planned frames are inverted: the first, the last, and some between."""
    found = [keys[0]]
    for key in keys[1:]:
        if key - found[-1] >= CODE_SECONDS * rate:
            found.append(key)
    return found if found[-1] == keys[-1] else [*found, keys[-1]]
