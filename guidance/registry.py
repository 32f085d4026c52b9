"""The one list of guidance methods."""

from __future__ import annotations

from collections.abc import Callable

from guidance.methods.delta import DeltaEdit
from guidance.methods.directions import GlobalDirections
from guidance.methods.factors import KnownFactors
from guidance.methods.flow import FlowEdit
from guidance.methods.mapper import Mapper
from guidance.methods.optimize import Optimize
from guidance.methods.sound_optimize import SoundOptimize
from guidance.methods.text_encoder import TextEncoding
from multimodal.types import Guidance, Toolkit

METHODS: dict[str, Callable[[Toolkit], Guidance]] = {
    "optimize": Optimize,
    "direction": GlobalDirections,
    "mapper": Mapper,
    "text-encoder": TextEncoding,
    "delta": DeltaEdit,
    "factors": KnownFactors,
    "flow": FlowEdit,
    "sound-optimize": SoundOptimize,
}


def make_guidance(name: str, toolkit: Toolkit) -> Guidance:
    """The method of that name, built on a toolkit.

    Raises:
        ValueError: no such method.
    """
    if name not in METHODS:
        raise ValueError(f"method {name!r} is not one of {sorted(METHODS)}")
    return METHODS[name](toolkit)
