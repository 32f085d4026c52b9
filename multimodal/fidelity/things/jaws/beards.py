"""A beard of hairs in the colour of the person's own, on the jaw that the mesh finds."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from multimodal.fidelity.change import Cover, feathered
from multimodal.fidelity.mesh import GROWN, OUTER_LIPS
from multimodal.fidelity.regions import share
from multimodal.fidelity.things.jaws.stubble import FINE, grown_up, stubble
from multimodal.fidelity.things.scene import LEAST, Scene
from multimodal.fidelity.wishes import Wishes

SHADOW = 0.5
"""How much stubble a man has where words name no beard."""
COLOUR = (0.16, 0.12, 0.10)
"""Of a beard of who has neither hair nor brows."""
HIDDEN, STUBBLE = 0.92, 0.75
"""How much of the skin a beard hides, and each hair of stubble."""


def beard(scene: Scene, wishes: Wishes) -> Cover | None:
    """A beard, on who has none there."""
    named = wishes.strongest("beard")
    kind = "" if named is None else named.sense.split(": ")[1]
    if named is None and wishes.amount("sex: male") > 0 and wishes.amount("age: child") <= 0:
        return _stubbled(scene, SHADOW * wishes.amount("sex: male") * _grown_up(scene), None)
    if kind == "stubble" and named is not None:
        return _stubbled(scene, min(named.amount, 1.0), named.color)
    if not kind and wishes.need_no_drawing:
        return None
    drawn = np.clip(scene.now("beard") - scene.then("beard"), 0, 1)
    if kind == "full" and named is not None:
        place, much = jaw_of(scene.maps.mesh, drawn.shape[0]), min(named.amount, 1.0)
    elif kind == "none" or drawn.mean() < LEAST:
        return None
    else:
        place, much = drawn * jaw_of(scene.maps.mesh, drawn.shape[0]), 1.0
    soft = drawn.shape[0] / (110 if named else 22)  # a shadow has no edge
    place = cv2.GaussianBlur(place * _free(scene), (0, 0), soft)
    place = place * (1 - np.clip(1.5 * scene.of_photo("lips", "mouth", "teeth"), 0, 1))
    if place.mean() < LEAST:
        return None
    hairs, other = _hairs()
    dense = cv2.resize(place * feathered(len(place)), (FINE, FINE), interpolation=cv2.INTER_CUBIC)
    rim = 4 * dense * (1 - dense)
    t = np.clip((dense + 0.3 * hairs * rim - 0.3) / 0.35, 0, 1)
    over = HIDDEN * much * t * t * (3 - 2 * t) * np.clip(0.88 + 0.1 * hairs, 0.5, 1)
    colours = _colour(scene, named.color if named else None) * _shade(scene)
    colours = colours * (1 + 0.3 * other[..., None])
    return Cover(colours.clip(0, 1).astype(np.float32), over.astype(np.float32), False, "beard")


def _stubbled(scene: Scene, much: float, color: tuple[float, float, float] | None) -> Cover | None:
    """Stubble, more or less of it, or None: hardly any."""
    if much < 0.02:
        return None
    side = len(scene.small)
    free = cv2.GaussianBlur(_free(scene) * feathered(side), (0, 0), side / 120)
    free = free * (1 - np.clip(1.5 * scene.of_photo("lips", "mouth", "teeth"), 0, 1))
    over = stubble(scene.maps.mesh) * cv2.resize(free, (FINE, FINE))
    colours = np.broadcast_to(_colour(scene, color) * _shade(scene), (FINE, FINE, 3))
    alpha = (STUBBLE * much * over).clip(0, 1)
    return Cover(colours.clip(0, 1).astype(np.float32), alpha.astype(np.float32), False, "beard")


def _free(scene: Scene) -> np.ndarray:
    """Where nothing lies over the skin, or grows on it yet, `[S, S]` in [0, 1]."""
    taken = scene.of_photo("beard", "hair", "mouth", "teeth", "clothes", "background", "hat")
    return np.asarray(1 - np.clip(1.5 * taken, 0, 1))


def _grown_up(scene: Scene) -> float:
    return grown_up(scene.maps.mesh - scene.maps.motion)


def jaw_of(mesh: np.ndarray, side: int) -> np.ndarray:
    """Where a full beard grows, `[S, S]` in [0, 1]."""
    points = mesh.copy()
    chin = points[list(GROWN[15:])]
    points[list(GROWN[15:])] = chin + 0.05 * (chin - points[164])
    mask = np.zeros((side, side), np.float32)
    lips = points[list(OUTER_LIPS)]
    lips = lips.mean(axis=0) + (lips - lips.mean(axis=0)) * 1.06
    for outline, value in ((points[list(GROWN)], 1.0), (lips, 0.0)):
        corners = np.round(outline * side * 16 - 8).astype(np.int32)
        cv2.fillPoly(mask, [corners], value, cv2.LINE_AA, 4)
    return mask


def _colour(scene: Scene, named: tuple[float, float, float] | None) -> np.ndarray:
    """The colour of the person's beard, hair or brows; a beard is a little darker."""
    if named is not None:
        return np.array(named) * 0.8
    for names, sure in ((("beard",), 0.7), (("hair",), 0.8), (("brows",), 0.6)):
        own = scene.small[share(scene.likely, names) > sure]
        if len(own) > 60:
            found = np.quantile(own, 0.4, axis=0)
            return np.asarray(found * min(1.0, 0.5 / max(float(found.mean()), 0.05)) * 0.85)
    return np.array(COLOUR)


def _shade(scene: Scene) -> np.ndarray:
    """The photo's light on the face beside its usual one `[768, 768, 1]`."""
    side = scene.small.shape[0]
    light = cv2.GaussianBlur(scene.here.mean(axis=-1), (0, 0), side / 40)
    skin = scene.small[share(scene.likely, ("skin",)) > 0.8]
    usual = float(np.median(skin)) if len(skin) else 0.5
    shade = np.clip(light / (usual + 1e-3), 0.45, 1.4)
    return cv2.resize(shade, (FINE, FINE), interpolation=cv2.INTER_LINEAR)[..., None]


@lru_cache(maxsize=1)
def _hairs() -> tuple[np.ndarray, np.ndarray]:
    """Two patterns of hairs that grow downwards and away from the middle `[768, 768]`."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(2):
        noise = random.standard_normal((FINE, FINE)).astype(np.float32)
        halves = [cv2.filter2D(noise, -1, _stroke(lean)) for lean in (0.45, -0.45)]
        ramp = np.clip((np.arange(FINE) / FINE - 0.5) * 8 + 0.5, 0, 1).astype(np.float32)
        mixed = halves[0] * (1 - ramp) + halves[1] * ramp
        found.append((mixed / mixed.std()).clip(-2, 2))
    return found[0], found[1]


def _stroke(lean: float, length: int = 15) -> np.ndarray:
    kernel = np.zeros((length, length), np.float32)
    middle = length // 2
    reach = middle * lean
    ends = [(round(middle + reach), 0), (round(middle - reach), length - 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA)
    return kernel / kernel.sum()
