"""Ages, sexes and expressions that words name, taken on by photographs."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import pytest
from PIL import Image

from apps.samples import faces
from multimodal.faces import align_or_crop
from multimodal.faces.native import native_crop
from multimodal.fidelity import Subject, subject_of, transfer
from multimodal.fidelity.change import looked
from multimodal.fidelity.drawn import as_tensor, drawn_of
from multimodal.fidelity.looks.expressions import felt, smile_of
from multimodal.fidelity.looks.makeup import areas, made_up
from multimodal.fidelity.looks.prototypes import looks, partners, together
from multimodal.fidelity.mesh import BROWS, GROWN, INNER_LIPS
from multimodal.fidelity.plans import planned
from multimodal.fidelity.regions import share
from multimodal.fidelity.registration import fitted, register
from multimodal.fidelity.wishes import Wishes
from multimodal.meant import Meant

SMILING, RESTING, BEARDED = "01_smiling", "03_woman", "04_old_man"
SIDE = 256


@lru_cache(maxsize=4)
def subject(name: str) -> Subject:
    path = next(path for path in faces() if path.name.startswith(name))
    photo = Image.open(path).convert("RGB")
    _, place, _ = align_or_crop(photo, SIDE)
    assert place is not None
    return subject_of(photo, place, native_crop(photo, place, SIDE), SIDE)


def asked(sense: str, amount: float = 1.0) -> Wishes:
    return Wishes((Meant(sense, amount),))


def edited(name: str, sense: str) -> np.ndarray:
    """The mesh of a sample's face after words, without any drawn change."""
    ready = subject(name)
    drawn = as_tensor(ready.small)
    face = transfer(ready, drawn, drawn.clone(), (Meant(sense),)).face.resize((SIDE, SIDE))
    return drawn_of(as_tensor(np.asarray(face, np.float32) / 255), SIDE).mesh


def gap(mesh: np.ndarray) -> float:
    rim = mesh[list(INNER_LIPS)]
    return float(np.linalg.norm(rim[5] - rim[15]) / np.linalg.norm(mesh[33] - mesh[263]))


def test_smiles_are_measured_and_one_that_is_there_grows_little() -> None:
    smiling, resting = (smile_of(subject(name).mesh) for name in (SMILING, RESTING))
    assert smiling > 0.8 > -0.4 > resting
    much = felt(subject(RESTING).mesh, asked("expression: smile"))
    little = felt(subject(SMILING).mesh, asked("expression: smile"))
    assert much["smile"] > 3 * little["smile"] > 0.5
    assert felt(subject(RESTING).mesh, asked("hair_color: red")) == {}
    assert felt(subject(SMILING).mesh, asked("expression: neutral"))["smile"] < -1
    half = felt(subject(RESTING).mesh, asked("expression: smile", 0.5))
    assert half["smile"] == pytest.approx(much["smile"] / 2)


@pytest.mark.parametrize("name", [SMILING, RESTING])
def test_faces_do_what_words_say_whatever_the_drawing_shows(name: str) -> None:
    before = subject(name).mesh
    assert smile_of(edited(name, "expression: smile")) > smile_of(before) - 0.15
    assert gap(edited(name, "expression: surprised")) > gap(before) + 0.08
    assert smile_of(edited(name, "expression: sad")) < smile_of(before) - 0.15


def test_a_laugh_opens_the_mouth_further_than_a_smile() -> None:
    mesh = subject(RESTING).mesh
    smile, laugh = (felt(mesh, asked(f"expression: {name}")) for name in ("smile", "laugh"))
    assert laugh["smile"] > smile["smile"]
    assert laugh["surprised"] > smile.get("surprised", 0.0)


def test_sad_and_resting_mouths_are_shut() -> None:
    open_before = gap(subject(SMILING).mesh)
    for sense in ("expression: sad", "expression: neutral"):
        assert gap(edited(SMILING, sense)) < 0.5 * open_before


def test_named_expressions_leave_no_drawn_difference() -> None:
    ready = subject(SMILING)
    then = drawn_of(as_tensor(ready.small), SIDE)
    blotched = ready.small.copy()
    blotched[150:190, 90:110] = 1.0  # as drawings have at the corners of mouths
    now = drawn_of(as_tensor(blotched), SIDE)
    wishes = asked("expression: smile")
    clean = planned(ready, ready.small, then, then, wishes)
    spotted = planned(ready, ready.small, then, now, wishes)
    assert np.abs(spotted.summand - clean.summand).max() < 0.02
    assert np.abs(spotted.motion - clean.motion).max() < 0.005


def test_drawn_motion_is_even_on_both_sides() -> None:
    mesh = subject(RESTING).mesh
    crooked = mesh.copy()
    crooked[61] += (0.0, 0.02)
    moved = register(mesh, mesh, crooked).motion @ fitted(mesh, looks().mesh)[:2]
    assert partners()[61] == 291
    assert np.abs(moved[61] - moved[291] * (-1, 1)).max() < 1e-9
    assert np.abs(moved[61]).max() > 0.003


def test_looks_of_sex_leave_forehead_and_nose_as_they_are_lit() -> None:
    man = together(np.array([float(name == "man") for name in looks().names]))
    places = (looks().places * man.texture.shape[0]).astype(int)
    for point in (151, 9, 1, 4, 5, 195):
        x, y = places[point]
        assert np.abs(man.texture[y, x]).max() < 0.06
    assert np.abs(man.texture).max() > 0.2


def test_fine_contrast_grows_no_further_than_that_of_photographs() -> None:
    old = [
        together(np.array([much * (name == "old") for name in looks().names])) for much in (1, 3)
    ]
    assert np.abs(old[1].detail).max() < 1.2 * np.abs(old[0].detail).max()
    assert np.abs(old[1].texture).max() > 2.5 * np.abs(old[0].texture).max()


def test_women_have_no_beards() -> None:
    ready = subject(BEARDED)
    drawn = as_tensor(ready.small)
    beard = share(ready.likely, ("beard",)) > 0.7
    for sense in ("beard: none", "sex: female"):
        face = transfer(ready, drawn, drawn.clone(), (Meant(sense),)).face.resize((SIDE, SIDE))
        left = drawn_of(as_tensor(np.asarray(face, np.float32) / 255), SIDE).likely
        assert (share(left, ("beard",)) > 0.7).sum() < 0.3 * beard.sum()
    kept = transfer(ready, drawn, drawn.clone(), (Meant("beard: full"),))
    assert kept.photo.size == (ready.photo.shape[1], ready.photo.shape[0])


def test_words_for_women_thin_brows_redden_lips_and_lighten_a_dark_jaw() -> None:
    ready, plain = subject(RESTING), together(np.zeros(len(looks().names)))
    jaw = cv2.GaussianBlur(areas()["jaw"], (0, 0), 2)
    dark = ready.small.copy()
    shadow = 1 - 0.3 * cv2.resize(warped_jaw(ready.mesh), (SIDE, SIDE))[..., None]
    led = [
        made_up(plain, picture, ready.mesh, asked("sex: female"))
        for picture in (dark, dark * shadow)
    ]
    heights = []
    for mesh in (looks().mesh, looks().mesh + led[0].shape):
        upper, lower = mesh[list(BROWS[0][:5])], mesh[list(BROWS[0][5:])]
        heights.append(np.linalg.norm(lower - upper, axis=1).mean())
    assert heights[1] < 0.7 * heights[0]
    lips = led[0].texture[areas()["lips"] > 0.8].mean(axis=0)
    assert lips[0] > lips[2] > lips[1]
    assert lips[1] < -0.3
    light = [one.texture[jaw > 0.9].mean() for one in led]
    assert light[1] > light[0] + 0.1


def test_words_that_name_no_face_leave_a_look_as_it_is() -> None:
    ready, plain = subject(RESTING), together(np.zeros(len(looks().names)))
    assert made_up(plain, ready.small, ready.mesh, asked("expression: smile")) is plain


def test_children_have_no_wrinkles_and_the_grain_of_the_photo() -> None:
    ready, plain = subject("04_old_man"), together(np.zeros(len(looks().names)))
    maps = register(ready.mesh, ready.mesh, ready.mesh, plain)
    none, all_gone = np.zeros((SIDE, SIDE), np.float32), np.ones((SIDE, SIDE), np.float32)
    pictures = []
    for faded in (none, all_gone):
        look = replace(plain, faded=faded)
        flat = np.zeros_like(ready.small)
        factor, summand = looked(ready.small, flat + 1, flat, look, maps)
        pictures.append((ready.small * factor + summand).mean(axis=-1))
    cheek = np.zeros((SIDE, SIDE), bool)
    cheek[tuple(np.round(ready.mesh[[205, 425]] * SIDE).astype(int).T[::-1])] = True
    near = cv2.dilate(cheek.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    bands = []
    for picture in pictures:
        smooth = [cv2.GaussianBlur(picture, (0, 0), width) for width in (1.5, 3.0)]
        grain = picture - cv2.GaussianBlur(picture, (0, 0), 0.4)
        bands.append([np.abs(band)[near].mean() for band in (grain, smooth[0] - smooth[1])])
    assert bands[1][1] < 0.8 * bands[0][1]
    assert bands[1][0] > 0.8 * bands[0][0]


def warped_jaw(mesh: np.ndarray) -> np.ndarray:
    """Where a beard darkens a photo's crop `[SIDE, SIDE]`."""
    found = np.zeros((SIDE, SIDE), np.float32)
    cv2.fillPoly(found, [np.round(mesh[list(GROWN)] * SIDE).astype(np.int32)], 1.0)
    return cv2.GaussianBlur(found, (0, 0), 3)


def test_age_lays_wrinkles_on_skin_alone_and_youth_none() -> None:
    names = looks().names
    old, young = (together(np.array([a * (n == "old") for n in names])) for a in (1.2, -1.2))
    assert young.lines is None
    assert old.lines is not None
    assert old.lines.min() < -0.2
    ready = subject(RESTING)
    flat = np.zeros_like(ready.small)
    maps = register(ready.mesh, ready.mesh, ready.mesh, old)
    factors = [
        looked(ready.small, flat + 1, flat, look, maps)[0]
        for look in (old, replace(old, lines=None))
    ]
    ratio = factors[0] / factors[1]
    assert ratio.min() < 0.85, "folds are darker"
    folds = ratio.min(axis=-1) < 0.9
    assert (ratio[folds][:, 0] > ratio[folds][:, 2]).all(), "and redder"
    eye = np.round(maps.mesh[[33, 133, 362, 263]].reshape(2, 2, 2).mean(axis=1) * SIDE).astype(int)
    assert np.abs(ratio[eye[:, 1], eye[:, 0]] - 1).max() < 0.05, "eyes have none"
