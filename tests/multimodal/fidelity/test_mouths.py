"""The inside of mouths that open: teeth in the photo's light, whatever the skin."""

from __future__ import annotations

import numpy as np

from multimodal.fidelity.drawn import as_tensor, drawn_of
from multimodal.fidelity.mesh import INNER_LIPS
from multimodal.fidelity.regions import parsed
from multimodal.fidelity.registration import register
from multimodal.fidelity.things.mouths import open_mouth
from multimodal.fidelity.things.scene import Scene
from multimodal.fidelity.transfer import transfer
from multimodal.meant import Meant
from tests.multimodal.fidelity.test_looks import SIDE, subject


def opened(factor: tuple[float, float, float]) -> np.ndarray:
    """Mean colour of the drawn teeth in a photo whose colours were multiplied."""
    ready = subject("03_woman")
    mesh = ready.mesh.copy()
    mesh[list(INNER_LIPS[11:])] += (0.0, 0.06)
    drawn = drawn_of(as_tensor(ready.small), SIDE)
    maps = register(ready.mesh, ready.mesh, mesh)
    small = (ready.small * np.array(factor, np.float32)).clip(0, 1)
    cover = open_mouth(Scene(small, ready.likely, maps, drawn, drawn), 1.0)
    assert cover is not None
    inside = cover.colours[cover.alpha > 0.9]
    bright = inside.mean(axis=1) > np.quantile(inside.mean(axis=1), 0.9)
    found: np.ndarray = inside[bright].mean(axis=0)
    return found


def test_teeth_take_on_the_light_of_the_photo() -> None:
    usual, warm, dark = opened((1, 1, 1)), opened((1, 0.9, 0.7)), opened((0.4, 0.4, 0.4))
    assert warm[0] / warm[2] > 1.05 * usual[0] / usual[2]
    assert dark.mean() < 0.8 * usual.mean()
    assert usual.min() > 0.3


def test_surprise_opens_a_mouth_with_teeth() -> None:
    ready = subject("03_woman")
    drawn = as_tensor(ready.small)
    words = (Meant("expression: surprised"),)
    face = transfer(ready, drawn, drawn.clone(), words).face.resize((SIDE, SIDE))
    likely = parsed(np.asarray(face, np.float32) / 255)
    inside = likely[[8, 9]].sum(axis=0) > 0.5  # mouth and teeth
    assert inside.sum() > 100 + 2 * (ready.likely[[8, 9]].sum(axis=0) > 0.5).sum()
