"""Style channels that move a region, and walks that do what edits of pictures do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from apps.cli import run
from guidance.common import apply_offset
from guidance.controls.channels import ChannelConfig, Channels, energies, find_channels
from guidance.controls.steering import EDITS, WalkConfig, learn_walk, walk_loss
from multimodal.generators import load_generator
from multimodal.generators.stylegan2 import StyleGAN2


@pytest.fixture(scope="module")
def generator() -> StyleGAN2:
    """The small network."""
    return load_generator("tiny", "cpu")


def left(picture: torch.Tensor) -> torch.Tensor:
    """The left half."""
    mask = torch.zeros_like(picture[:, :1])
    mask[..., : picture.shape[-1] // 2] = 1
    return mask


def test_energies_are_those_of_the_gradient_maps(generator: StyleGAN2) -> None:
    w = generator.sample(1, seed=0).w
    source = torch.Generator().manual_seed(0)
    inside, everywhere = energies(generator, w, left, 200, source)
    styles = generator.styles(w)
    for style, channel in ((0, 3), (5, 2)):
        moved = [s.clone() for s in styles]
        moved[style][0, channel] += 1e-2
        with torch.no_grad():
            change = generator.synthesize_styles(moved) - generator.synthesize_styles(styles)
        exact = (change / 1e-2).square()
        at = sum(s.shape[1] for s in styles[:style]) + channel
        assert float(everywhere[at]) == pytest.approx(float(exact.sum()), rel=0.25)
        assert float(inside[at]) == pytest.approx(float((exact * left(exact)).sum()), rel=0.25)


def test_found_channels_move_the_region_most(generator: StyleGAN2, tmp_path: Path) -> None:
    config = ChannelConfig(count=3, faces=2, probes=4, least=0.4)
    found = find_channels(generator, left, "left", config)
    assert found.names == ("left 1", "left 2", "left 3")
    assert bool((found.localities >= 0.4).all())
    assert not any(style % 3 == 1 for style, _ in found.places.tolist())  # no toRGB
    again = Channels.load(found.save(tmp_path).parent)
    assert again.names == found.names
    assert torch.equal(again.places, found.places)
    latent = generator.sample(1, seed=9)
    moved = apply_offset(generator, latent, found.offsets()["left 1"])
    assert moved.styles is not None
    before = generator.styles(latent.w)
    changed = sum(int((a != b).sum()) for a, b in zip(moved.styles, before, strict=True))
    assert changed == 1
    both = found.joined(replace(found, names=("right 1", "right 2", "left 3")))
    assert both.names == ("left 1", "left 2", "right 1", "right 2", "left 3")


def test_what_cannot_be_found_is_said(generator: StyleGAN2, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no channel has 100%"):
        find_channels(generator, left, "left", ChannelConfig(faces=1, probes=1, least=1.0))
    with pytest.raises(ValueError, match="needs space 's'; dcgan has z"):
        find_channels(load_generator("tiny-dcgan", "cpu"), left, "left")
    (tmp_path / "channels.safetensors").write_bytes(b"not a file")
    with pytest.raises(ValueError):
        Channels.load(tmp_path)


@pytest.mark.parametrize("edit", ["brightness", "shift_x"])
def test_a_walk_does_what_the_edit_does(generator: StyleGAN2, edit: str) -> None:
    walk = learn_walk(generator, edit, WalkConfig(steps=25, lr=0.05))
    assert walk.shape == (generator.num_layers, generator.style_dim)
    codes = generator.sample(4, seed=77).w
    amounts = torch.tensor([-1.0, -0.5, 0.5, 1.0])
    walked = walk_loss(generator, codes, codes + amounts[:, None, None] * walk, edit, amounts)
    still = walk_loss(generator, codes, codes, edit, amounts)
    assert float(walked) < float(still)


@pytest.mark.parametrize("edit", EDITS)
def test_edits_leave_pictures_alone_at_zero(edit: str) -> None:
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.8
    edited, known = EDITS[edit](images, torch.zeros(2))
    torch.testing.assert_close(edited * known, images * known, atol=1e-5, rtol=0)
    assert float(known.mean()) > 0.7
    changed, _ = EDITS[edit](images, torch.ones(2))
    assert not torch.allclose(changed, images, atol=1e-2)


def test_shifts_go_where_they_say() -> None:
    images = torch.zeros(1, 3, 20, 20)
    images[..., 10, 10] = 1
    right, _ = EDITS["shift_x"](images, torch.ones(1))
    down, _ = EDITS["shift_y"](images, torch.ones(1))
    assert int(right[0, 0].flatten().argmax()) == 10 * 20 + 12
    assert int(down[0, 0].flatten().argmax()) == 12 * 20 + 10


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--model", "tiny", "--out", str(tmp_path)]
    assert run(["channels", "--region", "skin", "--least", "0.05", "--faces", "1", *out]) == 0
    assert (tmp_path / "channels.safetensors").is_file()
    assert run(["directions", "walk", "zoom", "--steps", "2", *out]) == 0
    assert (tmp_path / "attributes.safetensors").is_file()
    assert run(["channels", "--region", "ear", *out]) == 2
    assert run(["directions", "walk", "flip", *out]) == 2
    assert "'flip' is not one of zoom" in capsys.readouterr().err
