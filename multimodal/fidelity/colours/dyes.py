"""Which regions of a photo an edit recolours, and to what: read off the drawings before and after.

A drawing's hair has one colour before the edit and another after it; that the photo's hair lies
elsewhere, and is dark where the drawn is light, does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from multimodal.fidelity.colours.tints import DARK, GREY, Tint, tint_towards
from multimodal.fidelity.drawn import Drawn
from multimodal.fidelity.regions import SKIN, Surroundings, share
from multimodal.fidelity.wishes import Wishes
from multimodal.meant import Meant

Names = tuple[str, ...]
HAIR, BEARD, LIPS, IRIS = ("hair",), ("beard",), ("lips",), ("iris",)
SURE = 0.8
LEAST = 150
"""Pixels that a region has at least, to be spoken of."""
NONE, WHOLE = 0.06, 0.14
"""Change of a colour's logarithm that is none, and that is taken in full."""
SPOKEN: dict[Names, Names] = {
    HAIR: ("hair_color", "age"),
    SKIN: ("skin", "age", "makeup"),
    LIPS: ("lipstick", "makeup", "age", "sex"),
}
"""Attributes whose words speak of a region's colour."""
UNSAID = 2.5
"""How much larger a change must be that no words speak of: a clip's hair shall not flicker."""
FOLLOWED = 0.4
"""Change from which the photo takes the drawn colour itself, not only the way to it."""
SCANT = 0.06
"""Hair beside a hat up to which it counts as none, in parts of the crop."""
CONTRASTS = ((0.05, 0.3, 0.6, 0.9), (0.5, 0.32, 0.22, 0.15))
"""How much the brightness of hair varies (standard deviation of its logarithm), by brightness."""


def dyes(
    near: Callable[[], Surroundings], before: Drawn, after: Drawn, wishes: Wishes
) -> Iterator[tuple[Names, Tint]]:
    """The regions that change their colours, and their tints.

    Args:
        near: gives what lies around the face; it takes long, so only what needs it calls it.
        before: the drawing before the edit.
        after: the drawing after it.
        wishes: what the words say.
    """
    said = wishes.strongest("hair_color")
    named = said or _of_age(wishes)
    if _of_child(wishes) and not _is_grey(near().levels(HAIR)):
        named = None
    pull = PULLED[said is None]
    plain = wishes.need_no_drawing and named is None
    hair = None if plain else _change(before, after, HAIR, wishes)
    dyed = wishes.strongest("hair_dye")
    wanted = named is not None or hair is not None or dyed is not None
    if wanted and not _gone(before, after) and natural(near().levels(HAIR)) and not _hidden(near()):
        own = near().levels(HAIR)
        if dyed is not None and dyed.color:
            yield HAIR, _dyed(own, dyed, dyed.color)
        elif (tint := _hair(own, hair, _light(near(), before), named, pull)) is not None:
            yield HAIR, tint
    beard = wishes.strongest("beard_color")
    if beard is not None and len(near().levels(BEARD)) > LEAST:
        own, colour = near().levels(BEARD), beard.color
        tint = _dyed(own, beard, colour) if colour else _hair(own, None, 0.0, beard, PULLED[1])
        if tint is not None:
            yield BEARD, tint
    skin = None if wishes.need_no_drawing else _change(before, after, SKIN, wishes)
    if skin is not None and len(near().levels(SKIN)) > LEAST:
        own = near().levels(SKIN)
        yield SKIN, tint_towards(own, _mean(own) + skin[1] - skin[0])
    eyes = wishes.strongest("eye_color")
    if eyes is not None and len(near().levels(IRIS, 0.5)) > LEAST / 10:
        yield IRIS, _iris(near().levels(IRIS, 0.5), eyes)
    change = None if wishes.need_no_drawing else _change(before, after, LIPS, wishes)
    painted = wishes.amount("lipstick: yes") > 0
    if (painted or change is not None) and len(near().levels(LIPS, 0.6)) > LEAST / 3:
        tint = _lips(near().levels(LIPS, 0.6), change, wishes)
        if tint is not None:
            yield LIPS, tint


def _hidden(around: Surroundings) -> bool:
    """Is next to all hair under a hat or a scarf? What is taken for some may be cloth, too."""
    areas = [(share(around.likely, names) > 0.5).mean() for names in (HAIR, ("hat",))]
    hair, hat = (float(area) * around.room**2 for area in areas)
    return hat > hair and hair < SCANT


def _gone(before: Drawn, after: Drawn) -> bool:
    """Does a drawing lose its hair? Then there is none to dye."""
    then, now = (share(drawing.likely, HAIR).sum() for drawing in (before, after))
    return bool(now < 0.5 * then)


def skin_gain(before: Drawn, after: Drawn, wishes: Wishes) -> np.ndarray:
    """Factors `[3]` by which the whole skin becomes brighter."""
    skin = None if wishes.need_no_drawing else _change(before, after, SKIN, wishes)
    return np.ones(3, np.float32) if skin is None else np.exp(skin[1] - skin[0]).astype(np.float32)


SHADES = {
    "black": (0.07, 0.06, 0.06),
    "brown": (0.33, 0.22, 0.15),
    "blond": (0.74, 0.61, 0.45),
    "red": (0.58, 0.25, 0.11),
    "gray": (0.58, 0.57, 0.56),
    "white": (0.86, 0.85, 0.83),
}
"""Mean colours of hair that words name."""
IRISES = {
    "blue": (0.30, 0.45, 0.62),
    "green": (0.34, 0.46, 0.30),
    "brown": (0.30, 0.18, 0.10),
    "hazel": (0.42, 0.32, 0.16),
    "gray": (0.45, 0.48, 0.50),
    "grey": (0.45, 0.48, 0.50),
}
"""Mean colours of irises that words name."""
GREYED = 0.9
"""How far words that make a person old, or a child, change the colour of hair."""
PALE, PALEST = 0.14, 0.3
"""Spread of the colours of grey hair, beside its brightness, and that brightness at least."""
BRIGHT, KEPT = ("blond", "gray", "white"), 0.85
"""Colours of hair that never darken much, and how much of the hair's own brightness stays."""
DYED = 0.7
"""Change of the mean's logarithm from which hair is dyed wholly."""
TINGED = 0.12
"""Change of the hue alone from which hair becomes wholly grey, white or black."""
EVENED = (0.15, 0.8)
"""Change of the brightness, in logarithms, from which it is evened out, and wholly so."""
MOST = (1.6, 2.4)
"""The most by which the contrast of hair grows, and of hair that darkens: strands of white hair
hardly differ."""
NAMED = (0.3, 0.9)
"""How far hair takes the hue that words name, and black, grey and white, whatever hue is drawn:
walls colour drawn hair."""
PULLED = (0.4, 0.65)
"""How far hair that words name goes beyond the drawn one to its usual colour, and hair of an age:
of dark hair a drawing shows little."""
DARKER = 1.15
"""The least by which the contrast of hair that darkens grows: there are fewer levels to show it."""
LEAST_CONTRAST = 0.5
"""The least by which the contrast of hair that brightens shrinks."""
DARKEST = 0.05
"""Hair is led to no darker colour than this, or its strands would drown."""
COLOURLESS = ("hair_color: gray", "hair_color: white", "hair_color: black")
"""Hair that has no hue in its lights and shadows."""
BRIGHTER = 0.6
"""The most by which irises become brighter, in logarithms."""
TAKEN, VIVID = (0.65, 0.85), 0.72
"""How far dyed hair takes the brightness of a lighter colour, that of a darker, and the hue."""
LIPSTICK, USUAL = (0.80, 0.06, 0.16), 0.5
"""The colour of lipstick that is not named, and the brightness of lips in usual light."""


def natural(levels: np.ndarray) -> bool:
    """Have these levels `[N, 3]` a colour that hair has? Scarves are parsed as hair at times."""
    if len(levels) < LEAST:
        return False
    red, green, blue = levels.mean(axis=0)
    pink = blue - green > 0.03 and red - green > 0.1
    return not pink and bool(blue < green + 0.15 and green < 1.25 * red + 0.05)


def _hair(
    own: np.ndarray, change: np.ndarray | None, light: float, named: Meant | None, pull: float
) -> Tint | None:
    """The tint of hair `[N, 3]`, for a change `[2, 3]` of drawn hair and what words name; `pull` is
    how far it goes beyond the drawn one to that."""
    if change is None and named is None:
        return None
    change = np.stack([_mean(own)] * 2) if change is None else change
    way = change[1] - change[0]
    follow = _step(float(np.abs(way).max()) / FOLLOWED)
    wanted = (1 - follow) * (_mean(own) + way) + follow * (change[1] + light)
    if named is not None:
        value = named.sense.split(": ")[1]
        colour = SHADES.get(value, SHADES["brown"]) if named.color is None else named.color
        goal = np.log(np.clip(colour, 0.06, 0.9) + DARK) + 0.5 * light
        follow = max(follow, min(named.amount, 1.0))
        wanted = wanted + pull * min(named.amount, 1.0) * (goal - wanted)
        hue, own_hue = goal - goal @ GREY, wanted - wanted @ GREY
        much = NAMED[named.sense in COLOURLESS] * min(named.amount, 1.0)
        wanted = wanted + much * (hue - own_hue)
        if value in BRIGHT:  # what is as bright already stays so
            wanted = wanted + KEPT * max(float((_mean(own) - wanted) @ GREY), 0.0)
    darkest = np.minimum(np.log(DARKEST + DARK), _mean(own))
    wanted = np.clip(wanted, np.maximum(darkest, np.log(0.03 + DARK)), np.log(0.92 + DARK))
    # Hair that nearly has the colour keeps its strands' own colours and contrast.
    gap = wanted - _mean(own)
    change_of = min(1.0, float(np.abs(gap).max()) / DYED)
    if named is not None and named.sense in COLOURLESS:  # a tinge of sand or gold is no grey
        change_of = max(change_of, min(1.0, float(np.abs(gap - gap @ GREY).max()) / TINGED))
    follow *= change_of
    wanted = _mean(own) + change_of**0.4 * (wanted - _mean(own))
    darker = float((wanted - _mean(own)) @ GREY) <= 0
    bounds = DARKER if darker else LEAST_CONTRAST, MOST[darker]
    veiled = 0.75 if named is None or named.sense not in COLOURLESS else 0.95
    return _strands(own, wanted, follow, veiled, bounds)


def _dyed(own: np.ndarray, named: Meant, colour: tuple[float, float, float]) -> Tint:
    """The tint of hair `[N, 3]` that is dyed in any colour: dark hair takes a deep shade of it."""
    goal = np.log(np.clip(colour, 0.06, 0.9) + DARK)
    mean = _mean(own)
    taken = TAKEN[bool(goal @ GREY < mean @ GREY)]
    light = mean @ GREY + taken * ((goal - mean) @ GREY)
    wanted = light + VIVID * (goal - goal @ GREY)
    much = min(named.amount, 1.0)
    wanted = mean + much * (np.clip(wanted, np.log(0.03 + DARK), np.log(0.92 + DARK)) - mean)
    return _strands(own, wanted, much, 0.9, (LEAST_CONTRAST, MOST[0]))


def _strands(
    own: np.ndarray, wanted: np.ndarray, much: float, veil: float, bounds: tuple[float, float]
) -> Tint:
    """The tint of hair that keeps its strands, with the contrast that hair of its new colour has.

    Args:
        own: its levels `[N, 3]` in [0, 1].
        wanted: mean of the logarithms of its new colours `[3]`.
        much: how far all that goes, in [0, 1].
        veil: the most of the veil.
        bounds: of the factor of its contrast.
    """
    spread = float(np.log(own @ GREY + DARK).std()) + 1e-3
    usual = float(np.interp(np.exp(wanted) @ GREY, *CONTRASTS))
    contrast = float(np.clip((usual / spread) ** 0.7, *bounds))
    tint = tint_towards(own, wanted, 1 + much * (contrast - 1), veil * much, capped=True)
    even = (abs(float((wanted - _mean(own)) @ GREY)) - EVENED[0]) / (EVENED[1] - EVENED[0])
    return replace(tint, even=much * min(max(even, 0.0), 1.0))


def _of_age(wishes: Wishes) -> Meant | None:
    """The hair that an old person, or a child, is taken to have."""
    old, young = wishes.amount("age: old"), wishes.amount("age: child")
    if old > 0:
        return Meant("hair_color: gray", GREYED * old)
    return Meant("hair_color: brown", GREYED * young) if young > 0 else None


def _of_child(wishes: Wishes) -> bool:
    """Do words ask for a child, and for no colour of hair?"""
    return wishes.strongest("hair_color") is None and wishes.amount("age: child") > 0


def _is_grey(own: np.ndarray) -> bool:
    """Has hair `[N, 3]` lost its colour? No child's has."""
    if not len(own):
        return False
    mean = own.mean(axis=0)
    return bool(np.ptp(mean) < PALE * mean.mean() and mean.mean() > PALEST)


def _iris(own: np.ndarray, named: Meant) -> Tint:
    """The tint of irises `[N, 3]`; the pupil stays dark and the glint bright."""
    value = named.sense.split(": ")[1]
    usual = (0.45, 0.45, 0.45) if named.color is None else named.color
    colour = np.array(IRISES.get(value, usual))
    light = float(np.clip(np.exp(np.log(own @ GREY + DARK).mean()) / 0.25, 0.7, 1.3))
    goal = np.log(np.clip(colour * light, 0.04, 0.8) + DARK)
    much = 0.8 * min(named.amount, 1.0)
    way = goal - _mean(own)
    way -= max(float(way @ GREY) - BRIGHTER, 0.0)  # nearly black eyes do not become pale ones
    return tint_towards(own, _mean(own) + much * way, 1.5, 0.8 * much, 0.3)


def _lips(own: np.ndarray, change: np.ndarray | None, wishes: Wishes) -> Tint | None:
    """The tint of lips `[N, 3]`: make-up that words name, else the change of the drawn lips."""
    named = wishes.strongest("lipstick")
    if named is None or named.sense != "lipstick: yes":
        if change is None:
            return None
        return tint_towards(own, _mean(own) + change[1] - change[0], gloss=0.2)
    colour = np.array(LIPSTICK if named.color is None else named.color)
    light = float(np.clip(np.exp(_mean(own) @ GREY) / USUAL, 0.45, 1.15))
    goal = np.log((0.06 + 0.62 * colour) * light + DARK)
    much = 0.8 * min(named.amount, 1.2)
    return tint_towards(own, _mean(own) + much * (goal - _mean(own)), 1.05, 0.3 * much, 0.35)


def _light(around: Surroundings, before: Drawn) -> float:
    """How much brighter the photo's skin is than the drawn one, in logarithms."""
    photo, drawing = around.levels(SKIN), _levels(before, SKIN)
    if min(len(photo), len(drawing)) < LEAST:
        return 0.0
    return float(np.clip((_mean(photo) - _mean(drawing)) @ GREY, -0.4, 0.3))


def _change(before: Drawn, after: Drawn, names: Names, wishes: Wishes) -> np.ndarray | None:
    """Mean logarithms of a region's colours before and after `[2, 3]`; None: they stay.

    Changes that are hardly any fade away.
    """
    pair = [_levels(drawing, names) for drawing in (before, after)]
    if min(map(len, pair)) < LEAST / 3:
        return None
    then, now = map(_mean, pair)
    size = float(np.abs(now - then).max())
    spoken = any(wishes.strongest(attribute) is not None for attribute in SPOKEN[names])
    size /= 1.0 if spoken else UNSAID
    share_of = _step((size - NONE) / (WHOLE - NONE))
    return None if share_of == 0 else np.stack([then, then + share_of * (now - then)])


def _levels(drawing: Drawn, names: Names) -> np.ndarray:
    found: np.ndarray = drawing.levels[share(drawing.likely, names) > SURE]
    return found


def _mean(levels: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.log(levels + DARK).mean(axis=0)
    return found


def _step(t: float) -> float:
    t = float(np.clip(t, 0, 1))
    return t * t * (3 - 2 * t)
