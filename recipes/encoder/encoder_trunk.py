"""Where the eyes of the inversion encoder come from: ImageNet, or a CLIP that knows the faces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from timm.models.efficientnet import EfficientNet

from multimodal.inversion.encoders.bundle_encoder import BundleEncoder, BundleEncoderConfig
from multimodal.metrics import efficientnet_lite0
from recipes.clip.clip_model import FROZEN_STAGES


def new_encoder(config: BundleEncoderConfig) -> BundleEncoder:
    """An untrained encoder; its trunk knows ImageNet, and keeps what sees edges and textures."""
    encoder = BundleEncoder(config)
    if encoder.trunk is not None:
        network: Any = encoder.trunk.network
        network.load_state_dict(efficientnet_lite0().state_dict(), strict=False)
    return learning(encoder)


def learning(encoder: BundleEncoder) -> BundleEncoder:
    """The encoder, all of it to be trained but the trunk's stages that see edges and textures."""
    encoder.train().requires_grad_(True)
    if encoder.trunk is not None:
        network: Any = encoder.trunk.network
        for part in (network.conv_stem, network.bn1, network.blocks[:FROZEN_STAGES]):
            part.requires_grad_(False)
    return encoder


def take_trunk(encoders: Sequence[BundleEncoder], clip: Path) -> None:
    """Give encoders the eyes of a CLIP that was trained on the same faces; what they made of their
    old ones is forgotten.

    Raises:
        ValueError: the CLIP's image tower is another network.
    """
    from guidance.clip import load_clip

    eyes: Any = load_clip(clip, "cpu").model
    for encoder in encoders:
        if encoder.trunk is None or not isinstance(eyes.visual.trunk, EfficientNet):
            raise ValueError(f"the encoder and the CLIP in {clip} do not share an EfficientNet")
        encoder.trunk.network.load_state_dict(eyes.visual.trunk.state_dict(), strict=False)
        encoder.trunk.begin()
