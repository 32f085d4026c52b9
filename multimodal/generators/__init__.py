"""Generators: the StyleGAN2 network, its checkpoint formats and the registry of models."""

from __future__ import annotations

from multimodal.generators.checkpoints import (
    CheckpointInfo,
    convert,
    inspect,
    load_generator,
    load_stylegan2,
    save_generator,
)
from multimodal.generators.layout import CheckpointError
from multimodal.generators.registry import MODELS, ModelSpec
from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config

__all__ = [
    "MODELS",
    "CheckpointError",
    "CheckpointInfo",
    "ModelSpec",
    "StyleGAN2",
    "StyleGAN2Config",
    "convert",
    "inspect",
    "load_generator",
    "load_stylegan2",
    "save_generator",
]
