"""The beard of a photograph on another jaw, in the colour of that person's own hair."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from multimodal.fidelity.change import Cover, feathered
from multimodal.fidelity.colours.dyes import SHADES
from multimodal.fidelity.mesh import GROWN, OUTER_LIPS
from multimodal.fidelity.regions import share
from multimodal.fidelity.things.jaws.library import fitting, grown_on
from multimodal.fidelity.things.jaws.stubble import FINE, grown_up, stubble
from multimodal.fidelity.things.jaws.whiskers import ABOVE, CHIN, inside, jaw_parts
from multimodal.fidelity.things.scene import LEAST, Scene
from multimodal.fidelity.things.softness import as_soft
from multimodal.fidelity.wishes import Wishes

SHADOW = 0.5
"""How much stubble a man has where words name no beard."""
Color = tuple[float, float, float]
BROWS = (("brows",), 0.6)
"""Brows, and from which probability they surely are."""
COLOUR = (0.16, 0.12, 0.10)
"""Of a beard of who has neither hair nor brows."""
HIDDEN, STUBBLE = 0.94, 0.75
"""How much of the skin a beard hides, and each hair of stubble."""
STRANDS, HAIRS = 0.5, (0.12, 0.2)
"""How much darker strands are where they lie most densely, beside those near by (lighter where hair
is pale); how much hairs differ one by one, and how much more where they are as light as skin."""
BEARDS = SHADES | {
    "gray": (0.44, 0.43, 0.42),
    "red": (0.5, 0.25, 0.13),
    "blond": (0.61, 0.46, 0.33),
}
"""Mean colours of beards that words name; some are darker than hair that is called so."""
ALIKE = 0.15
"""Difference of brightness from which a beard stands out against skin."""
FULL = 0.5
"""How densely hairs stand on the chin of a full beard at least."""
HAS = 0.35
"""Share of the jaw from which a photo's own beard is one."""
PALE, UNDER = (0.3, 0.6), 0.35
"""Brightness of hair that is not pale, and that is; how dark the shadow between pale hairs is."""
PARTS = {"moustache": (ABOVE,), "goatee": (ABOVE, CHIN)}
"""What of a full beard is left standing of others."""


def beard(scene: Scene, wishes: Wishes) -> Cover | None:
    """A beard, on who has none there."""
    named = wishes.strongest("beard")
    color = _named_color(wishes)
    if color is None and wishes.strongest("hair_dye") is not None:
        color = _own_colour(scene, (BROWS,))  # dye is for the hair alone
    kind = "" if named is None else named.sense.split(": ")[1]
    if named is None and wishes.amount("sex: male") > 0 and wishes.amount("age: child") <= 0:
        return _stubbled(scene, SHADOW * wishes.amount("sex: male") * _grown_up(scene), None)
    if kind == "stubble" and named is not None:
        return _stubbled(scene, min(named.amount, 1.0), color)
    if not kind and wishes.need_no_drawing:
        return None
    drawn = float(np.clip(scene.now("beard") - scene.then("beard"), 0, 1).mean())
    if kind == "none" or (named is None and drawn < LEAST):
        return None
    return _grown(scene, kind, 1.0 if named is None else min(named.amount, 1.0), color)


def _named_color(wishes: Wishes) -> Color | None:
    """The colour that words give a beard, or else the hair."""
    named = wishes.strongest("beard_color") or wishes.strongest("hair_color")
    if named is None:
        return None
    return named.color or BEARDS.get(named.sense.split(": ")[1])


def _grown(scene: Scene, kind: str, much: float, color: Color | None) -> Cover | None:
    """The beard of another photograph, or the part of it that a kind of beard is."""
    mesh = scene.maps.mesh
    jaw = jaw_of(mesh, len(scene.small))
    if float((scene.of_photo("beard") * jaw).sum()) > HAS * float(jaw.sum()):
        return None  # its own stays
    choice = f"beard: {kind}"
    grown = fitting(mesh - scene.maps.motion, kind in PARTS, scene.liked.get(choice))
    scene.liked[choice] = grown.known  # a mouth that opens in a clip is not given another
    dense = grown_on(grown, mesh, FINE)
    if kind == "full":
        chin = cv2.resize(inside(mesh[list(CHIN)], 3.0), (FINE, FINE))
        dense = np.maximum(dense, FULL * chin * (1 + 0.3 * hairs()))
    dense = dense * _part(mesh, kind) * _free(scene, 170)
    if dense.mean() < LEAST / 10:
        return None
    return as_soft(_coloured(scene, dense, much, color), scene)


def _coloured(scene: Scene, dense: np.ndarray, much: float, color: Color | None) -> Cover:
    """A beard of some density `[768, 768]` in its colour and the photo's light."""
    base, shade = _colour(scene, color), _shade(scene)
    pale = float(np.clip((base.mean() - PALE[0]) / (PALE[1] - PALE[0]), 0, 1))
    fine = dense - cv2.GaussianBlur(dense, (0, 0), 2.5)
    skin = float(np.exp(np.log(_skin(scene) + 0.03).mean()))
    alike = float(np.exp(-(((float(base.mean()) - skin) / ALIKE) ** 2)))
    strands = (2 * pale - 1) * STRANDS * fine + (HAIRS[0] + alike * HAIRS[1]) * hairs()
    colours = base * shade * (1 + strands)[..., None]
    over = HIDDEN * much * np.clip(dense * (1 + 0.2 * pale * hairs()), 0, 1)
    lighter = max(pale, alike)
    if lighter > 0.05:  # between light hairs lies their shadow
        under = UNDER * lighter * much * cv2.GaussianBlur(dense.clip(0, 1), (0, 0), 3)
        total = 1 - (1 - over) * (1 - under)
        colours, over = colours * (over / (total + 1e-6))[..., None], total
    return Cover(colours.clip(0, 1).astype(np.float32), over.astype(np.float32), False, "beard")


def _part(mesh: np.ndarray, kind: str) -> np.ndarray:
    """Where hairs of a kind of beard are left standing, `[768, 768]` in [0, 1]."""
    parts = jaw_parts(mesh)
    found = np.clip(parts.low + parts.below, 0, 1) * (1 - parts.nose)
    if kind in PARTS:
        outlines = [inside(mesh[list(outline)], 3.0) for outline in PARTS[kind]]
        found = found * np.maximum.reduce(outlines)
    return cv2.resize(found, (FINE, FINE), interpolation=cv2.INTER_LINEAR)


def _stubbled(scene: Scene, much: float, color: Color | None) -> Cover | None:
    """Stubble, more or less of it, or None: hardly any."""
    if much < 0.02:
        return None
    over = stubble(scene.maps.mesh) * _free(scene, 120)
    colours = np.broadcast_to(_colour(scene, color) * _shade(scene), (FINE, FINE, 3))
    alpha = (STUBBLE * much * over).clip(0, 1)
    cover = Cover(colours.clip(0, 1).astype(np.float32), alpha.astype(np.float32), False, "beard")
    return as_soft(cover, scene)


def _free(scene: Scene, sharp: int) -> np.ndarray:
    """Where nothing lies over the skin, or grows on it yet, `[768, 768]` in [0, 1]; its rim is a
    `sharp`-th of the side wide."""
    side = len(scene.small)
    taken = scene.of_photo("beard", "hair", "mouth", "teeth", "clothes", "background", "hat")
    free = (1 - np.clip(1.5 * taken, 0, 1)) * feathered(side)
    free = cv2.GaussianBlur(free, (0, 0), side / sharp)
    free = free * (1 - np.clip(1.5 * scene.of_photo("lips", "mouth", "teeth"), 0, 1))
    return cv2.resize(free, (FINE, FINE), interpolation=cv2.INTER_LINEAR)


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


def _colour(scene: Scene, named: Color | None) -> np.ndarray:
    """The colour of the person's beard, hair or brows; a beard is a little darker."""
    if named is not None:
        return np.array(named) * 0.8
    found = _own_colour(scene, ((("beard",), 0.7), (("hair",), 0.8), BROWS))
    return np.array(COLOUR if found is None else found)


def _own_colour(scene: Scene, places: Sequence[tuple[tuple[str, ...], float]]) -> Color | None:
    """The colour of a beard by the first of some classes that a photo surely shows; or None."""
    for names, sure in places:
        own = scene.small[share(scene.likely, names) > sure]
        if len(own) > 60:
            found = np.quantile(own, 0.45, axis=0)
            vivid = float(np.ptp(found) / max(float(found.max()), 0.05))
            deeper = 0.92 - 0.24 * min(vivid / 0.35, 1.0)  # below blond hair grows a browner beard
            red, green, blue = found * min(1.0, 0.62 / max(float(found.mean()), 0.05)) * deeper
            return float(red), float(green), float(blue)
    return None


def _skin(scene: Scene) -> np.ndarray:
    """Levels of the face's skin `[N, 3]`; of unseen skin, usual ones."""
    found = scene.small[share(scene.likely, ("skin",)) > 0.8]
    return found if len(found) else np.full((1, 3), 0.5)


def _shade(scene: Scene) -> np.ndarray:
    """The photo's light on the face beside its usual one `[768, 768, 1]`."""
    side = scene.small.shape[0]
    light = cv2.GaussianBlur(scene.here.mean(axis=-1), (0, 0), side / 40)
    shade = np.clip(light / (float(np.median(_skin(scene))) + 1e-3), 0.45, 1.4)
    return cv2.resize(shade, (FINE, FINE), interpolation=cv2.INTER_LINEAR)[..., None]


@lru_cache(maxsize=1)
def hairs() -> np.ndarray:
    """Hairs that grow downwards and away from the middle, light and dark, `[768, 768]` of standard
    deviation 1 and mean 0."""
    random = np.random.default_rng(0)
    noise = random.standard_normal((FINE, FINE)).astype(np.float32)
    halves = [cv2.filter2D(noise, -1, _stroke(lean)) for lean in (0.45, -0.45)]
    ramp = np.clip((np.arange(FINE) / FINE - 0.5) * 8 + 0.5, 0, 1).astype(np.float32)
    mixed = halves[0] * (1 - ramp) + halves[1] * ramp
    found: np.ndarray = (mixed / mixed.std()).clip(-2, 2)
    return found


def _stroke(lean: float, length: int = 13) -> np.ndarray:
    kernel = np.zeros((length, length), np.float32)
    middle = length // 2
    reach = middle * lean
    ends = [(round(middle + reach), 0), (round(middle - reach), length - 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA)
    return kernel / kernel.sum()
