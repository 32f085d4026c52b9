"""All that things in a photo are worked out from."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from multimodal.fidelity.change import warped
from multimodal.fidelity.drawn import Drawn
from multimodal.fidelity.hairstyles.asking import Wanted
from multimodal.fidelity.regions import share
from multimodal.fidelity.registration import Maps

Choice = Wanted | str
"""For what something is chosen: hair that is wanted, or a kind of beard."""
LEAST = 0.002
"""Share of the picture below which a thing counts as not there."""


@dataclass(frozen=True, eq=False)
class Scene:
    """All that covers are worked out from.

    Args:
        small: the photo's crop `[S, S, 3]` in [0, 1].
        likely: what it shows, `[16, S, S]`.
        maps: where the edited face lies in the photo and in the drawings.
        before: the drawing before the edit.
        after: the drawing after it.
        liked: names of what was chosen from libraries; those of a film's earlier frame are kept.
    """

    small: np.ndarray
    likely: np.ndarray
    maps: Maps
    before: Drawn
    after: Drawn
    liked: dict[Choice, str] = field(default_factory=dict, repr=False)

    @cached_property
    def here(self) -> np.ndarray:
        """The photo's crop, its face moved."""
        return warped(self.small, self.maps.photo)

    def of_photo(self, *names: str) -> np.ndarray:
        """Where the photo shows some classes, its face moved `[S, S]`."""
        return warped(share(self.likely, names), self.maps.photo)

    def then(self, *names: str) -> np.ndarray:
        """Where the drawing before the edit does, in the photo's place."""
        return warped(share(self.before.likely, names), self.maps.before)

    def now(self, *names: str) -> np.ndarray:
        """Where the drawing after the edit does, in the photo's place."""
        return warped(share(self.after.likely, names), self.maps.after)
