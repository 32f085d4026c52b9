"""From a picture to a latent code."""

from __future__ import annotations

from multimodal.inversion.encoders import load_encoder

__all__ = ["load_encoder"]
