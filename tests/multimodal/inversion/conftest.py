"""A tiny real generator, a face it drew, and a perceptual distance without weights."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal.generators.registry import tiny_generator
from multimodal.generators.stylegan2 import StyleGAN2


@pytest.fixture(scope="session")
def tiny() -> StyleGAN2:
    return tiny_generator()


@pytest.fixture(scope="session")
def face(tiny: StyleGAN2) -> Tensor:
    """A picture the generator can draw exactly, `[1, 3, 32, 32]`."""
    with torch.no_grad():
        return tiny.synthesize(tiny.sample(1, seed=5, truncation=0.8).w).clamp(-1, 1)


def blurred_distance(a: Tensor, b: Tensor) -> Tensor:
    """Stands for LPIPS: squared error of the pictures at a quarter of their size, `[B]`."""
    return (F.avg_pool2d(a, 4) - F.avg_pool2d(b, 4)).square().mean(dim=(1, 2, 3))


@pytest.fixture
def distance() -> object:
    return blurred_distance


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMBLANCE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
