"""What words there are for the factors of a face: the file behind the `factors` method.

    python -m recipes.factor_words --run runs/g128 --generator runs/mapping/generator.safetensors \
        --clip runs/refined/clip --data renders/pairs --out runs/factors

`recipes.train_generator` on pairs leaves a matrix from factors to w. Every class that captions name
is joined here to the factors of a face of that class, and to the change in CLIP's space that its
wordings stand for. How far a factor must go until it shows differs: an old face takes twice the age
that training called old, a beard less than all of it. The mean pictures of the classes, as CLIP
sees them, say when an edited face has come as far as faces of its class are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor

from guidance.clip import load_clip
from guidance.factors import BEYOND, FILE_NAME, FactorMoves
from guidance.targets import NEUTRAL, embed_phrase
from multimodal.generators import load_generator
from multimodal.types import ClipModel, Generator
from recipes.attributes import NAMES, attribute_vector
from recipes.checkpoint import load_factor_code
from recipes.clip_truth import facts
from recipes.clip_words import class_prompts
from recipes.data import Faces
from recipes.evaluate_clip import embed_images
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

AMOUNTS = (0.7, 0.85, 1.0, 1.25, 1.5, 1.75, 2.0)
"""How far from a plain face to the class's factors a goal may lie."""

ARRIVED = 0.85
"""Share of the way from other faces to those of the class, as CLIP sees them, that is enough."""

NEARLY = 0.08
"""What may be missing to the farthest that any amount comes, where none comes far enough."""

PICTURES = 1500
"""Renders whose means say where classes lie."""

Axis = tuple[Tensor, Tensor]
"""The mean picture of faces of other classes, and the way from there to the class's, `[E]` each."""


def mask_of(parts: tuple[str, ...]) -> Tensor:
    """Which factors some parts of a face have, `[A]`, 0 or 1."""
    begins = tuple(name for part in parts for name in PARTS[part])
    return torch.tensor([float(name.startswith(begins)) for name in NAMES])


def factor_moves(clip: ClipModel, weight: Tensor, bias: Tensor) -> FactorMoves:
    """All classes with their factors and their words.

    Args:
        clip: reads the words.
        weight: factors to w, `[D, A]`.
        bias: of the factors read off w, `[A]`.

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
        tuple(f"{attribute}: {value}" for attribute, value in CLASSES),
    )


def _meaning(clip: ClipModel, neutral: Tensor, texts: tuple[str, ...]) -> Tensor:
    """The unit change `[1, E]` that a class's wordings stand for."""
    said = clip.encode_text(list(dict.fromkeys(texts))).cpu()
    return F.normalize((said - neutral.cpu()).mean(dim=0, keepdim=True), dim=-1)


def class_axes(seen: Tensor, known: Sequence[Mapping[str, str]]) -> dict[tuple[str, str], Axis]:
    """The way to every class that some pictures show and some do not.

    Args:
        seen: unit vectors of pictures, `[N, E]`.
        known: the classes that each picture shows, by attribute.
    """
    out = {}
    for attribute, value in CLASSES:
        shown = [k.get(attribute) for k in known]
        some = any(s not in (None, value) for s in shown)
        mine = [i for i, s in enumerate(shown) if s == value]
        others = [i for i, s in enumerate(shown) if s != value and (s is not None or not some)]
        if mine and others:
            start = seen[others].mean(dim=0)
            out[attribute, value] = start, seen[mine].mean(dim=0) - start
    return out


def progress(seen: Tensor, axis: Axis) -> Tensor:
    """How far along an axis pictures `[B, E]` lie, `[B]`: 0 among the others, 1 in the class."""
    start, way = axis
    return (seen - start) @ way / way.square().sum()


@torch.no_grad()
def calibrated(
    moves: FactorMoves,
    clip: ClipModel,
    generator: Generator,
    axes: Mapping[tuple[str, str], Axis],
    faces: int,
) -> FactorMoves:
    """The moves with goals as far from a plain face as it takes to come among faces of the class.

    Args:
        moves: with the factors of training as goals.
        clip: sees.
        generator: draws.
        axes: where classes lie in CLIP's space; other classes keep their goals.
        faces: of the generator, on which every class is tried.
    """
    w = generator.sample(faces, 7, 0.8).w
    factors = moves.read(w.mean(dim=1).cpu()).clamp(-BEYOND, BEYOND)
    goals, before = moves.goals.clone(), clip.encode_image(generator.synthesize(w)).cpu()
    for index, name in enumerate(CLASSES):
        away = progress(before, axes[name]) < ARRIVED if name in axes else torch.zeros(0)
        if not away.any():
            continue
        shares = []
        for amount in AMOUNTS:
            goal = torch.lerp(moves.rests[index], moves.goals[index], amount)
            step = ((goal - factors) * moves.masks[index]) @ moves.weight.T
            moved = (w + step.unsqueeze(1).to(w))[away]
            seen = clip.encode_image(generator.synthesize(moved)).cpu()
            shares.append(float(progress(seen, axes[name]).mean()))
        goals[index] = torch.lerp(moves.rests[index], goals[index], least_amount(shares))
    return replace(moves, goals=goals)


def least_amount(shares: Sequence[float]) -> float:
    """The smallest of `AMOUNTS` that comes far enough, or nearly as far as any; 1 where all come
    equally far."""
    if max(shares) - min(shares) < 1e-6:
        return 1.0
    enough = min(ARRIVED, max(shares) - NEARLY)
    return next(a for a, share in zip(AMOUNTS, shares, strict=True) if share >= enough)


def main(
    run: Annotated[Path, typer.Option(help="folder of recipes.train_generator, or of a model")],
    clip: Annotated[Path, typer.Option(help="CLIP folder")],
    out: Annotated[Path, typer.Option(help="folder of the result")],
    generator: Annotated[Path, typer.Option(help="its file, with the mapping network")],
    data: Annotated[Path, typer.Option(help="renders, to see what classes look like")],
    faces: Annotated[int, typer.Option(help="faces on which every class is tried")] = 16,
) -> None:
    """Write the known factors of a training on pairs, with the words for them."""
    seeing, drawing = load_clip(clip, "cpu"), load_generator(generator, "cpu")
    moves = factor_moves(seeing, *load_factor_code(run))
    renders = Faces(data, seeing.image_size)
    rows = np.arange(min(PICTURES, len(renders)))
    known = [facts(Factors.from_dict(renders.column("factors")[i])) for i in rows]
    axes = class_axes(embed_images(seeing, renders.batch(rows)), known)
    calibrated(moves, seeing, drawing, axes, faces).save(out / FILE_NAME)


if __name__ == "__main__":
    typer.run(main)
