"""The recipe that cuts an ear out of a photograph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from recipes.fidelity import ear

FACES = Path(__file__).parents[3] / "apps" / "samples" / "faces"


def test_an_ear_has_an_outline_and_the_light_of_its_folds() -> None:
    name = sorted(FACES.glob("*man_in_a_denim_shirt.jpg"))[0]
    planes = ear.ear_of(Image.open(name).convert("RGB")) / 255
    assert planes.shape == (280, 180, 2)
    light, alpha = planes[..., 0], planes[..., 1]
    assert 0.15 < alpha.mean() < 0.5
    assert alpha[:, -1].max() == 0
    assert np.std(light[alpha > 0.9]) > 0.02
