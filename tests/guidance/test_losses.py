"""Losses: values, gradients, parity with the published preprocessing."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from guidance.clip import OpenClip
from guidance.losses import (
    clip_loss,
    directional_loss,
    embed_crops,
    identity_loss,
    latent_l2,
    multi_crop,
    outside_lpips,
    styleclip_preprocess,
)

EX, EY = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])


def test_values() -> None:
    torch.testing.assert_close(clip_loss(EX, EY), torch.ones(1))
    torch.testing.assert_close(clip_loss(EX, EX), torch.zeros(1))
    torch.testing.assert_close(directional_loss(EY, EX, EY, EX), torch.zeros(1))
    torch.testing.assert_close(directional_loss(EX, EY, EY, EX), torch.full((1,), 2.0))
    torch.testing.assert_close(latent_l2(torch.full((2, 3, 4), 0.5)), torch.full((2,), 3.0))


def test_identity_loss_has_gradient_for_the_edited_side_only() -> None:
    def embed(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(x.mean(dim=(2, 3)), dim=-1)

    after, before = (
        torch.rand(2, 3, 4, 4, requires_grad=True),
        torch.rand(2, 3, 4, 4, requires_grad=True),
    )
    loss = identity_loss(embed, after, before)
    assert loss.shape == (2,)
    loss.sum().backward()
    assert after.grad is not None
    assert before.grad is None


def test_outside_lpips_ignores_the_masked_part() -> None:
    before, after = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    after[..., :2] = 1
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1

    def distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a - b).square().flatten(1).mean(1)

    assert float(outside_lpips(distance, after, before, mask)) == 0
    assert float(outside_lpips(distance, after, before, 1 - mask)) > 0


def test_crops_are_seeded_and_the_whole_picture_at_scale_one() -> None:
    images = torch.rand(2, 3, 16, 16)
    one, two = (multi_crop(images, 3, torch.Generator().manual_seed(5)) for _ in range(2))
    assert one.shape == (6, 3, 16, 16)
    assert torch.equal(one, two)
    whole = multi_crop(images, 1, torch.Generator().manual_seed(0), smallest=1.0)
    torch.testing.assert_close(whole, images, atol=1e-5, rtol=0)
    with pytest.raises(ValueError):
        multi_crop(images, 0, torch.Generator())


def test_embedding_of_crops_is_a_unit_vector(clip: OpenClip) -> None:
    source = torch.Generator().manual_seed(0)
    vectors = embed_crops(clip, torch.rand(2, 3, 32, 32), 2, source)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("size", [64, 256])
def test_styleclip_preprocess_parity(parity: Path, size: int) -> None:
    spec = json.loads((parity / "styleclip_clip_preprocess.json").read_text())
    expected = np.load(parity / "styleclip_clip_preprocess.npz")

    def raw(key: str, shape: tuple[int, ...]) -> np.ndarray:
        seed = zlib.crc32(f"{spec['salt']}/{spec['net']}/{key}".encode())
        return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)

    low = raw(f"input.image{size}.lo", (1, 3, size // 8, size // 8)).repeat(8, 2).repeat(8, 3)
    image = np.clip(low * 0.5 + raw(f"input.image{size}.hi", (1, 3, size, size)) * 0.1, -1, 1)
    out = styleclip_preprocess(torch.from_numpy(image.astype(np.float32)))
    np.testing.assert_allclose(out[..., ::8, ::8], expected[f"pre{size}_sub8"], atol=2e-6)
    np.testing.assert_allclose(out.mean((2, 3)), expected[f"pre{size}_mean"], atol=1e-6)


def test_styleclip_preprocess_refuses_odd_sizes() -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        styleclip_preprocess(torch.zeros(1, 3, 40, 40))
