"""Beards that go and come: skin lit as the face is, and hairs that follow another jaw."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from multimodal.fidelity.drawn import as_tensor, drawn_of
from multimodal.fidelity.mesh.lighting import facing, lit
from multimodal.fidelity.regions import share
from multimodal.fidelity.registration import register
from multimodal.fidelity.things.jaws.beards import beard
from multimodal.fidelity.things.jaws.library import beards, fitting, grown_on
from multimodal.fidelity.things.jaws.stubble import grown_up, stubble
from multimodal.fidelity.things.jaws.whiskers import jaw_parts
from multimodal.fidelity.things.scene import Scene
from multimodal.fidelity.things.softness import softness
from multimodal.fidelity.transfer import transfer
from multimodal.fidelity.wishes import Wishes
from multimodal.meant import Meant
from tests.multimodal.fidelity.test_looks import BEARDED, subject

SIDE, SIDE_OF_DRAWINGS = 128, 256


def dome() -> np.ndarray:
    """Points on the near half of a ball `[400, 3]`."""
    line = np.linspace(-0.28, 0.28, 20)
    across, down = (plane.ravel() for plane in np.meshgrid(line, line))
    depth = -np.sqrt(np.maximum(0.45**2 - across**2 - down**2, 0))
    return np.stack([across + 0.5, down + 0.5, depth], axis=1)


def test_surfaces_look_outwards() -> None:
    direction = facing(dome(), SIDE)
    assert np.allclose(np.linalg.norm(direction, axis=-1), 1, atol=1e-4)
    middle = SIDE // 2
    assert direction[middle, middle, 2] > 0.98
    assert direction[middle, SIDE // 4, 0] < -0.3
    assert direction[SIDE // 4, middle, 1] < -0.3


def test_light_read_off_one_half_tells_the_other() -> None:
    direction = facing(dome(), SIDE)
    light = (direction @ np.array([0.2, -0.4, 0.5]) - 0.9).astype(np.float32)
    known = np.zeros((SIDE, SIDE), np.float32)
    known[30:70, 30:98] = 1
    found = lit(light, known, direction)
    assert np.abs(found - light)[70:84, 40:88].mean() < 0.06


def test_a_shaved_chin_is_skin_and_lips_and_nose_stay() -> None:
    ready = subject(BEARDED)
    chin = ready.chin
    assert chin is not None
    side = chin.alpha.shape[0]
    planes = {
        name: cv2.resize(share(ready.likely, (name,)), (side, side))
        for name in ("beard", "eyes", "skin")
    }
    small = cv2.resize(ready.small, (side, side))
    result = small + (chin.colours - small) * chin.alpha[..., None]
    bearded = planes["beard"] > 0.9
    assert chin.alpha[bearded].mean() > 0.8
    nose = cv2.resize(jaw_parts(ready.mesh).nose, (side, side))
    assert chin.alpha[nose > 0.9].max() < 0.2
    assert chin.alpha[planes["eyes"] > 0.5].max() < 0.01
    cheeks = small[planes["skin"] > 0.95].mean(axis=0)
    assert np.abs(result[bearded].mean(axis=0) - cheeks).max() < 0.2


@pytest.mark.parametrize("name", ["03_woman", "09_woman"])
def test_who_has_no_beard_is_not_shaved(name: str) -> None:
    assert subject(name).chin is None


def test_stubble_is_dense_on_chins_and_sparse_on_cheeks_and_leaves_lips_free() -> None:
    mesh = subject("03_woman").mesh
    hairs = stubble(mesh)
    chin, cheek, lips = (
        hairs[y - 12 : y + 12, x - 12 : x + 12].mean()
        for x, y in (np.round(mesh[[199, 205, 17]] * len(hairs))).astype(int)
    )
    assert chin > 3 * cheek
    assert lips < 0.3 * chin
    assert hairs[: round(float(mesh[168, 1]) * len(hairs))].max() < 0.05


def test_faces_as_short_as_those_of_children_grow_none() -> None:
    mesh = subject("03_woman").mesh.copy()
    assert grown_up(mesh) > 0.5
    eyes = mesh[33, 1]
    mesh[:, 1] = eyes + 0.8 * (mesh[:, 1] - eyes)
    assert grown_up(mesh) == 0.0


def around(plane: np.ndarray, mesh: np.ndarray, *points: int) -> float:
    """Mean of a plane about some points of a mesh."""
    side = len(plane)
    spots = np.round(mesh[list(points)] * side).astype(int)
    near = side // 64
    return float(
        np.mean([plane[y - near : y + near, x - near : x + near].mean() for x, y in spots])
    )


@pytest.mark.parametrize("name", ["03_woman", "01_smiling"])
def test_beards_of_photographs_follow_another_jaw(name: str) -> None:
    mesh = subject(name).mesh
    for one in beards():
        dense = grown_on(one, mesh, 256)
        assert around(dense, mesh, 150, 379) > 0.3, one.known
        assert around(dense, mesh, 151, 6, 4) < 0.02, one.known


def test_the_beard_of_a_like_face_fits_and_one_that_is_liked_comes_first() -> None:
    for one in beards():
        assert fitting(one.mesh).known == one.known
        assert fitting(beards()[0].mesh, liked=one.known).known == one.known
    assert not any(fitting(one.mesh, dense=True).thin for one in beards())


def bearded(name: str, *words: str) -> np.ndarray:
    """A sample's crop after words, without any drawn change."""
    ready = subject(name)
    drawn = as_tensor(ready.small)
    face = transfer(ready, drawn, drawn.clone(), tuple(map(Meant, words))).face
    return np.asarray(face.resize((256, 256)), np.float32) / 255


def test_kinds_of_beards_cover_their_own_part_of_a_jaw() -> None:
    ready = subject("03_woman")
    own = cv2.resize(ready.small, (256, 256))
    lip, chin, jaw, brow = (165, 391), (199,), (136, 365), (151,)
    darker = {}
    for kind in ("full", "goatee", "moustache"):
        away = (own - bearded("03_woman", f"beard: {kind}")).mean(axis=-1)
        darker[kind] = [around(away, ready.mesh, *spots) for spots in (lip, chin, jaw, brow)]
    full, goatee, moustache = darker["full"], darker["goatee"], darker["moustache"]
    assert min(full[1:3]) > 0.08
    assert full[0] > 0.02, "a thin moustache"
    assert min(goatee[:2]) > 0.04
    assert moustache[0] > 0.04
    assert max(goatee[2], moustache[1], moustache[2], full[3]) < 0.03


def test_a_beard_has_the_colour_that_is_said_of_it_and_hair_keeps_its_own() -> None:
    ready = subject("09_woman")
    hair = cv2.resize(share(ready.likely, ("hair",)), (256, 256)) > 0.95
    pictures = [
        bearded("09_woman", "beard: full", *said)
        for said in ((), ("beard_color: red",), ("beard_color: white",))
    ]
    redness = [
        around(picture[..., 0] - picture[..., 2], ready.mesh, 150, 379) for picture in pictures
    ]
    light = [around(picture.mean(axis=-1), ready.mesh, 150, 379) for picture in pictures]
    assert redness[1] > redness[0] + 0.07
    assert light[2] > light[0] + 0.1
    for picture in pictures[1:]:
        assert np.abs(picture - pictures[0])[hair].mean() < 0.01


def test_who_has_a_beard_keeps_it_and_its_colour_changes() -> None:
    ready = subject(BEARDED)
    beard = cv2.resize(share(ready.likely, ("beard",)), (256, 256)) > 0.9
    own = cv2.resize(ready.small, (256, 256))
    black = bearded(BEARDED, "beard: full", "beard_color: black")
    assert black[beard].mean() < own[beard].mean() - 0.15


def test_hairs_are_as_blurred_as_the_photo() -> None:
    ready = subject("03_woman")
    maps = register(ready.mesh, ready.mesh, ready.mesh)
    drawn = drawn_of(as_tensor(ready.small), SIDE_OF_DRAWINGS)
    found = []
    for width in (0.0, 2.0):
        small = cv2.GaussianBlur(ready.small, (0, 0), width) if width else ready.small
        scene = Scene(small, ready.likely, maps, drawn, drawn)
        cover = beard(scene, Wishes((Meant("beard: full"),)))
        assert cover is not None
        fine = cover.alpha - cv2.GaussianBlur(cover.alpha, (0, 0), 2)
        found.append((softness(scene), float(np.abs(fine).mean())))
    (sharp, crisp), (blurred, soft) = found
    assert blurred > sharp + 1.5
    assert soft < 0.5 * crisp


def test_dye_is_for_the_hair_and_a_beard_keeps_the_colour_of_brows() -> None:
    ready = subject("09_woman")
    drawn = as_tensor(ready.small)
    purple = Meant("hair_dye: purple", 1.0, (0.49, 0.12, 0.61))
    face = transfer(ready, drawn, drawn.clone(), (Meant("beard: full"), purple)).face
    levels = np.asarray(face.resize((256, 256)), np.float32) / 255
    assert around(levels[..., 2] - levels[..., 0], ready.mesh, 150, 379) < 0.03
