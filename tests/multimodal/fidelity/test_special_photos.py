"""Photographs that are hard to edit: each is changed where it was asked for, and nowhere else."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from multimodal.faces import align_or_crop, detect_faces
from multimodal.faces.native import native_crop
from multimodal.fidelity import Subject, subject_of, transfer
from multimodal.fidelity.drawn import as_tensor
from multimodal.fidelity.regions import share
from multimodal.meant import Meant

FOLDER = Path(__file__).parent / "photos"
PHOTOS = {
    "hijab": "046",
    "hat": "086",
    "very dark skin": "051",
    "very light skin": "007",
    "an old person who wears glasses": "067",
    "a child": "child",
    "a straw and a cup before the mouth": "023",
    "a hand before the chin": "094",
    "turned by 45 degrees": "059",
}
RED = (Meant("hair_color: red"),)
LIPSTICK = (Meant("lipstick: yes", 1.0, (0.9, 0.0, 0.0)),)
GLASSES = (Meant("glasses: clear"),)
SIDE = 256


def opened(name: str) -> Image.Image:
    return Image.open(FOLDER / f"{PHOTOS.get(name, name)}.jpg").convert("RGB")


def prepared(photo: Image.Image, face: int | None = None) -> Subject:
    crop, place, _ = align_or_crop(photo, SIDE, face)
    own = crop if place is None else native_crop(photo, place, SIDE)
    return subject_of(photo, place, own, SIDE)


@lru_cache(maxsize=12)
def subject(name: str) -> Subject:
    return prepared(opened(name))


def changed(ready: Subject, words: tuple[Meant, ...]) -> np.ndarray:
    """What some words change in a photo, in levels `[H, W, 3]`; its drawing is its own crop."""
    drawn: Tensor = as_tensor(ready.small)
    result = np.asarray(transfer(ready, drawn, drawn.clone(), words).photo)
    return result.astype(int) - ready.photo


def within(ready: Subject, *names: str) -> np.ndarray:
    """Where the crop surely shows some classes, in the whole photo `[H, W]`."""
    mask = ready.mask(names)
    found = np.zeros(ready.photo.shape[:2], np.float32)
    if mask is not None:
        left, top, right, bottom = mask.box
        found[top:bottom, left:right] = mask.alpha
    return found


@pytest.mark.parametrize("name", PHOTOS)
def test_no_word_leaves_the_photo_bit_for_bit(name: str) -> None:
    ready = subject(name)
    assert not changed(ready, ()).any()
    assert not changed(ready, (Meant("hair_color: red", 0.0),)).any()


@pytest.mark.parametrize("name", PHOTOS)
def test_lipstick_reddens_the_lips_alone(name: str) -> None:
    ready = subject(name)
    change = changed(ready, LIPSTICK)
    lips = within(ready, "lips")
    assert np.abs(change[lips == 0]).max(initial=0) == 0
    if name.startswith("a straw"):
        return  # a red one: there is nothing to redden
    red, green, _ = change[lips > 0.9].mean(axis=0)
    assert red - green > 15


@pytest.mark.parametrize("name", PHOTOS)
def test_hair_is_dyed_and_scarves_are_not(name: str) -> None:
    ready = subject(name)
    change = changed(ready, RED)
    hair = within(ready, "hair")
    assert np.abs(change[hair == 0]).max(initial=0) == 0
    skin = share(ready.around.likely, ("skin", "nose")) > 0.98
    assert skin.any()
    if name == "hijab":
        assert not change.any()
    elif name not in ("hat", "very dark skin"):  # there is next to no hair on these
        red, _, blue = change[hair > 0.95].mean(axis=0)
        assert red - blue > 8


@pytest.mark.parametrize("name", PHOTOS)
def test_glasses_sit_on_the_eyes_of_who_wears_none(name: str) -> None:
    ready = subject(name)
    change = np.abs(changed(ready, GLASSES)).max(axis=-1)
    worn = name in ("an old person who wears glasses", "a straw and a cup before the mouth")
    assert (change > 20).any() != worn
    if not worn:
        ys, xs = np.nonzero(change > 20)
        place = ready.transform.to_unit(np.stack([xs, ys], axis=-1).astype(float))
        assert np.abs(np.median(place, axis=0) - (0.5, 0.47)).max() < 0.12


def test_black_and_white_stays_so() -> None:
    ready = prepared(opened("turned by 45 degrees").convert("L").convert("RGB"))
    for words in (RED, LIPSTICK, GLASSES, (Meant("beard: full"),), (Meant("hair_style: bald"),)):
        result = ready.photo + changed(ready, words)
        assert np.ptp(result, axis=-1).max() <= 1


def test_only_the_chosen_of_two_faces_changes() -> None:
    pair = [
        opened(name).resize((420, 420)) for name in ("very light skin", "a hand before the chin")
    ]
    both = Image.new("RGB", (840, 420))
    both.paste(pair[0], (0, 0))
    both.paste(pair[1], (420, 0))
    assert len(detect_faces(both)) == 2
    for face in (0, 1):
        ready = prepared(both, face)
        left = ready.transform.to_photo(np.array([[SIDE / 2, SIDE / 2]]))[0, 0] < 420
        change = changed(ready, LIPSTICK)
        own, other = (
            (change[:, :420], change[:, 420:]) if left else (change[:, 420:], change[:, :420])
        )
        assert np.abs(own).max() > 20
        assert not other.any()


def test_a_face_at_the_edge_of_its_photo() -> None:
    whole = opened("very light skin")
    ready = prepared(whole.crop((150, 60, 420, 330)))
    for words in (RED, LIPSTICK, (Meant("hair_style: bald"),)):
        change = changed(ready, words)
        assert change.shape == (270, 270, 3)
        assert np.abs(change).max() > 20


def test_a_photo_of_twelve_megapixels() -> None:
    photo = opened("a hand before the chin").resize((3464, 3464))
    ready = prepared(photo)
    change = changed(ready, LIPSTICK)
    lips = within(ready, "lips")
    assert change.shape == (3464, 3464, 3)
    assert not change[lips == 0].any()
    assert np.abs(change[lips > 0.9]).max() > 20


def test_eyes_are_painted_within_their_lids() -> None:
    ready = subject("a child")
    change = changed(ready, (Meant("eye_color: blue", 1.0, (0.0, 0.3, 0.9)),))
    iris = within(ready, "iris")
    assert not change[iris == 0].any()
    red, _, blue = change[iris > 0.8].mean(axis=0)
    assert blue - red > 10
