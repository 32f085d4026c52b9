"""What a real face's pixels can be, as sets of classes: certain where the teachers are.

A set is a bit mask, uint16: bit k stands for `CLASSES[k]`. A pixel about which nothing is known
has all bits. Losses ask for the sum of the probabilities of a set, so that what points and person
mask cannot tell (hair, hat, beard, glasses, clothes) is left to what renders teach.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from multimodal.parsing.classes import CLASSES
from recipes.parser.teachers import BROWS, EYES, LIPS, MOUTH, NOSE, OVAL, Seen

Sets = NDArray[np.uint16]
Mask = NDArray[np.bool_]
SIDE = 256
SURE = 0.85
"""Of the person, for a pixel to be no background; 1 - SURE for it to be nothing else."""
BROW_REACH, PLAIN = 7, 0.3
"""By how much wider than its outline is looked for a brow, in pixels; how much darker than the
forehead above it, in logarithms, a brow is whose hairs are plainly seen."""


def bits(*names: str) -> int:
    """The set of these classes."""
    return sum(1 << CLASSES.index(name) for name in names)


ALL = (1 << len(CLASSES)) - 1
_INSIDE = ALL & ~bits("background", "ears", "neck", "clothes")
_FEATURES = bits("brows", "eyes", "iris", "nose", "lips", "mouth", "teeth")
_ABOVE = bits("skin", "hair", "hat", "brows", "glasses", "eyes", "nose")
_CHEEKS = bits("skin", "nose", "hair", "glasses", "beard", "hat")
_CHIN = bits("skin", "beard", "hair", "hat", "nose")
_BELOW = bits("neck", "clothes", "hair", "beard", "hat")


def sets_of(seen: Seen, grey: NDArray[np.float32] | None = None) -> Sets:
    """The sets `[256, 256]` of a picture; where no face was found, only person and background.

    Args:
        seen: what the teachers see in it.
        grey: the picture `[256, 256]` in [0, 1], whose darkness tells a brow's hairs from skin.
    """
    out = np.full((SIDE, SIDE), ALL, np.uint16)
    if seen.face > 0.5:
        _head(out, seen)
        _features(out, seen, grey)
    person = np.asarray(
        Image.fromarray(seen.person.astype(np.float32)).resize((SIDE, SIDE)), np.float32
    )
    sure, nobody = _shrunk(person > SURE, 2), _shrunk(person < 1 - SURE, 2)
    out[sure] &= ALL & ~bits("background")
    face = _filled(seen, OVAL)
    out[nobody & ~_grown(face, 4)] = bits("background")
    out[out == 0] = ALL
    return out


def _head(out: Sets, seen: Seen) -> None:
    """In the oval, above it, beside it and below."""
    oval = _filled(seen, OVAL)
    inner, outer = _shrunk(oval, 5), _grown(oval, 3)
    rows = np.arange(SIDE)[:, None] + np.zeros((1, SIDE), int)
    eyes = SIDE * float(seen.points[[33, 133, 263, 362], 1].mean())
    nose = SIDE * float(seen.points[2, 1])
    chin = SIDE * float(seen.points[152, 1])
    out[inner] &= _INSIDE
    out[inner & (rows < eyes - 6)] &= _ABOVE
    out[inner & (rows > eyes + 14) & (rows < nose)] &= _CHEEKS
    out[inner & (rows > nose + 4)] &= _CHIN | bits("lips", "mouth", "teeth")
    middle = _filled(seen, OVAL, 0.78) & (rows > eyes + 14)
    out[middle] &= ALL & ~bits("hair", "hat")
    away = ~outer
    out[away] &= ALL & ~_FEATURES
    out[away & (rows < eyes)] &= ALL & ~bits("neck", "clothes", "beard")
    out[away & (rows > chin + 4)] &= _BELOW | bits("background")


def _features(out: Sets, seen: Seen, grey: NDArray[np.float32] | None) -> None:
    nose = _filled(seen, NOSE)
    _narrow(out, ~_grown(nose, 4), ALL & ~bits("nose"))
    _narrow(out, _shrunk(nose, 4), bits("nose", "glasses"))
    brows = [_filled(seen, b) for b in BROWS]
    both: Mask = np.logical_or(*brows)
    _narrow(out, ~_grown(both, BROW_REACH), ALL & ~bits("brows"))
    for brow in brows:
        _brow(out, brow, grey)
    eyes = np.logical_or(*(_filled(seen, e) for e in EYES))
    iris = np.logical_or(*(_disc(e) for e in seen.iris))
    _narrow(out, ~_grown(eyes, 3), ALL & ~bits("eyes", "iris"))
    out[eyes] = bits("eyes", "iris", "glasses", "skin")
    _narrow(out, eyes & _shrunk(iris, 2), bits("iris", "glasses"))
    _narrow(out, _shrunk(eyes, 2) & ~_grown(iris, 3), bits("eyes", "glasses"))
    lips, mouth = _filled(seen, LIPS), _filled(seen, MOUTH)
    _narrow(out, ~_grown(lips, 4), ALL & ~bits("lips", "mouth", "teeth"))
    out[_grown(lips, 3)] &= bits("lips", "mouth", "teeth", "skin", "beard")
    _narrow(out, _shrunk(lips, 3) & ~_grown(mouth, 3), bits("lips"))
    _narrow(out, _shrunk(lips, 3), bits("lips", "mouth", "teeth"))
    _narrow(out, _shrunk(mouth, 3), bits("mouth", "teeth"))
    _narrow(out, ~_grown(mouth, 3), ALL & ~bits("mouth", "teeth"))


def _brow(out: Sets, brow: Mask, grey: NDArray[np.float32] | None) -> None:
    """Its outline's middle; in a picture, what is dark beside what is as light as skin."""
    inner, near = _shrunk(brow, 3), _grown(brow, BROW_REACH)
    if grey is not None and inner.any():
        light = np.log(grey + 0.03)
        skin, known = _above(light, near)
        contrast = float(np.median(skin)) - float(np.quantile(light[inner], 0.25))
        near = near & known
        if contrast > PLAIN:
            dark, light_as_skin = light < skin - 0.6 * contrast, light > skin - 0.35 * contrast
            _narrow(out, near & ~brow & light_as_skin, ALL & ~bits("brows"))
            inner = (near & dark) | (inner & ~light_as_skin)
    _narrow(out, inner, bits("brows", "hair", "glasses", "hat"))


def _above(light: NDArray[np.float32], near: Mask) -> tuple[NDArray[np.float32], Mask]:
    """How light the skin above a brow is in every column `[1, SIDE]`, and in which there is any."""
    above: Mask = np.asarray(np.roll(near, -10, axis=0) & ~near)
    here: Mask = np.asarray(above.any(0))
    if not here.any():
        return np.zeros((1, SIDE), np.float32), np.zeros((1, SIDE), bool)
    columns = np.nonzero(here)[0]
    pairs = zip(light.T, above.T, strict=True)
    each = [np.median(column[where]) for column, where in pairs if where.any()]
    wide = np.convolve(np.pad(each, 4, mode="edge"), np.full(9, 1 / 9), "valid")
    skin = np.interp(np.arange(SIDE), columns, wide).astype(np.float32)
    return skin[None], here[None]


def _narrow(out: Sets, where: Mask, allowed: int) -> None:
    """Keep only allowed classes, where that leaves any."""
    kept = out & np.uint16(allowed)
    out[...] = np.where(where & (kept > 0), kept, out)


def _filled(seen: Seen, outline: tuple[int, ...], size: float = 1.0) -> Mask:
    image = Image.new("1", (SIDE, SIDE))
    points = seen.points[list(outline)] * SIDE
    middle = points.mean(0)
    points = middle + (points - middle) * size
    ImageDraw.Draw(image).polygon([(float(x), float(y)) for x, y in points], fill=1)
    return np.asarray(image)


def _disc(iris: np.ndarray) -> Mask:
    middle = iris[0] * SIDE
    radius = float(np.linalg.norm(iris[1:] - iris[0], axis=1).mean()) * SIDE
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    return np.hypot(columns - middle[0], rows - middle[1]) < radius


def _grown(mask: Mask, by: int) -> Mask:
    return (
        np.asarray(Image.fromarray(mask).convert("L").filter(ImageFilter.MaxFilter(_odd(by)))) > 0
    )


def _shrunk(mask: Mask, by: int) -> Mask:
    return (
        np.asarray(Image.fromarray(mask).convert("L").filter(ImageFilter.MinFilter(_odd(by)))) > 0
    )


def _odd(by: int) -> int:
    return 2 * (by // 2) + 1
