"""A drawing of a face, and where what lies in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch
from torch import Tensor

from multimodal.fidelity.mesh import face_meshes
from multimodal.fidelity.regions import parsed


@dataclass(frozen=True, eq=False)
class Drawn:
    """A drawing as the transfer reads it; what nobody asks for is not looked for.

    Args:
        levels: `[S, S, 3]` float32 in [0, 1].
    """

    levels: np.ndarray

    @property
    def mesh(self) -> np.ndarray:
        """Of the face `[468, 2]`, in parts of the side."""
        return self._found[0]

    @property
    def score(self) -> float:
        """How surely that is a face, in [0, 1]."""
        return self._found[1]

    @cached_property
    def likely(self) -> np.ndarray:
        """Probabilities of the parser's classes `[16, S, S]`."""
        with torch.no_grad():
            return parsed(self.levels)

    @cached_property
    def _found(self) -> tuple[np.ndarray, float]:
        with torch.no_grad():
            points, score = face_meshes(as_tensor(self.levels))
        return points[0, :, :2].double().numpy(), float(score[0])


def drawn_of(picture: Tensor, side: int) -> Drawn:
    """Read a drawing `[1, 3, R, R]` in [-1, 1] nominally, at a side in pixels."""
    return Drawn(levels_of(picture, side))


def levels_of(picture: Tensor, side: int) -> np.ndarray:
    """A drawing `[1, 3, R, R]` as `[side, side, 3]` float32 in [0, 1]."""
    pixels = (picture[0].detach().float().cpu().clamp(-1, 1) + 1) / 2
    found = np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())
    levels: np.ndarray = cv2.resize(
        found, (side, side), interpolation=shrinking(found.shape[0], side)
    )
    return levels


def as_tensor(picture: np.ndarray) -> Tensor:
    """A picture `[S, S, 3]` in [0, 1] as `[1, 3, S, S]` in [-1, 1]."""
    return torch.from_numpy(picture).permute(2, 0, 1)[None] * 2 - 1


def shrinking(side: int, wanted: int) -> int:
    """The interpolation that brings a side to another."""
    return cv2.INTER_AREA if side > wanted else cv2.INTER_CUBIC
