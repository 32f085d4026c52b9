"""Our own hypernetwork: shapes, training on a handful of pictures, inverting with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from multimodal.files.weights import WeightsError
from multimodal.generators.native import save_native
from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from multimodal.inversion import FaceEncoder, invert, load_encoder, tuned_generator
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder, BundleEncoderConfig
from multimodal.inversion.encoders.encoder_files import save_bundle_encoder
from multimodal.inversion.encoders.hyper_network import layer_table
from multimodal.inversion.encoders.small_hyper import (
    SmallHyperConfig,
    SmallHyperNetwork,
    read_small_hyper,
    save_small_hyper,
)
from recipes.encoder.train_encoder import Judges
from recipes.encoder.train_hyper import Known, begun, redrawn, train
from recipes.loop import RunConfig, start


@pytest.fixture(scope="module")
def generator() -> StyleGAN2:
    torch.manual_seed(0)
    shape = StyleGAN2Config(32, (16, 16, 8, 8), z_dim=16, w_dim=16, mapping_layers=2)
    model = StyleGAN2(shape).eval().requires_grad_(False)
    model.mapping.w_avg.copy_(model.mapping(torch.randn(256, 16))[:, 0].mean(0))
    return model


def _network(generator: StyleGAN2) -> SmallHyperNetwork:
    torch.manual_seed(0)
    shape = SmallHyperConfig.of(
        generator, rank=2, side=32, width=16, hidden=16, sides=(8, 16), features=16
    )
    return SmallHyperNetwork(shape)


def _images(generator: StyleGAN2, count: int = 8) -> torch.Tensor:
    return generator.synthesize(generator.sample(count, 5, 1.0).w).clamp(-1, 1)


def test_changes_fit_the_generator(generator: StyleGAN2) -> None:
    network = _network(generator)
    state, images = generator.state_dict(), _images(generator, 2)
    found = network(torch.cat([images, images], dim=1))
    changes = {
        layer.key: change
        for layer, change in zip(network.layers, found, strict=True)
        if change is not None
    }
    features = changes.pop("synthesis.b16.conv1.residual")
    assert features.shape[1:] == generator.synthesis.b16.conv1.residual_shape
    assert set(changes) == {f"synthesis.b{s}.conv{i}.weight" for s in (8, 16) for i in (0, 1)}
    assert all(change.shape[1:] == state[key].shape for key, change in changes.items())
    assert not any(change.any() for change in (features, *changes.values()))  # untrained: nothing
    assert layer_table(256)[1].key == "synthesis.b4.torgb.weight"


def test_training_draws_pictures_better_and_resumes(generator: StyleGAN2, tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = BundleEncoder(
        BundleEncoderConfig(8, 32, 16, width=16, hidden=16, feedback=True, passes=2)
    ).eval()
    images = _images(generator)
    pixels = ((images + 1) * 127.5).round().byte()
    known = Known.of(generator, encoder, pixels, 32)
    network = begun(generator, encoder)
    assert torch.equal(network.stem.weight, encoder.stem.weight)
    network = _network(generator)
    judges = Judges(lambda a, b: (a - b).abs().mean(dim=(1, 2, 3)), None)
    for steps in (8, 16):
        run = start(RunConfig(tmp_path / "run", steps, log_every=1000), "1", "cpu")
        train(run, generator, network, known, judges, 4, rate=5e-3)
        assert run.step == steps
    _, drawn, codes = known.batch(np.arange(8))
    shown = torch.cat([images, drawn], dim=1)
    with torch.no_grad():
        last, _ = redrawn(generator, network.eval(), shown, codes[:, None], 32)
        still = generator.synthesize(codes)
    assert float((last - images).square().mean()) < float((still - images).square().mean())
    known.save(tmp_path / "known.safetensors")
    _inverts(generator, network, images[:1], tmp_path / "model")
    save_bundle_encoder(encoder, tmp_path / "model")
    ours = load_encoder(tmp_path / "model", "cpu", generator)
    found = invert(generator, images[:1], "hyperstyle", encoder=ours)
    plain = invert(generator, images[:1], "encoder", encoder=ours)
    assert found.report["steps"] == 1
    assert found.report["mse"] < plain.report["mse"]
    _goes_on(generator, images[:1], ours, found.report["mse"])


def _goes_on(generator: StyleGAN2, image: torch.Tensor, encoder: FaceEncoder, mse: float) -> None:
    """Quick descents begin at the hypernetwork's weights."""
    found = invert(generator, image, "quick", encoder=encoder, perceptual=None, steps=6)
    assert found.report["mse"] < mse
    assert found.tuned is not None
    assert {f"synthesis.b16.conv1.{part}" for part in ("residual", "residual_at")} <= set(
        found.tuned
    )
    twin = tuned_generator(generator, found.tuned)
    drawn = twin.synthesize(found.latent.w).clamp(-1, 1)  # where nothing moved, all of it is there
    assert float((drawn - image).square().mean()) == pytest.approx(found.report["mse"], rel=1e-3)
    plain = {"hyper": False, "encoder": encoder, "perceptual": None, "steps": 6}
    assert "synthesis.b16.conv1.residual" not in (
        invert(generator, image, "quick", **plain).tuned or {}
    )
    half = torch.ones(1, 1, 32, 32)
    half[..., 16:] = 0
    hidden = invert(generator, image, "quick", encoder=encoder, perceptual=None, steps=6, mask=half)
    assert "synthesis.b16.conv1.residual" not in (hidden.tuned or {})


def _inverts(
    generator: StyleGAN2, network: SmallHyperNetwork, image: torch.Tensor, folder: Path
) -> None:
    folder.mkdir()
    save_native(generator, folder / "generator.safetensors")
    path = save_small_hyper(network, folder)
    encoder = load_encoder(path, "cpu")
    with pytest.raises(ValueError, match="needs its first encoder"):
        encoder(image)
    encoder.first = lambda seen: generator.w_avg.expand(len(seen), generator.num_layers, -1)
    found = invert(generator, image, "hyperstyle", encoder=encoder, passes=2)
    assert "synthesis.b16.conv1.residual" in found.tuned
    assert "synthesis.b16.conv1.residual_at" in found.tuned
    assert len(found.tuned) == 6


def test_hostile_files_are_refused(generator: StyleGAN2, tmp_path: Path) -> None:
    path = save_small_hyper(_network(generator), tmp_path)
    assert read_small_hyper(path).config.rank == 2
    beside = path.with_suffix(".json")
    described = json.loads(beside.read_text())
    for name, value in (
        ("rank", 64),
        ("hidden", 4096),
        ("channels", [4096] * 9),
        ("side", "large"),
        ("channels", []),
        ("features", 12),
        ("sides", [5]),
        ("extra", 1),
    ):
        changed = described | {"config": described["config"] | {name: value}}
        beside.write_text(json.dumps(changed))
        with pytest.raises(WeightsError, match="is not a hypernetwork"):
            read_small_hyper(path)
