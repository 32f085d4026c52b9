"""What words there are for the factors of a face: the file behind the `factors` method.

    python -m recipes.factors.factor_words --run runs/g256 --generator \
        runs/mapping/generator.safetensors --clip runs/refined/clip --reader runs/reader --out \
        runs/factors

`recipes.generator.train_generator` on pairs leaves a matrix from factors to w. Every class that
captions name is joined here to the factors of a face of that class, and to the change in CLIP's
space that its wordings stand for. How far a factor must go until it shows, and in which rows,
is tried by
`recipes.factors.factor_goals`, which asks a network that reads classes off faces. It is one of
`recipes.judge.train_judge`, but never the one that measures edits: train another, on other
renders and with another seed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor

from guidance.clip import load_clip
from guidance.methods.factor_moves import FILE_NAME, FactorMoves
from guidance.targets import NEUTRAL, embed_phrase
from multimodal.generators import load_stylegan2
from multimodal.recognition.dlib_resnet import load_dlib_face
from multimodal.recognition.judge import load_judge
from multimodal.types import ClipModel
from recipes.checkpoint import load_factor_code
from recipes.factors.attributes import NAMES, attribute_vector
from recipes.factors.classes import CLASSES, PARTS
from recipes.factors.factor_goals import calibrated
from recipes.render.factors import Factors
from recipes.words.clip_words import class_prompts

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
    run: Annotated[
        Path, typer.Option(help="folder of recipes.generator.train_generator, or of a model")
    ],
    clip: Annotated[Path, typer.Option(help="CLIP folder")],
    out: Annotated[Path, typer.Option(help="folder of the result")],
    generator: Annotated[Path, typer.Option(help="its file, with the mapping network")],
    reader: Annotated[
        Path, typer.Option(help="a network of recipes.judge.train_judge, not the judge")
    ],
    faces: Annotated[int, typer.Option(help="faces on which every class is tried")] = 10,
) -> None:
    """Write the known factors of a training on pairs, with the words for them."""
    seeing, drawing = load_clip(clip, "cpu"), load_stylegan2(generator, "cpu")
    reading = load_judge(reader)
    moves = factor_moves(seeing, *load_factor_code(run), drawing.num_layers)
    moves = calibrated(moves, reading, load_dlib_face(), drawing, faces)
    moves.save(out / FILE_NAME)


if __name__ == "__main__":
    typer.run(main)
