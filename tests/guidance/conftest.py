"""Tiny real models for the guidance tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from guidance.clip import OpenClip, random_clip
from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from multimodal.types import Toolkit

PARITY = Path(__file__).parents[3] / "shared" / "parity"


@pytest.fixture(scope="session")
def parity() -> Path:
    """The folder of recorded outputs; tests skip where it is missing."""
    if not PARITY.is_dir():
        pytest.skip(f"no parity oracles in {PARITY}")
    return PARITY


@pytest.fixture(scope="session")
def clip() -> OpenClip:
    return random_clip(seed=0)


@pytest.fixture
def generator() -> StyleGAN2:
    torch.manual_seed(0)
    config = StyleGAN2Config(
        resolution=32, channels=(16, 16, 8, 8), z_dim=16, w_dim=16, mapping_layers=2
    )
    model = StyleGAN2(config).eval().requires_grad_(False)
    model.mapping.w_avg.copy_(model.mapping(torch.randn(256, 16))[:, 0].mean(0))
    return model


@pytest.fixture
def toolkit(generator: StyleGAN2, clip: OpenClip, tmp_path: Path) -> Toolkit:
    return Toolkit(generator=generator, clip=clip, folder=tmp_path)
