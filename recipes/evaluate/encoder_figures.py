"""How well the model inverts held-out faces: one call, more steps, tuning."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from multimodal.editing.editor import FaceEditor
from multimodal.images import load_image, save_image, to_pil, to_tensor
from multimodal.metrics import psnr
from multimodal.types import Face
from recipes.data import Faces

BARS = {"encoder": {"lpips": 0.10, "identity": 0.85, "seconds": 0.5}}
BARS |= {"steps": {"lpips": 0.06}, "tuning": {"lpips": 0.05}}
"""On renders: LPIPS and seconds at most, identity at least."""
PHOTO_BARS = {"tuning": {"lpips": 0.05, "identity": 0.90}}
"""The same on portraits, another domain than the default model's."""


@dataclass(frozen=True)
class Way:
    """A way to invert.

    Args:
        name: in the results.
        method: of `multimodal.inversion.METHODS`.
        options: of the method.
        about: for people.
    """

    name: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""


WAYS = (
    Way("encoder", "encoder", {}, "one call of the encoder"),
    Way("steps", "hybrid", {"steps": 100}, "then 100 steps"),
    Way("tuning", "pti", {}, "pivotal tuning"),
)


def bars_of(way: Way, faces: Faces) -> dict[str, float]:
    """What is asked for of a way to invert: of renders, which come in shards, or of photos."""
    return (BARS if faces.shards else PHOTO_BARS).get(way.name, {})


def measure(
    editor: FaceEditor, faces: Faces, count: int, way: Way, shown: Path | None = None, kept: int = 0
) -> dict[str, float]:
    """Mean figures over the first `count` faces, median seconds.

    Args:
        editor: the model.
        faces: held-out ones, aligned.
        count: how many.
        way: how to invert them.
        shown: folder for the pictures of the first `kept` faces and their reconstructions.
    """
    rows = []
    for number in range(count):
        picture = to_pil(faces.batch(np.array([number])))
        begun = time.perf_counter()
        face = editor.invert(picture, way.method, aligned=True, **way.options)
        seconds = time.perf_counter() - begun
        drawn = editor.draw(face).clamp(-1, 1)
        rows.append({**figures(editor, face, drawn), "seconds": seconds})
        if shown is not None and number < kept:
            shown.mkdir(parents=True, exist_ok=True)
            save_image(picture, shown / f"{number}_original.png", "render")
            save_image(to_pil(drawn), shown / f"{number}_{way.name}.png", "reconstruction")
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return {
        "faces": float(count),
        **means,
        "seconds": float(np.median([r["seconds"] for r in rows])),
    }


@torch.no_grad()
def figures(editor: FaceEditor, face: Face, drawn: torch.Tensor) -> dict[str, float]:
    """LPIPS, PSNR and identity cosine of one reconstruction `[1, 3, R, R]`."""
    target = to_tensor(face.aligned).to(drawn.device)
    tools = editor.toolkit
    out = {"psnr": float(psnr(drawn, target))}
    if tools.lpips is not None:
        out["lpips"] = float(tools.lpips(drawn, target))
    if tools.identity is not None:
        out["identity"] = float((tools.identity(drawn) * tools.identity(target)).sum())
    return out


def shown_pictures(folder: Path, count: int) -> list[list[tuple[str, Image.Image]]]:
    """Rows of labelled pictures that `measure` left: the original, then each way's."""
    rows = []
    for number in range(count):
        labels = {"original": "original"} | {way.name: way.about for way in WAYS}
        paths = {label: folder / f"{number}_{name}.png" for name, label in labels.items()}
        rows.append([(label, load_image(path)) for label, path in paths.items() if path.is_file()])
    return [row for row in rows if row]
