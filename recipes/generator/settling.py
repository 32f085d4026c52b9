"""How a trained generator settles: its drawing improves while its codes keep their meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from multimodal.generators.checkpoints import save_generator
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.encoders.loading import GENERATOR
from recipes.checkpoint import load_shipped

LAST, SETTLING = 0.3, 0.9
"""Share of the steps or minutes over which rates fall: what settles is near, and only shakes."""


def cool_down(settle: bool) -> float:
    """The share over which rates fall, where a model settles and where it learns anew."""
    return SETTLING if settle else LAST


def check_start(parts: nn.ModuleDict, shipped: Path | None) -> None:
    """What is held must be a trained model's, all of it.

    Args:
        parts: the networks to be trained: "generator", "encoder", "edits".
        shipped: the folder of the model that settles.

    Raises:
        ValueError: no model folder, or one of networks of other shapes or without its directions.
    """
    if shipped is None or not shipped.is_dir():
        raise ValueError("--settle goes on with a model: give its folder as --start-from")
    states = load_shipped(shipped)
    for name, part in parts.items():
        mine = {k: v.shape for k, v in part.state_dict().items()}
        theirs = {k: v.shape for k, v in states[name].items()}
        if mine != theirs:
            raise ValueError(
                f"the {name} of {shipped} has another shape than the one to be trained: give the "
                "same --resolution, --channels and --encoder-... options that it was made with"
            )


def hold_codes(generator: StyleGAN2, edits: nn.Module) -> None:
    """Let only the drawing learn. Style affines and the factors' directions stay, and so does what
    a code means: directions, text encoders and statistics of styles still fit."""
    edits.requires_grad_(False)
    for name, parameter in generator.synthesis.named_parameters():
        if "affine" in name:
            parameter.requires_grad_(False)


def save_settled(average: Any, folder: Path) -> None:
    """Write the averaged generator; its mapping network still fits its codes."""
    save_generator(average["generator"].cpu(), folder / GENERATOR)
