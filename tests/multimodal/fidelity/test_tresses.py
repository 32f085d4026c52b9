"""Long hair beside faces whose own is short."""

from __future__ import annotations

import numpy as np
import pytest

from multimodal.fidelity.drawn import as_tensor
from multimodal.fidelity.regions import parsed, share
from multimodal.fidelity.things.tresses import lengthened
from multimodal.fidelity.transfer import transfer
from multimodal.meant import Meant
from tests.multimodal.fidelity.test_looks import SIDE, asked, subject


def edited(name: str, *words: Meant) -> np.ndarray:
    ready = subject(name)
    drawn = as_tensor(ready.small)
    face = transfer(ready, drawn, drawn.clone(), words).face.resize((SIDE, SIDE))
    return np.asarray(face, np.float32) / 255


def test_words_ask_for_long_hair() -> None:
    assert lengthened(asked("hair_length: long", 0.5)) == 0.5
    assert lengthened(asked("hair_length: long", 3.0)) == 1.0
    assert lengthened(asked("sex: female")) == 0.0


@pytest.mark.parametrize("name", ["02_young_man", "12_man"])
def test_short_hair_becomes_long_beside_the_face(name: str) -> None:
    ready = subject(name)
    levels = edited(name, Meant("hair_length: long"))
    hair = share(parsed(levels), ("hair",)) > 0.5
    new = hair & (share(ready.likely, ("hair",)) < 0.2)
    chin = round(float(ready.mesh[152, 1]) * SIDE)
    mouth = round(float(ready.mesh[13, 1]) * SIDE)
    assert new[mouth:chin].sum() > 300
    face = share(ready.likely, ("eyes", "nose", "lips", "brows")) > 0.9
    assert np.abs(levels - ready.small)[face].mean() < 0.02
    own = ready.small[share(ready.likely, ("hair",)) > 0.9].mean(axis=0)
    assert np.abs(levels[new].mean(axis=0) - own).max() < 0.2


def test_long_hair_stays_as_it_is() -> None:
    ready = subject("05_woman")
    assert ready.locks is None
    drawn = as_tensor(ready.small)
    words = (Meant("hair_length: long"),)
    assert np.array_equal(np.asarray(transfer(ready, drawn, drawn, words).photo), ready.photo)


def test_long_hair_takes_on_a_named_colour() -> None:
    plain = edited("02_young_man", Meant("hair_length: long"))
    red = edited("02_young_man", Meant("hair_length: long"), Meant("hair_color: red"))
    new = np.abs(plain - subject("02_young_man").small).max(axis=-1) > 0.2
    tone = red[new].mean(axis=0) / plain[new].mean(axis=0)
    assert tone[0] > 1.2 * tone[2]
