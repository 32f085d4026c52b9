"""Heads without hair: round, with ears, and with what is behind the hair about them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from multimodal.fidelity.drawn import as_tensor
from multimodal.fidelity.regions import Surroundings, parsed, share
from multimodal.fidelity.things.bald import _inner, _to_the_ears, bald_head
from multimodal.fidelity.things.ears import ears, whole_ears
from multimodal.fidelity.things.filling import filled_in, strands
from multimodal.fidelity.things.mirrored import other_eye
from multimodal.fidelity.things.quilting import quilted
from multimodal.fidelity.things.skulls import skull_of
from multimodal.fidelity.transfer import transfer
from multimodal.meant import Meant
from multimodal.parsing.classes import class_indices
from tests.multimodal.fidelity.test_looks import SIDE, subject

WORDS = (Meant("hair_style: bald"),)


@pytest.mark.parametrize("name", ["03_woman", "09_woman", "12_man"])
def test_bald_heads_have_no_hair_left_and_keep_their_faces(name: str) -> None:
    ready = subject(name)
    drawn = as_tensor(ready.small)
    face = transfer(ready, drawn, drawn.clone(), WORDS).face.resize((SIDE, SIDE))
    levels = np.asarray(face, np.float32) / 255
    then, now = (share(likely, ("hair",)) > 0.6 for likely in (ready.likely, parsed(levels)))
    tone = ready.small[then].mean(axis=-1)  # a pale rim against a wall is parsed as hair at times
    now &= levels.mean(axis=-1) < np.quantile(tone, 0.95)
    assert now.sum() < 0.1 * then.sum()
    kept = share(ready.likely, ("eyes", "iris", "lips", "nose")) > 0.9
    assert np.abs(levels - ready.small)[kept].mean() < 0.02


def test_skulls_are_rounder_than_faces_are_wide_and_even() -> None:
    mesh = (subject("03_woman").mesh - 0.5) / 1.8 + 0.5
    skull = skull_of(mesh, 512)
    widths = (skull.whole > 0.5).sum(axis=1)
    rows = np.nonzero(widths)[0]
    top, eyes = rows[0], round(float(mesh[168, 1]) * 512)
    assert eyes - top > 0.7 * (float(mesh[152, 1]) * 512 - eyes)
    quarter = widths[top + (eyes - top) // 4]
    assert 0.5 * widths[eyes] < quarter < 0.95 * widths[eyes]
    assert (np.diff(widths[top : (top + eyes) // 2]) >= -1).all()


def test_ears_grow_where_hair_hid_them_alone() -> None:
    mesh = (subject("03_woman").mesh - 0.5) / 1.8 + 0.5
    colours, skin = np.zeros((512, 512, 3), np.float32), np.full(3, 0.6, np.float32)
    _, both = ears(mesh, colours, skin, np.zeros((512, 512), np.float32))
    _, none = ears(mesh, colours, skin, np.ones((512, 512), np.float32))
    assert not none.any()
    middle = round(float(mesh[1, 0]) * 512)
    assert (both[:, :middle] > 0.5).sum() > 100
    assert (both[:, middle:] > 0.5).sum() > 100


def test_what_lies_behind_has_the_colours_about_it() -> None:
    ready = subject("09_woman")
    around = ready.around
    bare = 1 - (around.where(("hair",)) > 0.1).astype(np.float32)
    known: np.ndarray = cv2.erode(bare, np.ones((25, 25), np.uint8))
    found = filled_in(around, known, (ready.mesh - 0.5) / around.room + 0.5)
    behind = (known == 0) & (np.indices(known.shape)[0] < 128)
    seen = around.picture[share(around.likely, ("background",)) > 0.9]
    assert np.isfinite(found).all()
    assert np.abs(found[behind].mean(axis=0) - seen.mean(axis=0)).max() < 0.1


def test_loose_strands_about_hair_are_part_of_it_and_the_wall_is_not() -> None:
    picture, hair = np.full((512, 512, 3), 0.8, np.float32), np.zeros((512, 512), np.float32)
    hair[180:330, 180:330] = 1
    picture[180:330, 180:340] = 0.1  # the last ten pixels were taken for the wall
    likely = np.zeros((16, 512, 512), np.float32)
    likely[class_indices(("background",))[0]] = 1 - hair
    likely[class_indices(("hair",))[0]] = hair
    found = strands(Surroundings(subject("03_woman").around.place, picture, likely), hair)
    assert found[200:310, 332:338].all()
    assert not found[:, 350:].any()
    assert not found[:170].any()


def test_scraps_of_ears_count_as_none() -> None:
    mesh = (subject("03_woman").mesh - 0.5) / 1.8 + 0.5
    likely, scrap = np.zeros((2, 512, 512), np.float32)
    y, x = (round(float(mesh[234, axis]) * 512) for axis in (1, 0))
    likely[y - 30 : y + 30, x - 30 : x] = scrap[y - 5 : y + 5, x - 8 : x] = 1
    head = np.zeros((512, 512), np.float32)
    assert not whole_ears(mesh, likely, head).any()
    head[:, x:] = 1
    assert np.array_equal(whole_ears(mesh, likely, head), likely)
    assert not whole_ears(mesh, scrap, head).any()


def test_pattern_goes_on_behind_what_is_gone_and_is_no_grid() -> None:
    rng = np.random.default_rng(1)
    picture = rng.random((128, 128, 3)).astype(np.float32)[::4, ::4].repeat(4, 0).repeat(4, 1)
    picture = np.tile(picture, (4, 4, 1))
    known = np.ones((512, 512), np.float32)
    known[150:350, 150:350] = 0
    found = quilted(picture, known, 1 - known)
    assert found is not None
    inside, about = found[190:310, 190:310], found[20:140, 20:140]
    assert 0.7 < inside.std() / about.std() < 1.3
    assert quilted(picture, 0 * known, known) is None


def test_a_shadow_on_a_forehead_goes_with_the_hair_that_cast_it() -> None:
    ready = subject("03_woman")
    mesh = (ready.mesh - 0.5) / ready.around.room + 0.5
    spot = (mesh[10] * 0.55 + mesh[151] * 0.45) * 512
    picture = ready.around.picture.copy()
    cv2.circle(picture, (round(spot[0]), round(spot[1])), 5, (0.2, 0.12, 0.08), -1)
    shaded = replace(ready.around, picture=picture, kept={})
    bald = bald_head(mesh, shaded, shaded.where(("hair",)))
    result = picture + (bald.colours - picture) * bald.alpha[..., None]
    y, x = round(spot[1]), round(spot[0])
    assert result[y - 4 : y + 5, x - 4 : x + 5].mean() > 0.8 * picture[y + 10 : y + 20, x].mean()


def test_hair_under_a_hat_whose_rim_nobody_knows_stays() -> None:
    ready = subject("03_woman")
    around, hair = ready.around, ready.around.where(("hair",))
    mesh = (ready.mesh - 0.5) / around.room + 0.5
    likely = around.likely.copy()
    likely[class_indices(("hat",))[0], :, ::6] = 1.0
    assert not bald_head(mesh, replace(around, likely=likely, kept={}), hair).alpha.any()
    assert bald_head(mesh, around, hair).alpha.max() > 0.9


def test_below_a_jaw_without_hair_is_a_neck() -> None:
    ready = subject("09_woman")
    around = ready.around
    mesh = (ready.mesh - 0.5) / around.room + 0.5
    tone = np.array([0.8, 0.6, 0.5], np.float32)
    known = np.zeros((512, 512), np.float32)
    known[:100] = 1
    found = filled_in(around, known, mesh, tone)
    x, y = np.round((mesh[152] + (0, 0.03)) * 512).astype(int)
    assert found[y, x] == pytest.approx(tone * found[y, x].mean() / tone.mean(), abs=0.05)
    assert 0.4 < found[y, x].mean() / tone.mean() < 0.9


def test_an_eye_under_hair_is_the_other_one_mirrored() -> None:
    ready = subject("03_woman")
    around = ready.around
    mesh = (ready.mesh - 0.5) / around.room + 0.5
    flesh = np.full((512, 512, 3), 0.6, np.float32)
    none = np.zeros((512, 512), np.float32)
    assert not other_eye(mesh, around, none, flesh)[1].any()
    hair = none.copy()
    x, y = np.round(mesh[33] * 512).astype(int)
    hair[y - 40 : y + 20, x - 40 : x + 6] = 1
    _, over = other_eye(mesh, around, hair, flesh)
    assert over[y, x] > 0.8
    x, y = np.round(mesh[263] * 512).astype(int)
    assert over[y, x] == 0
    both = hair.copy()
    both[y - 40 : y + 20, x - 6 : x + 40] = 1
    assert not other_eye(mesh, around, both, flesh)[1].any()


def test_what_lies_between_a_face_and_its_ears_is_head() -> None:
    mesh = (subject("03_woman").mesh - 0.5) / 1.8 + 0.5
    skull = skull_of(mesh, SIDE)
    inner = _inner(mesh, SIDE)
    x, y = np.round(mesh[234] * SIDE).astype(int)
    shown = np.zeros((SIDE, SIDE), np.float32)
    shown[y - 8 : y + 8, x - 14 : x - 8] = 1
    bridge = _to_the_ears(skull, inner, shown)
    assert bridge[y - 4 : y + 4, x - 7 : x - 2].min() > 0.8
    assert bridge[: y - 16].max() < 0.05
    assert not _to_the_ears(skull, inner, 0 * shown).any()
