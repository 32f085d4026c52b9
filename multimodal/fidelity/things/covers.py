"""What an edit puts over a photo: a beard, glasses.

Such things are in no pixel of the photo. Whether they are there is taken from the drawings: the one
after the edit shows them and the one before does not. Light and colour are the photo's.
"""

from __future__ import annotations

import cv2
import numpy as np

from multimodal.fidelity.change import Cover
from multimodal.fidelity.regions import share
from multimodal.fidelity.things.jaws.beards import beard
from multimodal.fidelity.things.mouths import open_mouth
from multimodal.fidelity.things.scene import LEAST, Scene
from multimodal.fidelity.things.spectacles import spectacles
from multimodal.fidelity.wishes import Wishes

SEEN = 0.008
"""Share of the picture that drawn glasses have."""


def covers(scene: Scene, wishes: Wishes, opened: float) -> list[Cover]:
    """What is new, from the lowest to the topmost."""
    found = [open_mouth(scene, opened), beard(scene, wishes), _glasses(scene, wishes)]
    return [cover for cover in found if cover is not None]


def _glasses(scene: Scene, wishes: Wishes) -> Cover | None:
    """Glasses, on who wears none."""
    named = wishes.strongest("glasses")
    asked = 0.0 if named is None or named.sense == "glasses: none" else named.amount
    if named is None and wishes.names_a_face:
        return None
    drawn = np.clip(scene.now("glasses") - scene.then("glasses"), 0, 1).mean()
    seen = float(drawn) / SEEN
    much = float(np.clip(max(asked, seen), 0, 1))
    if much < 0.15 or share(scene.likely, ("glasses",)).mean() > LEAST:
        return None
    dark = asked > 0 and named is not None and named.sense == "glasses: sunglasses"
    skin = scene.small[share(scene.likely, ("skin", "nose")) > 0.8]
    light = float(np.median(skin)) if len(skin) else 0.5
    colours, alpha = spectacles(
        scene.maps.mesh, dark, None if named is None else named.color, light
    )
    hidden = scene.of_photo("hair", "hat", "clothes", "background")
    free = cv2.GaussianBlur(1 - np.clip(1.5 * hidden, 0, 1), (0, 0), 1)
    alpha = alpha * cv2.resize(free, (alpha.shape[0],) * 2, interpolation=cv2.INTER_LINEAR)
    return Cover(colours, alpha * much, False, "glasses")
