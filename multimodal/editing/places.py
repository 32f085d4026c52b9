"""Where in a face an edit of a named region shows."""

from __future__ import annotations

from torch import Tensor

from guidance.controls.regions import parsed_mask, region_mask
from multimodal.images import to_tensor
from multimodal.types import Face, Toolkit


def named_mask(tools: Toolkit, face: Face, region: str) -> Tensor:
    """The soft mask `[1, 1, R, R]` of a region of a face, at the generator's resolution R.

    The parser's, where the model has one and it sees the region; else a shape about the landmarks.

    Raises:
        ValueError: an unknown region.
    """
    size = tools.generator.resolution
    if tools.parser is not None:
        found = parsed_mask(tools.parser, to_tensor(face.aligned), region, size)
        if found is not None:
            return found
    points = face.landmarks
    if points is not None:
        points = points * (size / face.aligned.size[0])
    return region_mask(region, size, points)
