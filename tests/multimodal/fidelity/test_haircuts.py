"""Hair as men wear it, where words make men of women."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from multimodal.fidelity.drawn import Drawn, as_tensor
from multimodal.fidelity.regions import parsed, share
from multimodal.fidelity.subjects import subject_of
from multimodal.fidelity.things.haircuts import worn
from multimodal.fidelity.transfer import transfer
from multimodal.fidelity.wishes import Wishes
from multimodal.meant import Meant
from tests.multimodal.fidelity.test_looks import asked, subject


@pytest.fixture(scope="module")
def changed() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hair before and after a woman was made a man, both small; and the photo's face."""
    sense = "sex: male"
    whole, other = (subject(name) for name in ("03_woman", "12_man"))
    crop = Image.fromarray(whole.crop)
    ready = subject_of(crop, None, crop, whole.small.shape[0])  # no more is known than the crop
    ready.worn[sense] = Drawn(other.small)
    drawn = as_tensor(ready.small)
    face = transfer(ready, drawn, drawn.clone(), (Meant(sense),)).face
    side = ready.small.shape[0]
    levels = np.asarray(face.resize((side, side)), np.float32) / 255
    hairs = [share(likely, ("hair",)) > 0.5 for likely in (ready.likely, parsed(levels))]
    return hairs[0], hairs[1], ready.mesh


def test_words_that_name_hair_come_first() -> None:
    assert worn(asked("sex: male")) == ("sex: male", 1.0)
    assert worn(asked("sex: male", 0.2)) == ("", 0.0)
    assert worn(asked("sex: female")) == ("", 0.0)  # nothing is grown
    both = Wishes((Meant("sex: male"), Meant("hair_length: long")))
    assert worn(both) == ("", 0.0)


def test_hair_beside_the_jaw_goes(changed: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    then, now, mesh = changed
    side = len(then)
    beside = slice(round(float(mesh[13, 1]) * side), None)
    assert now[beside].sum() < 0.6 * then[beside].sum()


def test_without_a_drawing_hair_stays() -> None:
    assert subject("12_man").cut("sex: male") is None


def test_hair_that_hangs_out_of_the_drawing_stays() -> None:
    ready = subject("03_woman")
    ready.worn["sex: male"] = Drawn(subject("12_man").small)
    assert ready.cut("sex: male") is None
    ready.worn.clear()
    ready.cuts.clear()
