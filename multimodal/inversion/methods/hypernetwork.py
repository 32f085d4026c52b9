"""HyperStyle as a method of inversion: five looks, a code and a face's own weights."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from multimodal.inversion.options import check_bounds
from multimodal.inversion.task import Outcome, Task
from multimodal.types import Latent


@dataclass(frozen=True)
class HyperOptions:
    """HyperStyle.

    Args:
        passes: looks at the reconstruction (5 published).
    """

    passes: int = 5

    def __post_init__(self) -> None:
        check_bounds(passes=(self.passes, 1, 50))


def hypernetwork(task: Task, options: HyperOptions) -> Outcome:
    """Alaluf et al. 2022, "HyperStyle", section 3.4, by the encoder that was given.

    Raises:
        ValueError: the encoder is no HyperStyle.
    """
    refine = getattr(task.encoder, "refine", None)
    if refine is None:
        raise ValueError("method 'hyperstyle' needs a HyperStyle file as encoder (--encoder)")

    def told(index: int, picture: Tensor) -> None:
        losses = {name: float(term.mean()) for name, term in task.objective(picture).items()}
        task.tell(index + 1, options.passes, losses)

    w_plus, tuned = refine(task.objective.target, options.passes, told)
    return Outcome(Latent(w_plus.to(task.generator.device)), options.passes, tuned)
