"""Adapting a generator by words."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from guidance.clip import OpenClip
from guidance.methods.nada import NadaConfig, adapt, choose_layers
from guidance.targets import embed_phrase
from multimodal.generators import load_generator, save_generator
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.types import Progress

QUICK = NadaConfig(steps=12, select_every=6, templates="none", lr=0.01)


def test_adapting_moves_a_copy_and_it_can_be_saved(
    generator: StyleGAN2, clip: OpenClip, tmp_path: Path
) -> None:
    before = {k: v.clone() for k, v in generator.state_dict().items()}
    seen: list[Progress] = []
    moved = adapt(generator, clip, "a photo", "a sketch", seen.append, QUICK)
    assert seen[-1].losses["directional"] < seen[0].losses["directional"]
    for key, value in generator.state_dict().items():
        assert torch.equal(value, before[key]), "the original stays"
    changed = {k for k, v in moved.state_dict().items() if not torch.equal(v, before[k])}
    assert changed
    assert not any("affine" in k or "mapping" in k or "torgb" in k or "const" in k for k in changed)
    save_generator(moved, tmp_path / "sketch.safetensors")
    w = generator.sample(1, 0).w
    torch.testing.assert_close(
        load_generator(tmp_path / "sketch.safetensors", "cpu").synthesize(w),
        moved.synthesize(w),
        atol=1e-5,
        rtol=0,
    )


def test_layers_are_chosen_by_share(generator: StyleGAN2, clip: OpenClip) -> None:
    target = embed_phrase(clip, "a sketch", "none")
    chosen = choose_layers(generator, clip, target, NadaConfig(share=0.5), 1)
    assert len(chosen) == 4
    assert chosen == sorted(chosen)


def test_same_texts_and_bad_settings_are_refused(generator: StyleGAN2, clip: OpenClip) -> None:
    with pytest.raises(ValueError, match="the same"):
        adapt(generator, clip, "a photo", "a photo", config=QUICK)
    with pytest.raises(ValueError, match="share"):
        NadaConfig(share=0)
