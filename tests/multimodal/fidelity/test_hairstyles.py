"""Hair of other photographs on heads that wear theirs differently."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from multimodal.fidelity.drawn import as_tensor
from multimodal.fidelity.hairstyles.asking import LONG, SHORT, WANTED, wanted_of
from multimodal.fidelity.hairstyles.fitting import similar, unlike
from multimodal.fidelity.hairstyles.heads import Head
from multimodal.fidelity.hairstyles.laying import laid
from multimodal.fidelity.hairstyles.library import DARK, FOLDER, styles
from multimodal.fidelity.regions import parsed, share
from multimodal.fidelity.subjects import Subject, subject_of
from multimodal.fidelity.transfer import transfer
from multimodal.fidelity.wishes import Wishes
from multimodal.meant import Meant
from tests.multimodal.fidelity.test_looks import SIDE, asked, subject


def edited(ready: Subject, *words: Meant) -> np.ndarray:
    drawn = as_tensor(ready.small)
    face = transfer(ready, drawn, drawn.clone(), words).face.resize((SIDE, SIDE))
    return np.asarray(face, np.float32) / 255


def head_of(ready: Subject) -> Head:
    return Head(ready.around, ready._mesh_around)


def test_words_that_name_hair_come_first() -> None:
    assert wanted_of(asked("sex: male")) == (SHORT, 1.0)
    assert wanted_of(asked("sex: female")) == (LONG, 1.0)
    assert wanted_of(asked("sex: female", 0.3)) == (None, 0.0)
    both = Wishes((Meant("sex: male"), Meant("hair_length: long")))
    assert wanted_of(both) == (WANTED["hair_length: long"], 1.0)
    assert wanted_of(Wishes((Meant("sex: female"), Meant("hair_style: bald")))) == (None, 0.0)
    assert wanted_of(Wishes((Meant("sex: female"), Meant("hair_style: ponytail")))) == (None, 0.0)


def test_every_style_is_small_and_of_a_known_kind() -> None:
    kinds = {kind for wanted in WANTED.values() for kind in wanted.kinds}
    assert {style.kind for style in styles()} == kinds
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 6 << 20
    one, mirrored = styles()[:2]
    assert mirrored.known == f"{one.name} mirrored"
    assert np.array_equal(mirrored.layer, one.layer[:, ::-1])
    assert unlike(one.mesh, mirrored.other_way_round().mesh) < 1e-9


def test_similar_meshes_lie_on_each_other() -> None:
    mesh = styles()[0].mesh
    turned = mesh @ np.array([[0.6, 0.3], [-0.3, 0.6]]) + (0.1, 0.2)
    rows = similar(mesh, turned)
    np.testing.assert_allclose(mesh @ rows[:2] + rows[2], turned, atol=1e-9)
    assert unlike(mesh, turned) < 1e-9 < unlike(mesh, mesh * (1.2, 1.0))


def test_hair_takes_on_the_colour_of_other_hair() -> None:
    style = styles()[0]
    brown = np.log(np.array([[0.4, 0.25, 0.15]]) + DARK).repeat(500, axis=0)
    hair = laid(style, style.mesh, brown, 256)
    shown = hair.colours[hair.alpha > 0.95]
    assert len(shown) > 2000
    np.testing.assert_allclose(np.median(shown, axis=0), (0.4, 0.25, 0.15), atol=0.08)
    assert shown.mean(axis=-1).std() > 0.01  # its strands are still seen


@pytest.mark.parametrize("name", ["02_young_man", "12_man"])
def test_short_hair_becomes_long_beside_the_face(name: str) -> None:
    ready = subject(name)
    assert not head_of(ready).is_long
    levels = edited(ready, Meant("hair_length: long"))
    hair = share(parsed(levels), ("hair",)) > 0.5
    new = hair & (share(ready.likely, ("hair",)) < 0.2)
    chin, mouth = (round(float(ready.mesh[point, 1]) * SIDE) for point in (152, 13))
    assert new[mouth:chin].sum() > 300
    face = share(ready.likely, ("eyes", "nose", "lips")) > 0.9
    assert np.abs(levels - ready.small)[face].mean() < 0.02
    own = ready.small[share(ready.likely, ("hair",)) > 0.9].mean(axis=0)
    assert np.abs(levels[new].mean(axis=0) - own).max() < 0.2


def test_long_hair_takes_on_a_named_colour() -> None:
    ready = subject("02_young_man")
    plain = edited(ready, Meant("hair_length: long"))
    red = edited(ready, Meant("hair_length: long"), Meant("hair_color: red"))
    new = np.abs(plain - ready.small).max(axis=-1) > 0.2
    tone = red[new].mean(axis=0) / plain[new].mean(axis=0)
    assert tone[0] > 1.2 * tone[2]


def test_long_hair_becomes_short() -> None:
    whole = subject("03_woman")
    crop = Image.fromarray(whole.crop)
    ready = subject_of(crop, None, crop, SIDE)  # no more is known than the crop
    levels = edited(ready, Meant("hair_length: short"))
    then, now = (share(likely, ("hair",)) > 0.5 for likely in (ready.likely, parsed(levels)))
    beside = slice(round(float(ready.mesh[13, 1]) * SIDE), None)
    assert now[beside].sum() < 0.6 * then[beside].sum()


def test_hair_that_is_worn_so_already_stays() -> None:
    long, short = subject("05_woman"), subject("12_man")
    assert long.wearing(LONG) is None
    assert short.wearing(SHORT) is None
    drawn = as_tensor(long.small)
    words = (Meant("hair_length: long"),)
    assert np.array_equal(np.asarray(transfer(long, drawn, drawn, words).photo), long.photo)


def test_whom_no_hair_fits_keeps_the_own() -> None:
    ready = replace(subject("12_man"), worn={}, liked={})
    narrow = replace(ready, mesh=(ready.mesh - 0.5) * (0.5, 1.0) + 0.5, worn={}, liked={})
    assert narrow.wearing(LONG) is None
    assert replace(ready, sure=False, worn={}).wearing(LONG) is None


def test_a_film_keeps_its_style() -> None:
    first = replace(subject("12_man"), worn={}, liked={})
    assert first.wearing(LONG) is not None
    other = next(s.known for s in styles() if s.kind == "long" and s.known != first.liked[LONG])
    later = replace(first, worn={}, liked={LONG: other})
    later.wearing(LONG)
    assert later.liked[LONG] == other


def test_worn_hair_is_dyed_and_the_skin_beside_it_is_not() -> None:
    ready = replace(subject("12_man"), worn={}, liked={})
    purple = Meant("hair_dye: purple", 1.0, (0.49, 0.12, 0.61))
    plain, dyed = (edited(ready, Meant("hair_length: long"), *more) for more in ((), (purple,)))
    away = np.abs(dyed - plain).max(axis=-1)
    likely = parsed(plain)
    assert away[share(likely, ("hair",)) > 0.95].mean() > 0.1
    assert away[share(likely, ("skin", "nose", "lips")) > 0.95].mean() < 0.02
    wall = np.zeros((SIDE, SIDE), bool)
    wall[:, : SIDE // 16] = True
    assert away[wall & (share(likely, ("background",)) > 0.95)].mean() < 0.02
