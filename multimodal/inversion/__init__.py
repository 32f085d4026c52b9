"""From a picture to a latent code."""

from __future__ import annotations

from multimodal.inversion.encoders.loading import FaceEncoder, load_encoder
from multimodal.inversion.invert import METHODS, Inversion, invert
from multimodal.inversion.methods.pivotal import tuned_generator
from multimodal.inversion.options import Weights

__all__ = [
    "METHODS",
    "FaceEncoder",
    "Inversion",
    "Weights",
    "invert",
    "load_encoder",
    "tuned_generator",
]
