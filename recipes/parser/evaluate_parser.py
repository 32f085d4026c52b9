"""Measure a parser on photographs labelled by hand.

    python -m recipes.parser.evaluate_parser --parser runs/parser --photos portraits

`hand_labels.json` holds outlines of skin, hair, brows, eyes, mouth, glasses, beards and hats, drawn
by a person over twelve photographs that no training saw. What no outline covers counts as other.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from multimodal.images import load_image, to_tensor
from multimodal.parsing.classes import CLASSES
from multimodal.parsing.files import load_parser
from multimodal.parsing.parser import FaceParser

HAND_LABELS = Path(__file__).with_name("hand_labels.json")
GROUPS: dict[str, tuple[str, ...]] = {
    "skin": ("skin", "nose"),
    "hair": ("hair",),
    "brows": ("brows",),
    "eyes": ("eyes", "iris"),
    "mouth": ("lips", "mouth", "teeth"),
    "glasses": ("glasses",),
    "beard": ("beard",),
    "hat": ("hat",),
}
"""What was outlined, as classes of the parser."""


def read_hand_labels(path: Path = HAND_LABELS) -> dict[str, np.ndarray]:
    """By file: places in `GROUPS` plus 1, uint8 `[side, side]`, 0 where nothing was outlined."""
    values = json.loads(path.read_text(encoding="utf-8"))
    return {name: _drawn(shapes, values["side"]) for name, shapes in values["photos"].items()}


def _drawn(shapes: list[Any], side: int) -> np.ndarray:
    """Outlines in their order; a later one lies over an earlier; a width makes it a line."""
    image = Image.new("L", (side, side))
    pen = ImageDraw.Draw(image)
    for name, width, points in shapes:
        value = list(GROUPS).index(name) + 1 if name in GROUPS else 0
        corners = [(float(x), float(y)) for x, y in points]
        if width:
            pen.line(corners, fill=value, width=max(round(width * side / 760), 2), joint="curve")
        else:
            pen.polygon(corners, fill=value)
    return np.asarray(image)


@torch.no_grad()
def measure(
    parser: FaceParser,
    photos: Path,
    on_photo: Callable[[str, dict[str, float]], None] | None = None,
) -> dict[str, float]:
    """Intersection over union of each group, pixels of all photographs together.

    Raises:
        FileNotFoundError: a photograph is missing.
    """
    sums = np.zeros((2, len(GROUPS)))
    for name, wanted in read_hand_labels().items():
        image = load_image(photos / name).resize(wanted.shape, Image.Resampling.BICUBIC)
        found = parser.labels(to_tensor(image))[0].cpu().numpy()
        mine = np.zeros((2, len(GROUPS)))
        for k, classes in enumerate(GROUPS.values()):
            ours = np.isin(found, [CLASSES.index(c) for c in classes])
            theirs = wanted == k + 1
            mine[:, k] = (ours & theirs).sum(), (ours | theirs).sum()
        sums += mine
        if on_photo:
            on_photo(name, _ratios(mine))
    return _ratios(sums)


def _ratios(sums: np.ndarray) -> dict[str, float]:
    return {name: float(a / b) for name, a, b in zip(GROUPS, *sums, strict=True) if b}


def main() -> None:
    """Parse the command line, measure, print."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--parser", type=Path, required=True, help="a run, or a model folder")
    options.add_argument("--photos", type=Path, required=True, help="where the photographs lie")
    given = options.parse_args()

    def tell(name: str, values: dict[str, float]) -> None:
        print(name, " ".join(f"{k} {v:.2f}" for k, v in values.items()))

    found = measure(load_parser(given.parser), given.photos, tell)
    print("all", " ".join(f"{k} {v:.3f}" for k, v in found.items()))


if __name__ == "__main__":
    main()
