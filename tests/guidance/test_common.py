"""Shared helpers: applying offsets exactly, style layout, files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from guidance.common import (
    add_offsets,
    apply_offset,
    conv_indices,
    draw,
    load_tensors,
    read_options,
    save_tensors,
    split_styles,
    style_rows,
    style_sizes,
)
from multimodal.generators.stylegan2 import StyleGAN2, ToRGB
from multimodal.types import Latent, Offset


@dataclass(frozen=True)
class _Config:
    steps: int = 3


def test_options_are_checked() -> None:
    assert read_options(_Config, {"steps": 5}).steps == 5
    with pytest.raises(ValueError, match="unknown options"):
        read_options(_Config, {"stepz": 5})


def test_style_layout_matches_the_network(generator: StyleGAN2) -> None:
    layers = generator.synthesis.style_layers()
    assert conv_indices(len(layers)) == [
        i for i, (m, _) in enumerate(layers) if not isinstance(m, ToRGB)
    ]
    assert style_rows(len(layers)) == [row for _, row in layers]


def test_strength_zero_is_the_same_latent(generator: StyleGAN2) -> None:
    latent = generator.sample(1, 0)
    offset = Offset(torch.randn_like(latent.w))
    assert apply_offset(generator, latent, offset, 0.0) is latent


def test_w_offset_carries_over_to_styles(generator: StyleGAN2) -> None:
    latent = generator.sample(1, 0)
    offset = Offset(torch.randn_like(latent.w))
    in_w = draw(generator, apply_offset(generator, latent, offset, 0.7))
    in_s = Latent(latent.w, tuple(generator.styles(latent.w)))
    torch.testing.assert_close(
        draw(generator, apply_offset(generator, in_s, offset, 0.7)), in_w, atol=1e-4, rtol=0
    )


def test_offsets_add(generator: StyleGAN2) -> None:
    latent = generator.sample(1, 0)
    a = Offset(torch.randn_like(latent.w))
    b = Offset(styles=tuple(torch.randn_like(s) for s in generator.styles(latent.w)))
    both = apply_offset(generator, latent, add_offsets(a, b))
    each = apply_offset(generator, apply_offset(generator, latent, a), b)
    torch.testing.assert_close(draw(generator, both), draw(generator, each), atol=1e-4, rtol=0)


def test_split_styles(generator: StyleGAN2) -> None:
    sizes = style_sizes(generator)
    indices = conv_indices(len(sizes))
    total = sum(sizes[i] for i in indices)
    parts = split_styles(torch.arange(float(total))[None], sizes, indices)
    assert [p.shape[1] for p in parts] == sizes
    assert float(parts[1].abs().sum()) == 0
    with pytest.raises(ValueError, match="channels given"):
        split_styles(torch.zeros(1, 3), sizes, indices)


def test_tensor_files_round_trip_and_refuse_rubbish(tmp_path: Path) -> None:
    path = save_tensors(tmp_path / "a.safetensors", {"x": torch.ones(2)}, {"kind": "test"})
    tensors, about = load_tensors(path)
    assert about == {"kind": "test"}
    assert torch.equal(tensors["x"], torch.ones(2))
    path.write_bytes(b"<html>")
    with pytest.raises(ValueError, match="not a readable"):
        load_tensors(path)
    with pytest.raises(FileNotFoundError):
        load_tensors(tmp_path / "b")
