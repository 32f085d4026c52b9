"""How a trained generator settles: its drawing improves while its codes keep their meaning."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from multimodal.generators.checkpoints import save_generator
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.encoders import GENERATOR

COOL_DOWN = 0.9
"""Share of the steps or minutes over which rates fall: what settles is near, and only shakes."""


def hold_codes(generator: StyleGAN2, edits: nn.Module) -> None:
    """Let only the drawing learn. Style affines and the factors' directions stay, and so does what
    a code means: directions, text encoders and statistics of styles still fit."""
    edits.requires_grad_(False)
    for name, parameter in generator.synthesis.named_parameters():
        if "affine" in name:
            parameter.requires_grad_(False)


def save_settled(generator: StyleGAN2, folder: Path) -> Path:
    """Write a generator whose mapping network still fits its codes; returns the file."""
    path = folder / GENERATOR
    save_generator(generator.cpu(), path)
    return path
