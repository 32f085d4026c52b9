"""Weights of a small network as the beginning of a larger one.

A network grows as Net2Net's do (Chen et al. 2016, "Net2Net: Accelerating Learning via Knowledge
Transfer"): channels that are new are not heard at first by those that were there, so it computes
what the small one did.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor

TO_RGB = "torgb.weight"


def grown(mine: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with the keys and shapes of `mine`, and as much of `theirs` as fits.

    Args:
        mine: of the network to be trained, untrained.
        theirs: of a trained one, perhaps with fewer channels, rows or resolutions; tensors that
            are larger than mine, or have other axes, are left out. Of a generator, the
            resolutions that it lacks begin silent.
    """
    known = {k: _embedded(v, theirs[k], k) if k in theirs else v for k, v in mine.items()}
    silent = {k for k in mine if theirs and k not in theirs and k.endswith(TO_RGB)}
    return {k: v * 0 if k in silent else v for k, v in known.items()}


def _embedded(mine: Tensor, theirs: Tensor, key: str) -> Tensor:
    if mine.shape == theirs.shape:
        return theirs
    fits = mine.ndim == theirs.ndim
    if not fits or any(a < b for a, b in zip(mine.shape, theirs.shape, strict=True)):
        return mine
    out = mine.clone()
    if mine.ndim > 1:
        out[: theirs.shape[0], theirs.shape[1] :] = 0
    # The gain of a layer without demodulation falls with its number of inputs.
    gain = math.sqrt(mine.shape[1] / theirs.shape[1]) if key.endswith(TO_RGB) else 1.0
    out[tuple(slice(0, size) for size in theirs.shape)] = theirs.to(out) * gain
    return out
