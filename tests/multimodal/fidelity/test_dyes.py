"""Hair of another colour keeps its light and its strands."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from multimodal.fidelity.colours.dyes import HAIR, PULLED, _hair, dyes
from multimodal.fidelity.colours.tints import DARK, GREY, apply_tint, tint_towards
from multimodal.fidelity.drawn import as_tensor, drawn_of
from multimodal.fidelity.hair import surely_hair
from multimodal.fidelity.regions import Mask, Surroundings, share
from multimodal.fidelity.transfer import transfer
from multimodal.fidelity.wishes import Wishes
from multimodal.meant import Meant
from multimodal.parsing.classes import class_indices
from tests.multimodal.fidelity.test_looks import SIDE, subject


def hair_of(name: str, *words: Meant) -> np.ndarray:
    """Brightness of a sample's hair after words, whose drawing shows no change."""
    ready = subject(name)
    drawn = as_tensor(ready.small)
    face = transfer(ready, drawn, drawn.clone(), words).face.resize((SIDE, SIDE))
    levels = np.asarray(face, np.float32) / 255
    found: np.ndarray = levels[share(ready.likely, ("hair",)) > 0.95] @ GREY
    return found


@pytest.mark.parametrize("colour", ["blond", "gray"])
def test_light_hair_does_not_darken_to_a_light_colour(colour: str) -> None:
    before, after = hair_of("01_smiling"), hair_of("01_smiling", Meant(f"hair_color: {colour}"))
    assert after.mean() > 0.9 * before.mean()


def test_white_hair_keeps_its_strands_in_a_darker_colour() -> None:
    before, after = hair_of("04_old_man"), hair_of("04_old_man", Meant("hair_color: red"))
    assert after.mean() < 0.8 * before.mean()
    assert after.std() / after.mean() > 0.9 * before.std() / before.mean()


def test_words_for_old_grey_dark_hair() -> None:
    before, after = hair_of("09_woman"), hair_of("09_woman", Meant("age: old"))
    assert after.mean() > 1.4 * before.mean()


def test_blond_hair_stays_as_it_is_when_blond_is_asked() -> None:
    before, after = hair_of("01_smiling"), hair_of("01_smiling", Meant("hair_color: blond"))
    assert np.abs(after - before).mean() < 0.06
    assert 0.9 < (after.std() / after.mean()) / (before.std() / before.mean()) < 1.15


@pytest.mark.parametrize(("tone", "dyed"), [((0.6, 0.6, 0.6), True), ((0.5, 0.35, 0.2), False)])
def test_children_have_no_grey_hair_and_keep_any_other(
    tone: tuple[float, float, float], dyed: bool
) -> None:
    levels = np.full((500, 3), tone, np.float32)
    around = SimpleNamespace(levels=lambda *_: levels, likely=np.ones((16, 9, 9)), room=1.0)
    wishes = Wishes((Meant("age: child"),))
    drawn = drawn_of(torch.zeros(1, 3, 256, 256), 256)
    found = [names for names, _ in dyes(lambda: around, drawn, drawn, wishes)]  # type: ignore[arg-type,return-value]
    assert (HAIR in found) == dyed


def test_skin_that_shines_through_the_rim_of_dark_hair_does_not_glow() -> None:
    photo = np.full((8, 8, 3), 120, np.uint8)
    photo[:, :4] = 12
    alpha = np.full((8, 8), 0.5, np.float32)
    own = np.full((500, 3), 12 / 255, np.float32)
    tint = tint_towards(own, np.log(np.array([0.6, 0.5, 0.35]) + DARK))
    top = np.full((8, 8, 3), 16, np.uint8)
    apply_tint(photo, Mask((0, 0, 8, 8), alpha, top), tint)
    assert photo[:, :4].mean() > 60
    assert photo[:, 4:].max() < 0.75 * 255


def test_cloth_is_no_hair_where_it_is_taken_for_some() -> None:
    picture = np.full((512, 512, 3), (0.7, 0.2, 0.2), np.float32)
    picture[:, :200] = (0.1, 0.08, 0.06)
    likely = np.zeros((16, 512, 512), np.float32)
    hair = likely[class_indices(("hair",))[0]]
    hair[:, :200], hair[:60, 200:400] = 0.98, 0.7
    likely[class_indices(("skin",))[0], 300:, 100:] = 1 - hair[300:, 100:]
    around = Surroundings(subject("03_woman").around.place, picture, likely)
    found = around.where(HAIR)
    assert found[100:400, 20:180].min() > 0.9
    assert found[5:50, 230:380].max() < 0.15


def test_grey_hair_has_no_hue_whatever_is_drawn() -> None:
    own = np.full((500, 3), (0.3, 0.22, 0.16), np.float32)
    drawn = np.log(np.array([[0.3, 0.22, 0.16], [0.6, 0.4, 0.55]]) + DARK)
    tint = _hair(own, drawn, 0.0, Meant("hair_color: gray"), PULLED[0])
    assert tint is not None
    red, green, blue = tint.veil[60]
    assert abs(blue - green) < 12
    assert abs(red - green) < 12


def test_sandy_hair_loses_its_hue_when_grey_is_asked() -> None:
    own = np.tile(np.array([[0.74, 0.62, 0.48]], np.float32), (400, 1))
    own *= np.linspace(0.8, 1.1, 400, dtype=np.float32)[:, None]
    tint = _hair(own, None, 0.0, Meant("hair_color: gray"), PULLED[0])
    assert tint is not None
    photo = np.rint(own.clip(0, 1) * 255).astype(np.uint8).reshape(20, 20, 3)
    before = photo.astype(int)
    apply_tint(photo, Mask((0, 0, 20, 20), np.ones((20, 20), np.float32)), tint)
    tinge = [float(np.ptp(levels.reshape(-1, 3).mean(axis=0))) for levels in (before, photo)]
    assert tinge[1] < 0.35 * tinge[0]


PURPLE, GREEN = (0.49, 0.12, 0.61), (0.08, 0.69, 0.10)


@pytest.mark.parametrize("name", ["01_smiling", "04_old_man", "09_woman"])
def test_hair_is_dyed_in_any_colour_and_keeps_its_strands(name: str) -> None:
    ready = subject(name)
    drawn = as_tensor(ready.small)
    hair = share(ready.likely, ("hair",)) > 0.95
    skin = share(ready.likely, ("skin",)) > 0.95
    for colour in (PURPLE, GREEN):
        words = (Meant("hair_dye: named", 1.0, colour),)
        face = transfer(ready, drawn, drawn.clone(), words).face.resize((SIDE, SIDE))
        levels = np.asarray(face, np.float32) / 255
        mean = levels[hair].mean(axis=0)
        assert mean.argmax() == np.argmax(colour)
        assert mean.max() > 1.3 * mean.min()
        assert np.abs(levels - ready.small)[skin].mean() < 0.01
        before, after = ready.small[hair] @ GREY, levels[hair] @ GREY
        assert np.corrcoef(before, after)[0, 1] > 0.7


def test_a_forehead_that_shines_is_no_hair() -> None:
    picture = np.full((128, 128, 3), 0.3, np.float32)
    picture[:40] = 0.05  # dark hair above a face
    picture[60:70, 50:70] = 0.6
    values = np.zeros((128, 128), np.float32)
    values[:40] = 1
    values[56:74, 46:74] = 1  # the shine, taken for hair
    found = surely_hair(values, picture, 1 - values)
    assert found[62:68, 54:66].max() < 0.2
    assert found[4:32].min() > 0.9
    fair = np.where(values[..., None] > 0, 0.6, picture).astype(np.float32)
    assert surely_hair(values, fair, 1 - values)[62:68, 54:66].min() > 0.9
