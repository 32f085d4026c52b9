"""Global directions: parity with the published selection, statistics, caching."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from guidance.clip import OpenClip, random_clip
from guidance.common import apply_offset, draw
from guidance.methods.directions import (
    ChannelStatistics,
    GlobalDirections,
    StatisticsConfig,
    auto_beta,
    boundary_of,
    channel_effects,
    compute_statistics,
    select_channels,
    style_moments,
)
from guidance.registry import METHODS, make_guidance
from guidance.targets import direction, embed_text
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.types import EditRequest, Toolkit

QUICK = StatisticsConfig(samples=64, images=2, batch=64, fast=False)


class _Oracle:
    """The recorded inputs and outputs of the published code."""

    def __init__(self, folder: Path) -> None:
        self.spec = json.loads((folder / "styleclip_global.json").read_text())
        self.out = np.load(folder / "styleclip_global.npz")

    def fill(
        self,
        key: str,
        shape: tuple[int, ...],
        mul: float = 1,
        add: float = 0,
        absolute: bool = False,
    ) -> torch.Tensor:
        seed = zlib.crc32(f"{self.spec['salt']}/styleclip_global/{key}".encode())
        x = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)
        x = np.abs(x) if absolute else x
        return torch.from_numpy((x * mul + add).astype(np.float32))


@pytest.fixture
def oracle(parity: Path) -> _Oracle:
    return _Oracle(parity)


def test_channel_effects_parity(oracle: _Oracle) -> None:
    effects = channel_effects(oracle.fill("fs", (40, 5, 2, 512), 0.05, 0.02))
    np.testing.assert_allclose(effects, oracle.out["GetFs"], atol=1e-6)


def test_text_direction_parity(oracle: _Oracle) -> None:
    means = []
    for name in oracle.spec["classnames"]:
        features = torch.stack(
            [
                oracle.fill(f"text:{t.format(name)}", (512,), 0.3, 0.02)
                for t in oracle.spec["templates_used_here"]
            ]
        )
        mean = torch.nn.functional.normalize(features, dim=-1).mean(0, keepdim=True)
        means.append(torch.nn.functional.normalize(mean, dim=-1))
    np.testing.assert_allclose(torch.cat(means), oracle.out["zeroshot_weights_T"], atol=1e-6)
    np.testing.assert_allclose(direction(*means)[0], oracle.out["GetDt"], atol=1e-6)


@pytest.mark.parametrize("beta", ["0.08", "0.10", "0.13"])
def test_channel_selection_parity(oracle: _Oracle, beta: str) -> None:
    effects = torch.nn.functional.normalize(oracle.fill("fs3", (6048, 512)), dim=-1)
    change = torch.nn.functional.normalize(oracle.fill("dt", (512,)), dim=-1)
    channels = select_channels(effects @ change, float(beta))
    chosen = channels.nonzero().flatten().numpy()
    np.testing.assert_array_equal(chosen, oracle.out[f"selected_beta{beta}_idx6048"])
    np.testing.assert_allclose(channels[chosen], oracle.out[f"ds_beta{beta}_val"], atol=2e-6)
    sizes = tuple(oracle.spec["dims"])
    std = tuple(oracle.fill(f"code_std.{i}", (n,), 0.1, 0.2, True) for i, n in enumerate(sizes))
    flat = torch.cat(boundary_of(ChannelStatistics(sizes, std, effects), channels))
    where = flat.nonzero().flatten().numpy()
    np.testing.assert_array_equal(where, oracle.out[f"boundary_beta{beta}_idx9088"])
    np.testing.assert_allclose(flat[where], oracle.out[f"boundary_beta{beta}_val"], atol=1e-6)
    if beta == "0.10":
        codes = torch.cat(
            [oracle.fill(f"dlatent.{i}", (2, n), 1, 1) for i, n in enumerate(sizes)], 1
        )
        moved = (codes + 4.0 * flat)[:, where]
        np.testing.assert_allclose(moved, oracle.out["mscode_beta0.10_at_idx9088"][:, 0], atol=2e-6)


def test_auto_beta_keeps_more_than_least() -> None:
    relevance = torch.linspace(-0.5, 0.5, 1000)
    beta = auto_beta(relevance, 20)
    assert int((relevance.abs() >= beta).sum()) > 20
    assert int((relevance.abs() >= beta + 0.01).sum()) <= 20
    assert auto_beta(torch.full((5,), 0.05)) == pytest.approx(0.05)
    with pytest.raises(ValueError, match="reaches beta"):
        select_channels(torch.full((5,), 0.05), 0.1)


def test_statistics_are_measured_kept_and_independent_of_the_batch(
    generator: StyleGAN2, clip: OpenClip, tmp_path: Path
) -> None:
    steps: list[int] = []
    path = tmp_path / "directions.safetensors"
    first = compute_statistics(generator, clip, path, lambda p: steps.append(p.step), QUICK)
    assert steps == list(range(1, len(steps) + 1))
    assert first.effects.shape == (sum(first.sizes) - sum(first.sizes[1::3]), clip.dim)
    other = compute_statistics(generator, clip, config=replace(QUICK, batch=4))
    torch.testing.assert_close(first.effects, other.effects, atol=2e-3, rtol=0)
    loaded = ChannelStatistics.load(path)
    torch.testing.assert_close(loaded.effects, first.effects, atol=1e-3, rtol=0)
    assert loaded.sizes == first.sizes


def test_channels_are_moved_about_their_mean(
    generator: StyleGAN2, clip: OpenClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    synthesize = generator.synthesize_styles

    def watch(styles: list[torch.Tensor]) -> torch.Tensor:
        seen.append(styles[0][:, 0].clone())
        return synthesize(styles)

    monkeypatch.setattr(generator, "synthesize_styles", watch)
    config = replace(QUICK, images=3, batch=6)
    compute_statistics(generator, clip, config=config)
    mean, std = (moment[0][0] for moment in style_moments(generator, config))
    wanted = torch.stack([mean - 5 * std, mean + 5 * std]).repeat(3)
    torch.testing.assert_close(seen[0], wanted)
    assert float(seen[1].std()) > 0, "the other channels keep the faces' own values"


def test_direction_moves_towards_the_words(toolkit: Toolkit) -> None:
    method = GlobalDirections(toolkit, config=replace(QUICK, images=4))
    clip, generator = toolkit.clip, toolkit.generator
    target, neutral = embed_text(clip, "a smile"), embed_text(clip, "a face")
    request = EditRequest(generator.sample(1, 9), target, neutral)
    change = direction(target, neutral)

    def score(strength: float) -> float:
        latent = apply_offset(generator, request.latent, method.offset(request), strength)
        return float((clip.encode_image(draw(generator, latent)) * change).sum())

    assert score(1.0) > score(0.0) > score(-1.0)
    assert (Path(toolkit.folder) / "directions.safetensors").is_file()  # type: ignore[arg-type]
    again = GlobalDirections(toolkit)  # reads the file
    one, two = method.offset(request).styles, again.offset(request).styles
    assert one is not None
    assert two is not None
    torch.testing.assert_close(torch.cat(one, 1), torch.cat(two, 1), atol=2e-2, rtol=0)


def test_foreign_statistics_are_refused(toolkit: Toolkit) -> None:
    found = compute_statistics(toolkit.generator, random_clip(0, dim=16), config=QUICK)
    found.save(Path(toolkit.folder) / "directions.safetensors")  # type: ignore[arg-type]
    method = GlobalDirections(replace(toolkit, clip=random_clip(0, dim=32)))
    with pytest.raises(ValueError, match="another generator or CLIP"):
        method.statistics()


def test_registry(toolkit: Toolkit) -> None:
    with pytest.raises(ValueError, match="not one of"):
        make_guidance("magic", toolkit)
    for name in METHODS:
        assert make_guidance(name, toolkit).name == name
