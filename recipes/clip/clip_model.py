"""The shape of the bundle's CLIP, and a new one around frozen MiniLM sentences."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from guidance.clip import OpenClip
from multimodal.metrics import efficientnet_lite0

PRETRAINED = "tf_efficientnet_lite0"
"""The tower whose ImageNet weights come with a package (Apache-2.0)."""

FROZEN_STAGES = 2
"""Its first stages, which see edges and textures, stay as they are."""

BLOCKS = (1, 2, 2, 2)
"""Blocks of the stages of the small ResNet."""


@dataclass(frozen=True)
class ClipConfig:
    """The shape of the bundle's CLIP.

    Args:
        image_tower: an architecture of timm's, or "pooled-resnet": CLIP's own ResNet (Radford et
            al. 2021, section 2.4), small. "tf_efficientnet_lite0" starts from ImageNet's weights,
            and so reads expressions after a tenth of the pictures.
        image_width: channels of that ResNet's stem.
        image_size: side of its input in pixels.
        dim: size of the joint space.
        context_length: tokens of a text, at most.
    """

    image_tower: str = PRETRAINED
    image_width: int = 16
    image_size: int = 128
    dim: int = 256
    context_length: int = 128

    def open_clip(self, text_folder: str) -> dict[str, Any]:
        """open_clip's `model_cfg`. The text projection is an MLP: negations ("no glasses") are a
        small, non-linear part of a sentence vector."""
        return {
            "embed_dim": self.dim,
            "vision_cfg": self._vision(),
            "text_cfg": {
                "hf_model_name": text_folder,
                "hf_tokenizer_name": text_folder,
                "hf_proj_type": "mlp",
                "hf_pooler_type": "mean_pooler",
                "hf_model_pretrained": True,
                "context_length": self.context_length,
            },
        }

    def _vision(self) -> dict[str, Any]:
        if self.image_tower == "pooled-resnet":
            size = {"layers": list(BLOCKS), "width": self.image_width, "head_width": 64}
            return {**size, "image_size": self.image_size}
        return {
            "timm_model_name": self.image_tower,
            "timm_model_pretrained": False,
            "timm_pool": "avg",
            "timm_proj": "linear",
            "image_size": self.image_size,
        }


def new_clip(text_folder: Path | str, config: ClipConfig, seed: int = 0) -> OpenClip:
    """A CLIP whose text tower is a saved sentence transformer, and whose image tower knows
    ImageNet (`PRETRAINED`) or nothing.

    Args:
        text_folder: holds the transformer's `config.json`, `model.safetensors` and tokenizer.
        config: its shape.
        seed: of the untrained weights.
    """
    from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
    from open_clip.model import CustomTextCLIP
    from open_clip.tokenizer import HFTokenizer

    model_config = config.open_clip(str(text_folder))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CustomTextCLIP(**model_config)
    if config.image_tower == PRETRAINED:
        trunk: Any = model.visual.trunk
        trunk.load_state_dict(efficientnet_lite0().state_dict(), strict=False)
    tokenizer = HFTokenizer(str(text_folder), context_length=config.context_length)
    mean, std = OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
    return OpenClip(model, tokenizer, mean, std, config.image_size, model_config)
