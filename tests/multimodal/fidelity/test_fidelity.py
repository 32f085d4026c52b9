"""Edits of real photographs: nothing changes without an edit, and only the face with one."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from multimodal.faces import align_or_crop
from multimodal.faces.native import native_crop
from multimodal.fidelity import Subject, subject_of, transfer
from multimodal.fidelity.looks.prototypes import looks, together
from multimodal.fidelity.looks.reading import amounts_of
from multimodal.fidelity.mesh import EYES, INNER_LIPS, face_meshes
from multimodal.fidelity.registration import register
from multimodal.images import to_tensor

PHOTOS = {
    "hijab": "046",
    "hat": "086",
    "dark skin": "051",
    "glasses and a straw before the mouth": "023",
    "turned": "059",
}
SIDE = 256


@lru_cache(maxsize=8)
def subject(name: str, grey: bool = False) -> tuple[Subject, np.ndarray]:
    """A photo prepared, and its 68 points in parts of the crop's side."""
    photo = Image.open(Path(__file__).parent / "photos" / f"{PHOTOS[name]}.jpg").convert("RGB")
    photo = photo.convert("L").convert("RGB") if grey else photo
    _, place, points = align_or_crop(photo, SIDE)
    assert place is not None
    assert points is not None
    crop = native_crop(photo, place, SIDE)
    return subject_of(photo, place, crop, SIDE), (points + 0.5) / SIDE


def drawings(name: str, grey: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """The crop as a drawing, and with cheeks and lips in another colour."""
    before = torch.from_numpy(subject(name, grey)[0].small).permute(2, 0, 1)[None] * 2 - 1
    after = before.clone()
    after[:, 0, 140:200, 90:170] += 0.3
    return before, after


@pytest.mark.parametrize("name", PHOTOS)
def test_no_edit_leaves_the_photo_bit_for_bit(name: str) -> None:
    ready, _ = subject(name)
    before, _ = drawings(name)
    result = transfer(ready, before, before.clone())
    assert np.array_equal(np.asarray(result.photo), ready.photo)
    assert np.array_equal(np.asarray(result.face), ready.crop)


@pytest.mark.parametrize("name", PHOTOS)
def test_an_edit_changes_its_place_alone(name: str) -> None:
    ready, _ = subject(name)
    result = np.asarray(transfer(ready, *drawings(name)).photo).astype(int)
    changed = np.abs(result - ready.photo).max(axis=-1)
    quad = np.array(ready.transform.quad)
    low, high = quad.min(axis=0), quad.max(axis=0)
    ys, xs = np.nonzero(changed > 12)
    assert len(ys) > 50
    assert (low[0] <= xs).all()
    assert (xs <= high[0]).all()
    middle = ready.transform.to_unit(np.stack([xs, ys], axis=-1).astype(float))
    assert (np.abs(np.median(middle, axis=0) - (0.51, 0.66)) < 0.08).all()
    reddened = (result - ready.photo)[ys, xs].mean(axis=0)
    assert reddened[0] > abs(reddened[1]) + 5


def test_photos_without_colours_stay_without() -> None:
    ready, _ = subject("hat", True)
    assert ready.grey
    result = np.asarray(transfer(ready, *drawings("hat", True)).photo).astype(int)
    assert np.ptp(result, axis=-1).max() <= 1
    assert not np.array_equal(result, ready.photo)


@pytest.mark.parametrize("name", PHOTOS)
def test_the_mesh_lies_where_the_68_points_lie(name: str) -> None:
    ready, points = subject(name)
    assert ready.sure
    for eye, first in zip(EYES, (36, 42), strict=True):
        away = ready.mesh[list(eye)].mean(axis=0) - points[first : first + 6].mean(axis=0)
        assert np.linalg.norm(away) < 0.03
    mouth = ready.mesh[list(INNER_LIPS)].mean(axis=0) - points[60:68].mean(axis=0)
    assert np.linalg.norm(mouth) < 0.04


def test_pictures_without_a_face_have_no_sure_mesh() -> None:
    noise = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert float(face_meshes(noise)[1][0]) < 0.5


def test_maps_of_drawings_that_do_not_move_move_nothing() -> None:
    mesh = subject("hat")[0].mesh
    maps = register(mesh, mesh + 0.01, mesh + 0.01)
    line = (np.arange(maps.photo.shape[0]) + 0.5) / maps.photo.shape[0]
    still = np.stack(np.meshgrid(line, line), axis=-1)
    assert np.abs(maps.photo - still).max() < 1e-9
    assert np.array_equal(maps.mesh, mesh)
    moved = mesh + np.array([0.0, 0.02]) * (np.arange(468)[:, None] % 2)
    assert np.abs(register(mesh, mesh, moved).photo - still).max() > 0.005


def test_looks_are_read_off_drawings_and_taken_on() -> None:
    ready, _ = subject("dark skin")
    same = amounts_of(ready.small, ready.small, (ready.mesh, ready.mesh))
    assert not same.any()
    names = looks().names
    older = together(np.array([1.0 if name == "old" else 0.0 for name in names]))
    assert older.weight == 1.0
    maps = register(ready.mesh, ready.mesh, ready.mesh, older)
    assert 0.001 < np.abs(maps.mesh - ready.mesh).max() < 0.05


def test_crops_have_the_photos_own_resolution() -> None:
    photo = to_tensor(Image.new("RGB", (40, 40)))
    assert photo.shape[-1] == 40
    ready, _ = subject("hat")
    assert ready.crop.shape[0] == max(SIDE, round(ready.transform.side))
