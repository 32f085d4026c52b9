"""Cuts the beards out of photographs that `multimodal.fidelity.things.jaws` grows on other faces.

    python -m recipes.fidelity.beards --photos FOLDER

FOLDER holds the photographs that `beards.toml` names (CC0; none of those held out for tests). How
much of the skin hairs hide is read from how much darker a photo is than the face would be without
its beard, so that each strand counts, and skin that shines through a beard's rim does.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from multimodal.fidelity.drawn import shrinking
from multimodal.fidelity.hairstyles.heads import width_of
from multimodal.fidelity.mesh import OUTER_LIPS, OVAL
from multimodal.fidelity.subjects import Subject
from multimodal.fidelity.things.jaws.library import FOLDER, MOST, SIDE
from multimodal.fidelity.things.jaws.whiskers import inside, jaw_parts
from recipes.fidelity.hairstyles import folders, subject_in, write_table

TABLE = Path(__file__).with_suffix(".toml")
QUALITY = 90
DARK = 0.15
"""Quantile of a beard's brightness that counts as all hair."""
HAZE = 0.10
"""How much darker than skin is no beard yet."""
BELOW = (0.0, 0.05)
"""How far below the face's outline a beard is whole, and ends, in widths of the face."""
RAGGED = 0.009
"""How uneven that end is, likewise."""
SEAM = 21
"""How broad dark lines across a beard are that are none, in pixels."""
SOFT = 0.01
"""How softly outlines are cut, in parts of the side."""


def density_of(subject: Subject, out: list[Any]) -> np.ndarray:
    """How much of the skin hairs hide: 1 is all of it, more is the darkest strands, `[768, 768]`.

    Args:
        subject: a photo whose face is bearded.
        out: outlines of what is no beard, in hundredths of the crop's side.

    Raises:
        ValueError: the photo shows no beard.
    """
    chin = subject.chin
    if chin is None:
        raise ValueError("the photo shows no beard")
    how = shrinking(len(subject.crop), SIDE)
    light = cv2.resize(subject.crop, (SIDE, SIDE), interpolation=how).mean(axis=-1) / 255
    bare = cv2.resize(chin.colours.mean(axis=-1), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    bare = cv2.GaussianBlur(bare, (0, 0), SIDE / 150)
    where = cv2.resize(chin.alpha, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    dark = float(np.quantile(light[where > 0.95], DARK))
    found = (bare - light) / np.maximum(bare - dark, 0.05)
    found = ((found - HAZE) / (1 - HAZE)).clip(0, MOST)
    found = (found * where).astype(np.float32)
    found = np.maximum(found, _closed(found) * _rim(subject.mesh))
    return np.asarray(found * _within(subject.mesh, out), np.float32)


def _closed(dense: np.ndarray) -> np.ndarray:
    """A density without thin gaps."""
    soft = cv2.GaussianBlur(dense, (0, 0), 1.5)
    shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (SEAM, SEAM))
    found: np.ndarray = cv2.morphologyEx(soft, cv2.MORPH_CLOSE, shape)
    return found


def _rim(mesh: np.ndarray) -> np.ndarray:
    """The band about a face's outline, `[768, 768]` in [0, 1]."""
    found = np.zeros((SIDE, SIDE), np.float32)
    rim = np.round(mesh[list(OVAL)] * SIDE * 16 - 8).astype(np.int32)
    cv2.polylines(found, [rim], True, 1.0, SEAM, cv2.LINE_AA, 4)
    soft: np.ndarray = cv2.GaussianBlur(found, (0, 0), SEAM / 4)
    return soft


def _strands() -> np.ndarray:
    """Unevenness that runs downwards as hairs do, `[768, 768]` of standard deviation 1."""
    noise = np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(np.float32)
    found: np.ndarray = cv2.GaussianBlur(noise, (0, 0), sigmaX=0.9, sigmaY=4)
    return found / found.std()


def _within(mesh: np.ndarray, out: list[Any]) -> np.ndarray:
    """Where a trimmed beard may be: on the face's jaw and a little below, not what `out` names."""
    rim = np.round(mesh[list(OVAL)] * SIDE * 16 - 8).astype(np.int32)
    face = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(face, [rim], 1, cv2.LINE_8, 4)
    away = cv2.distanceTransform(1 - face, cv2.DIST_L2, 5) / (width_of(mesh) * SIDE)
    found: np.ndarray = np.clip(
        (BELOW[1] - away + RAGGED * _strands()) / (BELOW[1] - BELOW[0]), 0, 1
    )
    parts = jaw_parts(mesh)
    lips = inside(mesh[list(OUTER_LIPS)], 1.0)
    free = np.clip(parts.low + parts.below, 0, 1) * (1 - parts.nose) * (1 - lips)
    found = found * cv2.resize(free, (SIDE, SIDE))
    left: np.ndarray = np.ones((SIDE, SIDE), np.float32)
    for outline in out:
        points = np.array(outline) / 100 * SIDE
        cv2.fillPoly(left, [np.round(points * 16).astype(np.int32)], 0.0, cv2.LINE_AA, 4)
    left = cv2.GaussianBlur(left, (0, 0), SOFT * SIDE)
    return np.asarray(found * left, np.float32)


def build(photos: Path, folder: Path, on_step: Callable[[str], None] | None = None) -> None:
    """Cut all beards of the table.

    Args:
        photos: holds the photographs.
        folder: receives a picture of each beard, and `beards.json`.
        on_step: told the name of each that is done.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name, one in tomllib.loads(TABLE.read_text(encoding="utf-8")).items():
        subject = subject_in(Image.open(photos / one["photo"]).convert("RGB"))
        dense = density_of(subject, one["out"])
        levels = np.rint(dense / MOST * 255).astype(np.uint8)
        Image.fromarray(levels).save(folder / f"{name}.webp", quality=QUALITY, method=6)
        spots = [round(float(value), 4) for value in subject.mesh.ravel()]
        found.append({"name": name, "photo": one["photo"], "thin": one["thin"], "mesh": spots})
        if on_step is not None:
            on_step(name)
    write_table(folder / "beards.json", found)


def main() -> None:
    """The command line."""
    build(*folders(__doc__, FOLDER), on_step=print)


if __name__ == "__main__":
    main()
