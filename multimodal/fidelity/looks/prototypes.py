"""Looks of photographs: how faces of one group differ from those of another.

The drawings say what an edit wants; how an old face, a child's, a man's or a smile looks on a
photograph is taken from photographs: the mean shapes and colours of groups of faces, brought onto
one mesh (prototypes: Rowland and Perrett 1995; with the strength of fine detail, Tiddeman, Burt and
Perrett 2001). A face is led along the difference of two prototypes and stays itself. Means have no
wrinkles: those of age are laid on as factors of brightness (expression ratio images: Liu, Shan and
Zhang 2001).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors import safe_open
from scipy.optimize import linear_sum_assignment

FINEST = 1.15
"""Fine contrast goes no further than this, or faces look sharper than photographs."""
DARKEST, BRIGHTEST = -1.2, 0.2
"""Bounds of a look's colours, in logarithms: skin has nothing brighter in it."""
LINED, MOST_LINED = 0.32, 0.5
"""How deep the lines of a look of age at amount 1 are, and the deepest, beside their faces' own."""
WEIGHTS = Path(__file__).parent / "looks.safetensors"


@dataclass(frozen=True, eq=False)
class Looks:
    """Differences of groups of faces, each at amount 1.

    Args:
        names: of the K looks.
        shapes: `[K, 468, 2]`, what the points of `mesh` move by.
        textures: `[K, T, T, 3]`, logarithms of factors of colours, over the square of `places`.
        details: `[K, T, T]`, logarithms of factors of fine contrast, likewise.
        mesh: the mean face `[468, 2]` that the shapes belong to.
        places: where its points lie in the textures `[468, 2]`, in parts of their side.
        reading: `[F, K]`, from what two drawings differ by to amounts of looks.
        lines: `[L, L]`, logarithms of factors of brightness, over the square of `places`: the
            wrinkles of old faces, of which no mean of faces has any.
    """

    names: tuple[str, ...]
    shapes: np.ndarray
    textures: np.ndarray
    details: np.ndarray
    mesh: np.ndarray
    places: np.ndarray
    reading: np.ndarray
    lines: np.ndarray


@dataclass(frozen=True, eq=False)
class Look:
    """Several looks together; fields as those of `Looks`, without the first axis.

    Args:
        weight: how much of a look this is, in [0, 1].
        led: how much of it words named, in [0, 1]: that much the drawing has no say.
        faded: share of wrinkles and pores that go, `[T, T]` in [0, 1], or None: none does.
        lines: wrinkles that come, `[L, L]`, or None: none do.
    """

    weight: float
    led: float
    shape: np.ndarray
    texture: np.ndarray
    detail: np.ndarray
    faded: np.ndarray | None = None
    lines: np.ndarray | None = None


@lru_cache(maxsize=1)
def partners() -> np.ndarray:
    """For each point of the mesh the one on the other side of the face `[468]`."""
    mesh = looks().mesh
    turned = mesh * (-1.0, 1.0) + (2 * mesh[168, 0], 0.0)
    away = np.linalg.norm(mesh[:, None] - turned[None], axis=-1)
    found: np.ndarray = linear_sum_assignment(away)[1]
    return found


@lru_cache(maxsize=1)
def looks() -> Looks:
    """Those that come with the program, loaded once."""
    with safe_open(WEIGHTS, "np") as file:
        names = tuple((file.metadata() or {})["names"].split(","))
        found = {key: file.get_tensor(key).astype(np.float32) for key in file.keys()}  # noqa: SIM118
    return Looks(names, **found)


def together(amounts: np.ndarray, led: float = 0.0) -> Look:
    """Looks `[K]` laid over each other.

    Args:
        amounts: of each look.
        led: how much of it words named, in [0, 1].
    """
    known = looks()
    # Going back along a look brightens what it darkens, and skin has no brighter brows in it.
    shape = np.tensordot(np.where(amounts < 0, 1.4, 1.0) * amounts, known.shapes, 1)
    softer = np.where(amounts < 0, 0.55, 1.0) * amounts
    texture = np.tensordot(softer, known.textures, 1).clip(DARKEST, BRIGHTEST)
    detail = np.tensordot(np.clip(softer, -FINEST, FINEST), known.details, 1)
    weight = float(np.abs(amounts).max().clip(0, 1))
    deep = min(LINED * float(amounts[known.names.index("old")]), MOST_LINED)
    lines = deep * known.lines if deep > 0 else None
    return Look(weight, min(max(led, 0.0), 1.0), shape, texture, detail, lines=lines)
