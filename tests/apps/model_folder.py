"""A small complete model on disk: a generator, a CLIP that reads sentences, and ears."""

from __future__ import annotations

from pathlib import Path

import torch

from audio.encoder import SoundConfig, SoundEncoder, save_encoder
from guidance.clip import random_clip, save_clip
from multimodal.generators import save_generator
from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from recipes.clip.clip_model import ClipConfig, new_clip
from tests.tiny_text import tiny_sentence_model

SENTENCE_SIZE = 24
"""Width of the tiny sentence model, which is what the ears speak."""


def small_model(folder: Path) -> Path:
    """The folder of a model whose CLIP's text tower is a sentence transformer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = StyleGAN2Config(
            resolution=32, channels=(8, 8, 8, 8), z_dim=16, w_dim=16, mapping_layers=2
        )
        generator = StyleGAN2(config).eval().requires_grad_(False)
        generator.w_avg.copy_(generator.mapping(torch.randn(256, 16))[:, 0].mean(0))
        ears = SoundConfig(4, (8, 8, 8), (1, 1, 1), hidden=16, heads=2, dim=SENTENCE_SIZE)
        save_generator(generator, folder / "model" / "generator.safetensors")
        save_encoder(SoundEncoder(ears), folder / "model" / "sound", {})
        seeing = ClipConfig(image_tower="test_resnet", image_size=32, dim=16, context_length=32)
        clip = new_clip(tiny_sentence_model(folder / "text"), seeing)
        save_clip(clip, folder / "model" / "clip")
    return folder / "model"


def another_clip(folder: Path) -> Path:
    """The folder of a CLIP of another size, whose text tower is its own."""
    return save_clip(random_clip(seed=5, dim=20), folder)
