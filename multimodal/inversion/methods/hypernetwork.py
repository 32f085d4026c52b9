"""HyperStyle as a method of inversion: a few looks, a code and a face's own weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from multimodal.inversion.methods.pivotal import anchored
from multimodal.inversion.options import check_bounds
from multimodal.inversion.task import Outcome, Task
from multimodal.types import Encoder, Latent

if TYPE_CHECKING:
    from multimodal.inversion.encoders.hyperstyle import HyperStyle
    from multimodal.inversion.encoders.small_hyper import SmallHyperNetwork


@dataclass(frozen=True)
class HyperOptions:
    """HyperStyle.

    Args:
        passes: looks at the reconstruction; None: the network's own number (HyperStyle: 5).
    """

    passes: int | None = None

    def __post_init__(self) -> None:
        check_bounds(passes=(self.passes or 1, 1, 50))


def hypernetwork(task: Task, options: HyperOptions) -> Outcome:
    """Alaluf et al. 2022, "HyperStyle", section 3.4, by the encoder that was given or by the
    hypernetwork beside it.

    Raises:
        ValueError: the encoder is no HyperStyle and has none beside it.
    """
    found = network_of(task)
    count = found.passes if options.passes is None else options.passes

    def told(index: int, picture: Tensor) -> None:
        losses = {name: float(term.mean()) for name, term in task.objective(picture).items()}
        task.tell(index + 1, count, losses)

    w_plus, tuned = found.refine(task.objective.target, count, told)
    own = anchored(task.generator, w_plus, tuned)
    return Outcome(Latent(w_plus.to(task.generator.device)), count, own)


def has_network(encoder: Encoder | None) -> bool:
    """Does a hypernetwork come with an encoder?"""
    return getattr(encoder, "hyper", None) is not None


def network_of(task: Task) -> HyperStyle:
    """The encoder itself where it is a HyperStyle, or what lies beside it."""
    from multimodal.inversion.encoders import hyperstyle  # torchvision is slow to import

    encoder: Any = task.encoder
    if isinstance(encoder, hyperstyle.HyperStyle):
        return encoder
    path = getattr(encoder, "hyper", None)
    if path is None:
        raise ValueError(
            "method 'hyperstyle' needs a HyperStyle file as encoder (--encoder), or a model with a "
            "hypernetwork of its own"
        )
    network = _read(path, path.stat().st_mtime_ns, task.generator.device)
    return hyperstyle.HyperStyle(network, encoder, task.generator)


@lru_cache(maxsize=2)
def _read(path: Path, changed: int, device: torch.device) -> SmallHyperNetwork:
    """A file's network, frozen, so that many faces may share it; `changed`: when it was written."""
    from multimodal.inversion.encoders.small_hyper import read_small_hyper

    return read_small_hyper(path).to(device)
