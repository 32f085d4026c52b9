"""What is planned for a photo, and what need not be looked at for it."""

from __future__ import annotations

import numpy as np

from multimodal.fidelity.drawn import as_tensor, drawn_of
from multimodal.fidelity.plans import planned
from multimodal.fidelity.wishes import Wishes
from multimodal.meant import Meant
from tests.multimodal.fidelity.test_looks import SIDE, subject


def test_words_that_leave_the_face_alone_ask_nothing_of_the_drawn_face() -> None:
    ready = subject("03_woman")
    before = drawn_of(as_tensor(ready.small), SIDE)
    after = drawn_of(as_tensor(ready.small[::-1].copy()), SIDE)  # no face at all
    wishes = Wishes((Meant("hair_color: red"), Meant("glasses: eyeglasses")))
    change = planned(ready, ready.small, before, after, wishes)
    assert not change.motion.any()
    assert not change.summand.any()
    assert np.array_equal(change.factor, np.ones_like(ready.small))
    assert [cover.name for cover in change.covers] == ["glasses"]
    assert "_found" not in vars(after)
