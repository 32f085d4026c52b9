"""The directions recipe on a tiny model folder."""

from __future__ import annotations

from pathlib import Path

import torch

from guidance.clip import random_clip
from guidance.common import load_tensors
from guidance.controls.control import Attributes
from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from multimodal.types import Toolkit
from recipes.factors.directions import caption_bank, measure_attributes, measure_components


def test_measures_attributes_and_components(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = StyleGAN2Config(
        resolution=32, channels=(8, 8, 8, 8), z_dim=16, w_dim=16, mapping_layers=2
    )
    toolkit = Toolkit(StyleGAN2(config).eval().requires_grad_(False), random_clip())
    measure_attributes(toolkit, tmp_path, 64, 0)
    known = Attributes.load(tmp_path)
    assert {"age", "smile", "pose", "hair_blond"} <= set(known.directions)
    measure_components(toolkit.generator, tmp_path, 0)
    assert load_tensors(tmp_path / "sefa.safetensors")[0]["directions"].shape == (10, 16)
    assert load_tensors(tmp_path / "ganspace.safetensors")[0]["directions"].shape == (16, 16)


def test_caption_bank_is_seeded_and_distinct() -> None:
    bank = caption_bank(None, 40, 1)
    assert bank == caption_bank(None, 40, 1)
    assert len(bank) == len(set(bank)) > 20
