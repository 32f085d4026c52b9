"""Hair cut out of photographs, ready to be worn by other faces.

Each style is the hair of one CC0 photograph (`styles.json` names it): its colours without what
shone through from behind, its alpha, and the mesh of the face that wears it. They are cut by
`recipes/fidelity/hairstyles.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from multimodal.fidelity.looks.prototypes import partners

FOLDER = Path(__file__).parent / "styles"
SIDE = 1024
"""Side of the square about a head in which styles lie, in pixels."""
DARK = 0.02
"""Added to colours before their logarithms are taken, so that black stays finite."""


@dataclass(frozen=True, eq=False)
class Style:
    """Hair as one person wears it.

    Args:
        name: of its file.
        kind: "long", "bob", "afro" or "short".
        curl: how curly it is, in [0, 1].
        mesh: of the face that wears it `[468, 2]`, in parts of the side of the square.
        box: left, top, right, bottom of what is kept of the square, in its pixels.
        heights: of hair line and crown above the eyes, in widths of the face.
        light: how much lighter that face's right half is, in logarithms.
        mirrored: it is worn the other way round.
    """

    name: str
    kind: str
    curl: float
    mesh: np.ndarray
    box: tuple[int, int, int, int]
    light: float
    heights: tuple[float, float]
    mirrored: bool = False

    @property
    def known(self) -> str:
        """Its name, and whether it is mirrored."""
        return f"{self.name} mirrored" if self.mirrored else self.name

    @cached_property
    def layer(self) -> np.ndarray:
        """Colours and alpha `[1024, 1024, 4]` uint8."""
        found = _layer(self.name, self.box)
        return np.ascontiguousarray(found[:, ::-1]) if self.mirrored else found

    @cached_property
    def tones(self) -> np.ndarray:
        """Logarithms of its colours `[N, 3]`."""
        layer = self.layer[::4, ::4]
        colours = layer[layer[..., 3] > 230][:, :3].astype(np.float32) / 255
        return np.log(colours + DARK)

    def other_way_round(self) -> Style:
        """The same seen in a mirror."""
        mesh = (self.mesh * (-1, 1) + (1, 0))[partners()]
        rest = (self.name, self.kind, self.curl)
        return Style(*rest, mesh, self.box, -self.light, self.heights, not self.mirrored)


@lru_cache(maxsize=1)
def styles() -> tuple[Style, ...]:
    """All styles, and each seen in a mirror."""
    found = []
    for one in json.loads((FOLDER / "styles.json").read_text(encoding="utf-8")):
        mesh = np.array(one["mesh"], np.float64).reshape(-1, 2)
        box = tuple(int(edge) for edge in one["box"])
        assert len(box) == 4
        rest = (one["name"], one["kind"], float(one["curl"]))
        style = Style(*rest, mesh, box, float(one["light"]), tuple(one["heights"]))
        found += [style, style.other_way_round()]
    return tuple(found)


@lru_cache(maxsize=4)
def _layer(name: str, box: tuple[int, int, int, int]) -> np.ndarray:
    layer = np.zeros((SIDE, SIDE, 4), np.uint8)
    with Image.open(FOLDER / f"{name}.webp") as picture:
        layer[box[1] : box[3], box[0] : box[2]] = np.asarray(picture.convert("RGBA"))
    return layer
