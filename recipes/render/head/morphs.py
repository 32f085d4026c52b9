"""Shapes the body mesh: sex, age, ancestry, weight, identity and expression as sums of morph
targets.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from recipes.render.drawing.assets import Array, base_mesh, target
from recipes.render.factors import IDENTITY_SIZE, Factors
from recipes.render.head.expressions import expression_units

_ANCESTRIES = ("african", "asian", "caucasian")
# (targets of a negative weight, targets of a positive weight, gain); "lr:" stands for both sides.
_AXES: tuple[tuple[str, str, float], ...] = (
    ("head/head-round", "head/head-rectangular", 0.45),
    ("head/head-oval", "head/head-square", 0.5),
    ("head/head-triangular", "head/head-invertedtriangular", 0.35),
    ("", "head/head-diamond", 0.6),
    ("head/head-scale-horiz-decr", "head/head-scale-horiz-incr", 0.35),
    ("head/head-scale-vert-decr", "head/head-scale-vert-incr", 0.25),
    ("head/head-scale-depth-decr", "head/head-scale-depth-incr", 0.5),
    ("forehead/forehead-trans-backward", "forehead/forehead-trans-forward", 0.6),
    ("forehead/forehead-nubian-decr", "forehead/forehead-nubian-incr", 0.35),
    ("forehead/forehead-scale-vert-decr", "forehead/forehead-scale-vert-incr", 0.3),
    ("forehead/forehead-temple-decr", "forehead/forehead-temple-incr", 0.7),
    ("lr:eyes/{}-eye-height2-decr", "lr:eyes/{}-eye-height2-incr", 0.4),
    ("lr:eyes/{}-eye-corner1-down", "lr:eyes/{}-eye-corner1-up", 0.7),
    ("lr:eyes/{}-eye-corner2-down", "lr:eyes/{}-eye-corner2-up", 0.7),
    ("lr:eyes/{}-eye-scale-decr", "lr:eyes/{}-eye-scale-incr", 0.6),
    ("lr:eyes/{}-eye-trans-down", "lr:eyes/{}-eye-trans-up", 0.5),
    ("lr:eyes/{}-eye-trans-in", "lr:eyes/{}-eye-trans-out", 0.6),
    ("lr:eyes/{}-eye-eyefold-concave", "lr:eyes/{}-eye-eyefold-convex", 0.8),
    ("lr:eyes/{}-eye-eyefold-down", "lr:eyes/{}-eye-eyefold-up", 0.7),
    ("lr:eyes/{}-eye-push1-in", "lr:eyes/{}-eye-push1-out", 0.6),
    ("nose/nose-scale-vert-decr", "nose/nose-scale-vert-incr", 0.7),
    ("nose/nose-scale-horiz-decr", "nose/nose-scale-horiz-incr", 0.7),
    ("nose/nose-scale-depth-decr", "nose/nose-scale-depth-incr", 0.7),
    ("nose/nose-volume-decr", "nose/nose-volume-incr", 0.6),
    ("nose/nose-width1-decr", "nose/nose-width1-incr", 0.7),
    ("nose/nose-width2-decr", "nose/nose-width2-incr", 0.7),
    ("nose/nose-hump-decr", "nose/nose-hump-incr", 0.8),
    ("nose/nose-curve-concave", "nose/nose-curve-convex", 0.7),
    ("nose/nose-point-down", "nose/nose-point-up", 0.7),
    ("nose/nose-point-width-decr", "nose/nose-point-width-incr", 0.7),
    ("nose/nose-nostrils-width-decr", "nose/nose-nostrils-width-incr", 0.7),
    ("nose/nose-greek-decr", "nose/nose-greek-incr", 0.6),
    ("nose/nose-trans-down", "nose/nose-trans-up", 0.5),
    ("mouth/mouth-scale-horiz-decr", "mouth/mouth-scale-horiz-incr", 0.6),
    ("mouth/mouth-scale-vert-decr", "mouth/mouth-scale-vert-incr", 0.6),
    ("mouth/mouth-upperlip-volume-decr", "mouth/mouth-upperlip-volume-incr", 0.8),
    ("mouth/mouth-lowerlip-volume-decr", "mouth/mouth-lowerlip-volume-incr", 0.8),
    ("mouth/mouth-cupidsbow-decr", "mouth/mouth-cupidsbow-incr", 0.8),
    ("mouth/mouth-trans-down", "mouth/mouth-trans-up", 0.5),
    ("lr:cheek/{}-cheek-bones-decr", "lr:cheek/{}-cheek-bones-incr", 0.8),
    ("lr:cheek/{}-cheek-volume-decr", "lr:cheek/{}-cheek-volume-incr", 0.7),
    ("lr:cheek/{}-cheek-inner-decr", "lr:cheek/{}-cheek-inner-incr", 0.6),
    ("chin/chin-width-decr", "chin/chin-width-incr", 0.8),
    ("chin/chin-height-decr", "chin/chin-height-incr", 0.7),
    ("chin/chin-prominent-decr", "chin/chin-prominent-incr", 0.7),
    ("chin/chin-jaw-drop-decr", "chin/chin-jaw-drop-incr", 0.7),
    ("lr:ears/{}-ear-scale-decr", "lr:ears/{}-ear-scale-incr", 0.6),
    ("lr:ears/{}-ear-wing-decr", "lr:ears/{}-ear-wing-incr", 0.5),
)


def shape_body(factors: Factors, root: Path) -> Array:
    """Calm body vertices [V, 3] in mesh units (decimetres) for the factors, in the rest pose."""
    body = base_mesh(root).vertices.copy()
    for name, weight in macro_weights(factors).items():
        _add(body, root, f"macrodetails/{name}", weight)
    for name, weight in identity_weights(factors).items():
        _add(body, root, name, weight)
    return body


def add_expression(calm: Array, factors: Factors, root: Path) -> Array:
    """The calm body with the factors' expression added."""
    body = calm.copy()
    # Small faces turn into masks at an adult's full strength.
    strength = factors.expression_strength * float(np.interp(factors.age, [4, 12], [0.75, 1.0]))
    for unit, weight in expression_units(factors.expression, strength).items():
        for race in _ANCESTRIES:
            _add(body, root, f"expression/units/{race}/{unit}", weight * getattr(factors, race))
    return body


def age_weights(age: float) -> dict[str, float]:
    """Shares of the four modelled ages (baby, child, young, old); they sum to 1."""
    knots = {"baby": 1.0, "child": 9.0, "young": 24.0, "old": 82.0}
    names, years = list(knots), list(knots.values())
    age = float(np.clip(age, years[0], years[-1]))
    k = min(int(np.searchsorted(years, age, side="right")) - 1, len(years) - 2)
    share = (age - years[k]) / (years[k + 1] - years[k])
    return {names[k]: 1.0 - share, names[k + 1]: share}


def macro_weights(factors: Factors) -> dict[str, float]:
    """Weights of the macro targets: ancestry x sex x age, and body weight x sex x age."""
    out: dict[str, float] = {}
    heavy = 2.0 * factors.weight - 1.0
    # The modelled sexes are close to each other: push adults a little past them.
    gain = 1.0 + 0.35 * float(np.clip((factors.age - 8) / 10, 0, 1))
    male = 0.5 + (factors.sex - 0.5) * gain
    sizes = {"max": max(heavy, 0.0), "min": max(-heavy, 0.0), "average": 1.0 - abs(heavy)}
    for sex, sex_share in (("female", 1.0 - male), ("male", male)):
        for age, age_share in age_weights(factors.age).items():
            for race in _ANCESTRIES:
                out[f"{race}-{sex}-{age}"] = sex_share * age_share * getattr(factors, race)
            for size, share in sizes.items():
                name = f"universal-{sex}-{age}-averagemuscle-{size}weight"
                out[name] = sex_share * age_share * share
    return {name: weight for name, weight in out.items() if abs(weight) > 1e-4}


def identity_weights(factors: Factors) -> dict[str, float]:
    """Weights of the local targets: the identity vector, and what age and weight do to a head."""
    if len(factors.identity) != IDENTITY_SIZE or len(_AXES) != IDENTITY_SIZE:
        raise ValueError(f"identity needs {IDENTITY_SIZE} weights, got {len(factors.identity)}")
    out: dict[str, float] = {}
    for (low, high, gain), value in zip(_AXES, factors.identity, strict=True):
        name = high if value > 0 else low
        for one in _sides(name):
            out[one] = out.get(one, 0.0) + abs(value) * gain
    young = float(np.clip((14 - factors.age) / 8, 0, 1))
    for name, weight in _sex_weights(factors).items():
        out[name] = out.get(name, 0.0) + weight
    old = float(np.clip((factors.age - 36) / 44, 0, 1))
    heavy = 2.0 * factors.weight - 1.0
    out["head/head-age-incr"] = 0.9 * old
    out["head/head-fat-incr"] = 0.85 * max(heavy, 0.0)
    out["head/head-fat-decr"] = 0.8 * max(-heavy, 0.0)
    out["neck/neck-double-incr"] = 0.4 * max(heavy, 0.0)
    for side in "lr":
        out[f"eyes/{side}-eye-bag-incr"] = 0.7 * old
        big = f"eyes/{side}-eye-scale-incr"
        out[big] = out.get(big, 0.0) + 0.5 * young
        wide = f"eyes/{side}-eye-height2-incr"
        out[wide] = out.get(wide, 0.0) + 0.3 + 0.25 * (1 - factors.sex)
        out[f"eyes/{side}-eye-epicanthus-in"] = 0.6 * factors.asian
    return {name: weight for name, weight in out.items() if weight > 1e-4}


def _sex_weights(factors: Factors) -> dict[str, float]:
    """Local differences between men and women that the macro targets leave too small."""
    grown = float(np.clip((factors.age - 7) / 12, 0.25, 1))
    female = grown * float(np.clip(1 - 2 * factors.sex, 0, 1))
    male = grown * float(np.clip(2 * factors.sex - 1, 0, 1))
    return {
        "chin/chin-width-decr": 0.45 * female,
        "chin/chin-bones-decr": 0.35 * female,
        "chin/chin-height-decr": 0.2 * female,
        "nose/nose-scale-horiz-decr": 0.35 * female,
        "nose/nose-volume-decr": 0.25 * female,
        "nose/nose-hump-decr": 0.2 * female,
        "mouth/mouth-upperlip-volume-incr": 0.45 * female,
        "mouth/mouth-lowerlip-volume-incr": 0.4 * female,
        "neck/neck-scale-horiz-decr": 0.4 * female,
        "chin/chin-width-incr": 0.3 * male,
        "chin/chin-bones-incr": 0.4 * male,
        "eyebrows/eyebrows-trans-down": 0.4 * male,
        "neck/neck-scale-horiz-incr": 0.35 * male,
    }


def _sides(name: str) -> list[str]:
    if not name:
        return []
    if name.startswith("lr:"):
        return [name[3:].format("l"), name[3:].format("r")]
    return [name]


@cache
def _dense(root: Path, name: str) -> Array | None:
    """The large targets as [V, 3]: adding whole arrays beats scattering thousands of rows."""
    ids, offsets = target(root, name)
    if len(ids) < 4000:
        return None
    out = np.zeros_like(base_mesh(root).vertices)
    out[ids] = offsets
    return out


def _add(body: Array, root: Path, name: str, weight: float) -> None:
    if abs(weight) < 1e-4:
        return
    dense = _dense(root, name)
    if dense is not None:
        body += np.float32(weight) * dense
        return
    ids, offsets = target(root, name)
    body[ids] += np.float32(weight) * offsets
