"""Named directions from a training on pairs: what each factor's change does to w.

    python -m recipes.factors.edit_directions --run runs/generator --out runs/directions

`recipes.generator.train_generator` learns a matrix from a change of factors to a change of w. A
named direction is that matrix applied to the change of factors the name stands for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor

from guidance.controls.control import ATTRIBUTES_NAME, Attributes
from recipes.checkpoint import load_edits, load_run
from recipes.factors.attributes import NAMES, attribute_vector
from recipes.render.factors import HAIR_STYLES, Factors, hair_tint

_MAN = {"sex": 0.97, "age": 35.0}


def _hair(color: str) -> dict[str, object]:
    return {"hair_color": hair_tint(color, 0.5, 0.5), "hair_color_name": color}


def _age(years: float) -> dict[str, object]:
    return {"age": years, "wrinkles": min(1.0, max(0.0, (years - 34) / 42))}


def _felt(name: str) -> dict[str, object]:
    return {"expression": name, "expression_strength": 0.95}


CHANGES: dict[str, tuple[Mapping[str, object], Mapping[str, object]]] = {
    "age": (_age(32), _age(74)),
    "child": (_age(32), _age(7)),
    "sex": ({"sex": 0.05}, {"sex": 0.95}),
    "smile": ({}, _felt("smile")),
    "laugh": ({}, _felt("laugh")),
    "sadness": ({}, _felt("sad")),
    "crying": ({}, _felt("crying")),
    "anger": ({}, _felt("angry")),
    "surprise": ({}, _felt("surprised")),
    "fear": ({}, _felt("afraid")),
    "disgust": ({}, _felt("disgusted")),
    "tiredness": ({}, _felt("tired")),
    "eyes_closed": ({}, _felt("eyes_closed")),
    "mouth_open": ({}, _felt("mouth_open")),
    "beard": (_MAN, {**_MAN, "beard_style": "full", "beard_amount": 0.9}),
    "stubble": (_MAN, {**_MAN, "beard_style": "stubble", "beard_amount": 0.9}),
    "moustache": (_MAN, {**_MAN, "beard_style": "moustache", "beard_amount": 0.9}),
    "goatee": (_MAN, {**_MAN, "beard_style": "goatee", "beard_amount": 0.9}),
    "glasses": ({}, {"glasses": "square"}),
    "round_glasses": ({}, {"glasses": "round"}),
    "sunglasses": ({}, {"glasses": "sunglasses"}),
    "bald": ({}, {"hair_style": "bald"}),
    "hair_length": ({}, {"hair_style": "long"}),
    "hair_curly": ({}, {"hair_style": "short_curls"}),
    "hair_afro": ({}, {"hair_style": "afro"}),
    "hair_volume": ({"hair_volume": 0.1}, {"hair_volume": 0.9}),
    "hair_black": (_hair("brown"), _hair("black")),
    "hair_brown": (_hair("gray"), _hair("brown")),
    "hair_blond": (_hair("brown"), _hair("blond")),
    "hair_red": (_hair("brown"), _hair("red")),
    "hair_gray": (_hair("brown"), _hair("gray")),
    "hair_white": (_hair("brown"), _hair("white")),
    "skin_dark": ({"skin_tone": 0.15}, {"skin_tone": 0.85}),
    "weight": ({"weight": 0.15}, {"weight": 0.85}),
    "lipstick": ({}, {"lipstick": 0.9}),
    "eye_shadow": ({}, {"eye_shadow": 0.9}),
    "blush": ({}, {"blush": 0.9}),
    "freckles": ({}, {"freckles": 0.9}),
    "pose": ({"yaw": -8.0}, {"yaw": 8.0}),
    "tilt": ({"pitch": -5.0}, {"pitch": 5.0}),
    "gaze": ({"gaze_yaw": -12.0}, {"gaze_yaw": 12.0}),
    "light": ({"light_yaw": -35.0}, {"light_yaw": 35.0}),
}
"""Name to the factors before and after one unit of strength."""


def change_of(name: str) -> Tensor:
    """The change of factors a name stands for, `[A]`."""
    before, after = (Factors(**values).to_dict() for values in CHANGES[name])  # type: ignore[arg-type]
    return torch.from_numpy(attribute_vector(after) - attribute_vector(before))


def named_directions(edits: Tensor, rows: int) -> Attributes:
    """All named directions `[L, D]` of a matrix of edits `[D, A]`."""
    if edits.shape[1] != len(NAMES):
        raise ValueError(f"edits of {edits.shape[1]} factors given, expected {len(NAMES)}")
    found = {name: edits @ change_of(name) for name in CHANGES}
    found |= {
        f"style_{style}": edits @ _style_change(style) for style in HAIR_STYLES if style != "bald"
    }
    return Attributes({name: w.repeat(rows, 1) for name, w in found.items()})


def _style_change(style: str) -> Tensor:
    """From the mean hair style to this one."""
    vectors = {s: torch.from_numpy(attribute_vector(_worn(s))) for s in HAIR_STYLES}
    return vectors[style] - torch.stack(list(vectors.values())).mean(dim=0)


def _worn(style: str) -> dict[str, object]:
    return Factors(hair_style=style).to_dict()


def main(
    run: Annotated[Path, typer.Option(help="folder of recipes.generator.train_generator")],
    out: Annotated[Path, typer.Option(help="folder of the result")],
) -> None:
    """Write the named directions of a training on pairs."""
    generator, _ = load_run(run)
    found = named_directions(load_edits(run), generator.num_layers)
    found.save(out / ATTRIBUTES_NAME, {"source": "known factors of rendered pairs"})


if __name__ == "__main__":
    typer.run(main)
