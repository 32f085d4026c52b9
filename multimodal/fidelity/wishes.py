"""What the words of an edit say beside what its drawing shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from multimodal.meant import Meant

ADDED = (
    "hair_color",
    "hair_dye",
    "beard_color",
    "hair_style",
    "hair_length",
    "lipstick",
    "glasses",
    "beard",
    "hat",
    "eye_color",
)
"""Attributes that leave the face itself as it is."""
FACES = ("age", "sex", "expression")
"""Attributes of which photographs tell how faces look, without a drawing."""
MOST = 1.6
"""No word is followed further than this."""


@dataclass(frozen=True)
class Wishes:
    """What words ask for, added up by class."""

    meant: tuple[Meant, ...] = ()

    def __bool__(self) -> bool:
        return any(one.amount for one in self.meant)

    @property
    def face_stays(self) -> bool:
        """Do they ask for nothing but what leaves the face itself as it is?"""
        return bool(self) and all(one.sense.split(": ")[0] in ADDED for one in self.meant)

    @property
    def names_a_face(self) -> bool:
        """Do they ask for an age, a sex or an expression? What else a drawing shows is chance."""
        return any(self.strongest(attribute) is not None for attribute in FACES)

    @property
    def need_no_drawing(self) -> bool:
        """Do they ask for nothing that a drawing alone can tell?"""
        return self.face_stays or self.names_a_face

    def amount(self, sense: str) -> float:
        """How much of a class ("lipstick: yes") is asked for, in [-1.6, 1.6]."""
        total = sum(one.amount for one in self.meant if one.sense == sense)
        return float(min(max(total, -MOST), MOST))

    def softened(self, sense: str, share: float) -> Wishes:
        """The same with only a share of one class."""
        meant = (replace(m, amount=m.amount * share) if m.sense == sense else m for m in self.meant)
        return Wishes(tuple(meant))

    def strongest(self, attribute: str) -> Meant | None:
        """The class of an attribute that is asked for most, or None."""
        found = [one for one in self.meant if one.sense.split(": ")[0] == attribute]
        best = max(found, key=lambda one: one.amount, default=None)
        return best if best is not None and best.amount > 0 else None


def wishes_of(meant: Sequence[Meant]) -> Wishes:
    """Wishes, without those that ask for nothing."""
    return Wishes(tuple(one for one in meant if one.amount))
