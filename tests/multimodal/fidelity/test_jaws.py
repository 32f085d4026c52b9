"""Beards that go: skin lit as the face is, on who has a beard and on nobody else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from multimodal.fidelity.mesh.lighting import facing, lit
from multimodal.fidelity.regions import share
from multimodal.fidelity.things.jaws.stubble import grown_up, stubble
from multimodal.fidelity.things.jaws.whiskers import jaw_parts
from tests.multimodal.fidelity.test_looks import BEARDED, subject

SIDE = 128


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
