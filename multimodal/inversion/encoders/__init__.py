"""Encoders: from a picture to a code in one call, ours and the public ones."""

from __future__ import annotations

from multimodal.inversion.encoders.loading import FaceEncoder, load_encoder

__all__ = ["FaceEncoder", "load_encoder"]
