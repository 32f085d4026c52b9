"""What words there are for the factors of a face: the file behind the `factors` method.

    python -m recipes.factor_words --run runs/g256 --generator runs/mapping/generator.safetensors \
        --clip runs/refined/clip --reader runs/reader --out runs/factors

`recipes.train_generator` on pairs leaves a matrix from factors to w. Every class that captions name
is joined here to the factors of a face of that class, and to the change in CLIP's space that its
wordings stand for. How far a factor must go until it shows, and in which rows, is tried by
`recipes.factor_goals`, which asks a network that reads classes off faces. It is one of
`recipes.train_judge`, but never the one that measures edits: train another, on other renders and
with another seed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor

from guidance.clip import load_clip
from guidance.factor_moves import FILE_NAME, FactorMoves
from guidance.targets import NEUTRAL, embed_phrase
from multimodal.dlib_resnet import load_dlib_face
from multimodal.generators import load_generator
from multimodal.judge import load_judge
from multimodal.types import ClipModel
from recipes.attributes import NAMES, attribute_vector
from recipes.checkpoint import load_factor_code
from recipes.clip_words import class_prompts
from recipes.render.factors import HAIR_COLORS, Factors, hair_tint

PARTS: dict[str, tuple[str, ...]] = {
    "sex": ("sex",),
    "age": ("age", "wrinkles"),
    "hair_color": ("hair_red", "hair_green", "hair_blue"),
    "hair": ("hair_length", "hair_style", "bald"),
    "beard": ("beard",),
    "glasses": ("glasses",),
    "expression": ("expression",),
    "lipstick": ("lipstick",),
    "freckles": ("freckles",),
    "skin": ("skin_tone",),
    "weight": ("weight",),
    "hat": ("hat",),
    "makeup": ("eye_shadow",),
    "turn": ("yaw",),
}
"""What a class speaks of: beginnings of factors' names."""


def _age(years: float) -> dict[str, Any]:
    return {"age": years, "wrinkles": min(1.0, max(0.0, (years - 34) / 42))}


def _hair(name: str) -> dict[str, Any]:
    return {"hair_color": hair_tint(name, 0.5, 0.5), "hair_color_name": name}


_LENGTHS = {"none": "bald", "short": "short_neat", "medium": "bob", "long": "long"}
_STYLES = ("bald", "balding", "buzz", "afro", "ponytail", "braid", "bob")
_FELT = (
    *("smile", "laugh", "sad", "crying", "angry", "surprised", "afraid", "disgusted"),
    *("eyes_closed", "mouth_open", "tired"),
)
_WORN = {"clear": "square", "sunglasses": "sunglasses", "none": "none"}

CLASSES: dict[tuple[str, str], tuple[tuple[str, ...], dict[str, Any]]] = {
    ("sex", "male"): (("sex",), {"sex": 0.97}),
    ("sex", "female"): (("sex", "beard"), {"sex": 0.03}),
    ("age", "child"): (("age", "beard"), _age(7)),
    ("age", "young"): (("age",), _age(22)),
    ("age", "middle"): (("age",), _age(50)),
    ("age", "old"): (("age",), _age(78)),
    **{("hair_color", n): (("hair_color",), _hair(n)) for n in HAIR_COLORS},
    **{("hair_length", n): (("hair",), {"hair_style": s}) for n, s in _LENGTHS.items()},
    **{("hair_style", n): (("hair",), {"hair_style": n}) for n in _STYLES},
    ("hair_style", "wavy"): (("hair",), {"hair_style": "shoulder_wavy"}),
    ("beard", "none"): (("beard",), {}),
    **{
        ("beard", n): (("beard",), {"beard_style": n, "beard_amount": 0.95})
        for n in ("stubble", "moustache", "goatee", "full")
    },
    **{("glasses", n): (("glasses",), {"glasses": worn}) for n, worn in _WORN.items()},
    ("expression", "neutral"): (("expression",), {}),
    **{
        ("expression", n): (("expression",), {"expression": n, "expression_strength": 1.0})
        for n in _FELT
    },
    ("lipstick", "yes"): (("lipstick",), {"lipstick": 1.0}),
    ("lipstick", "no"): (("lipstick",), {}),
    ("freckles", "yes"): (("freckles",), {"freckles": 1.0}),
    ("freckles", "no"): (("freckles",), {}),
    ("skin", "light"): (("skin",), {"skin_tone": 0.1}),
    ("skin", "medium"): (("skin",), {"skin_tone": 0.5}),
    ("skin", "dark"): (("skin",), {"skin_tone": 0.9}),
    ("weight", "thin"): (("weight",), {"weight": 0.08}),
    ("weight", "heavy"): (("weight",), {"weight": 0.92}),
    ("hat", "yes"): (("hat",), {"hat": True}),
    ("hat", "no"): (("hat",), {}),
    ("makeup", "yes"): (("makeup", "lipstick"), {"eye_shadow": 1.0, "lipstick": 0.8}),
    ("turn", "left"): (("turn",), {"yaw": -18.0}),
    ("turn", "right"): (("turn",), {"yaw": 18.0}),
    ("turn", "front"): (("turn",), {}),
}
"""Attribute and class to what it speaks of, and a face of that class."""


PLAIN = Factors(sex=0.5, skin_tone=0.5)
"""A face of which nothing is said."""


def mask_of(parts: tuple[str, ...]) -> Tensor:
    """Which factors some parts of a face have, `[A]`, 0 or 1."""
    begins = tuple(name for part in parts for name in PARTS[part])
    return torch.tensor([float(name.startswith(begins)) for name in NAMES])


def factor_moves(clip: ClipModel, weight: Tensor, bias: Tensor, layers: int) -> FactorMoves:
    """All classes with their factors and their words, set in every row.

    Args:
        clip: reads the words.
        weight: factors to w, `[D, A]`.
        bias: of the factors read off w, `[A]`.
        layers: rows L of W+.

    Raises:
        ValueError: the matrix is of other factors.
    """
    if weight.shape[1] != len(NAMES):
        raise ValueError(f"a matrix of {weight.shape[1]} factors given, expected {len(NAMES)}")
    prompts, neutral = class_prompts(), embed_phrase(clip, NEUTRAL)
    plain = torch.from_numpy(attribute_vector(PLAIN.to_dict()))
    words = [_meaning(clip, neutral, prompts[a][value]) for a, value in CLASSES]
    faces = [attribute_vector(Factors(**values).to_dict()) for _, values in CLASSES.values()]
    return FactorMoves(
        weight,
        bias,
        torch.cat(words),
        torch.from_numpy(np.stack(faces)),
        plain.repeat(len(CLASSES), 1),
        torch.stack([mask_of(parts) for parts, _ in CLASSES.values()]),
        torch.ones(len(CLASSES), layers),
        tuple(f"{attribute}: {value}" for attribute, value in CLASSES),
    )


def _meaning(clip: ClipModel, neutral: Tensor, texts: tuple[str, ...]) -> Tensor:
    """The unit change `[1, E]` that a class's wordings stand for."""
    said = clip.encode_text(list(dict.fromkeys(texts))).cpu()
    return F.normalize((said - neutral.cpu()).mean(dim=0, keepdim=True), dim=-1)


def main(
    run: Annotated[Path, typer.Option(help="folder of recipes.train_generator, or of a model")],
    clip: Annotated[Path, typer.Option(help="CLIP folder")],
    out: Annotated[Path, typer.Option(help="folder of the result")],
    generator: Annotated[Path, typer.Option(help="its file, with the mapping network")],
    reader: Annotated[Path, typer.Option(help="a network of recipes.train_judge, not the judge")],
    faces: Annotated[int, typer.Option(help="faces on which every class is tried")] = 10,
) -> None:
    """Write the known factors of a training on pairs, with the words for them."""
    from recipes.factor_goals import calibrated

    seeing, drawing = load_clip(clip, "cpu"), load_generator(generator, "cpu")
    reading = load_judge(reader)
    moves = factor_moves(seeing, *load_factor_code(run), drawing.num_layers)
    moves = calibrated(moves, reading, load_dlib_face(), drawing, faces)
    moves.save(out / FILE_NAME)


if __name__ == "__main__":
    typer.run(main)
