"""Photographs with rough outlines of what a parser mistakes: headgear, hands, white and dark hair.

`rough_labels.json` names photographs of the training split; by file, classes and corners in
hundredths of the side, drawn by a person well inside each thing. What no outline covers is unknown,
and an outline of skin over the middle of a face says only that there is no hair, hat or background.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from multimodal.devices import fast_autocast
from multimodal.images import load_image
from multimodal.parsing.network import ParserNetwork
from recipes.parser import augment as vary
from recipes.parser.partial import ALL, Sets, bits
from recipes.parser.samples import choose, pyramid

ROUGH_LABELS = Path(__file__).with_name("rough_labels.json")
VIEWS = 48
"""Of each photograph: placed and photographed anew, every fourth from further away."""
FACE = bits(
    "skin", "nose", "brows", "eyes", "iris", "lips", "mouth", "teeth", "glasses", "beard"
)  # fmt: skip
_MIDDLE = (0.55, 0.5)
Outlines = dict[str, list[tuple[str, list[list[int]]]]]


def read_rough(path: Path = ROUGH_LABELS) -> Outlines:
    """Classes and corners by file."""
    found: Outlines = json.loads(path.read_text(encoding="utf-8"))
    return found


def rough_sets(outlines: list[tuple[str, list[list[int]]]], side: int) -> Sets:
    """The sets `[side, side]` of a picture; where outlines overlap the earlier one counts."""
    out = np.full((side, side), ALL, np.uint16)
    for name, corners in outlines:
        image = Image.new("1", (side, side))
        points = [(x * side / 100, y * side / 100) for x, y in corners]
        ImageDraw.Draw(image).polygon(points, fill=1)
        inside = np.asarray(image)
        of_face = name == "skin" and inside[int(_MIDDLE[0] * side), int(_MIDDLE[1] * side)]
        out[inside & (out == ALL)] = FACE if of_face else bits(name)
    return out


@torch.no_grad()
def rough_samples(
    network: ParserNetwork,
    photos: Path,
    views: int = VIEWS,
    seed: int = 0,
    outlines: Outlines | None = None,
    on_photo: Callable[[str], None] | None = None,
) -> tuple[Tensor, Tensor]:
    """Features bfloat16 `[N, F]` and int32 sets `[N]` of pixels of varied views that are known.

    Raises:
        FileNotFoundError: a photograph is missing.
    """
    source, side = np.random.default_rng(seed), network.config.side
    seen, known = [], []
    for name, shapes in (read_rough() if outlines is None else outlines).items():
        image = load_image(photos / name).convert("RGB").resize((side, side))
        picture = np.asarray(image, np.float32) / 255
        pairs = [_view(picture, rough_sets(shapes, side), n, source) for n in range(views)]
        places = np.stack([choose(sets, source) for _, sets in pairs])
        batch = torch.from_numpy(np.stack([one for one, _ in pairs])).permute(0, 3, 1, 2) * 2 - 1
        with fast_autocast(batch.device):
            found = network.trunk(batch.contiguous(memory_format=torch.channels_last))
        at = np.stack([places % side, places // side], -1) + 0.5
        seen.append(pyramid(found, torch.from_numpy(at).float()[:, None] / side * 2 - 1).bfloat16())
        flat = np.stack([sets.ravel() for _, sets in pairs])
        known.append(torch.from_numpy(np.take_along_axis(flat, places, 1).astype(np.int32)).ravel())
        if on_photo:
            on_photo(name)
    features, sets = torch.cat(seen), torch.cat(known)
    told = sets != ALL
    return features[told], sets[told]


def _view(
    picture: vary.Picture, sets: Sets, number: int, source: np.random.Generator
) -> tuple[vary.Picture, Sets]:
    side = len(sets)
    if number % 4 == 0:  # as a parser sees a head in larger surroundings
        room = int(side * (np.exp(source.uniform(0.2, 0.6)) - 1) / 2)
        picture = np.pad(picture, ((room, room), (room, room), (0, 0)), mode="edge")
        sets = np.pad(sets, room, constant_values=ALL)
    moved, known = vary.placed(picture, sets, side, source)
    return vary.photographed(moved, source).astype(np.float32), known
