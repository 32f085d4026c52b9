"""Attribute directions: SeFa parity, principal components, SVM boundaries, projections."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from guidance.clip import OpenClip
from guidance.controls.attributes import (
    NAMED,
    attribute_directions,
    boundary,
    conditional,
    ganspace,
    sefa,
    text_scores,
)
from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config, channels_for


def _filled(parity: Path, size: int) -> StyleGAN2:
    """A generator with the recorded style weights (nothing else matters to SeFa)."""
    spec = json.loads((parity / f"sefa_g{size}.json").read_text())
    net = spec["weights"].split("weights of ")[1].split(" ")[0]
    layout = json.loads((parity / f"{net}.json").read_text())["state_dict"]
    base = int(net.rsplit("cb", 1)[1])
    model = StyleGAN2(StyleGAN2Config(size, channels_for(size, base))).eval().requires_grad_(False)
    state = dict(model.named_parameters())
    for key, entry in layout.items():
        if ".affine." in key:
            seed = zlib.crc32(f"{spec['salt']}/{net}/{key}".encode())
            x = np.random.Generator(np.random.PCG64(seed)).standard_normal(tuple(entry["shape"]))
            x = x * entry["fill"]["mul"] + entry["fill"]["add"]
            state[key].data.copy_(torch.from_numpy(x.astype(np.float32)))
    return model


@pytest.mark.parametrize("size", [64, 256])
def test_sefa_parity(parity: Path, size: int) -> None:
    model = _filled(parity, size)
    spec = json.loads((parity / f"sefa_g{size}.json").read_text())
    expected = np.load(parity / f"sefa_g{size}.npz")
    for name, entry in spec["layers"].items():
        values, vectors = sefa(model, entry["layers"], 16)
        wanted = expected[f"{name}.eigvecs_sorted_top16"]
        cosine = np.abs((vectors.numpy() * wanted).sum(1))
        assert cosine.min() >= 0.9999, (name, cosine)
        np.testing.assert_allclose(values, expected[f"{name}.eigvals_sorted"][:16], rtol=1e-4)


def test_sefa_checks_layers(generator: StyleGAN2) -> None:
    values, vectors = sefa(generator, count=3)
    assert vectors.shape == (3, 16)
    torch.testing.assert_close(vectors @ vectors.T, torch.eye(3), atol=1e-5, rtol=0)
    assert (values.diff() <= 0).all()
    with pytest.raises(ValueError, match="not all in"):
        sefa(generator, [99])


def test_ganspace_finds_principal_components(generator: StyleGAN2) -> None:
    deviations, directions = ganspace(generator, 4, samples=4000)
    codes = generator.sample(4000, 0, 1.0).w[:, 0]
    _, exact, axes = torch.linalg.svd(codes - codes.mean(0), full_matrices=False)
    assert (directions @ axes[:4].T).abs().diagonal().min() > 0.8
    torch.testing.assert_close(deviations, exact[:4] / 4000**0.5, rtol=0.1, atol=0.01)


def test_boundary_recovers_a_known_direction() -> None:
    source = torch.Generator().manual_seed(0)
    codes = torch.randn(1000, 8, generator=source)
    truth = torch.nn.functional.normalize(torch.randn(8, generator=source), dim=0)
    found = boundary(codes, codes @ truth)
    assert float(found @ truth / found.norm()) > 0.95
    assert 1.2 < float(found.norm()) < 2.5
    with pytest.raises(ValueError, match="too few"):
        boundary(codes[:3], torch.zeros(2))


class _Elsewhere(torch.Tensor):
    """A tensor of a device without float64."""

    def double(self, *_: object, **__: object) -> torch.Tensor:
        raise TypeError("no float64 here")

    def cpu(self, *_: object, **__: object) -> torch.Tensor:
        return self.as_subclass(torch.Tensor)


def test_devices_without_float64_are_served() -> None:
    codes, others = torch.randn(100, 8), torch.randn(2, 8)
    away = codes.as_subclass(_Elsewhere)
    torch.testing.assert_close(boundary(away, away[:, 0]), boundary(codes, codes[:, 0]))
    kept = conditional(away[0], list(others.as_subclass(_Elsewhere)))
    torch.testing.assert_close(kept.cpu(), conditional(codes[0], list(others)))


@pytest.mark.parametrize("factor", [2.0, 3.1])
def test_dependent_directions_take_nothing_else_away(factor: float) -> None:
    wanted, other, third = torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
    out = conditional(wanted, [other, other * factor, third])
    torch.testing.assert_close(out, conditional(wanted, [other, third]), atol=1e-5, rtol=0)


def test_conditional_projection() -> None:
    a, b = torch.randn(4, 6), torch.randn(4, 6)
    out = conditional(a, [b, b * 3])
    assert out.shape == a.shape
    assert abs(float((out * b).sum())) < 1e-4
    assert torch.equal(conditional(a, []), a)


def test_attributes_of_a_generator(generator: StyleGAN2, clip: OpenClip) -> None:
    names = ("age", "hair_red")
    scorers = {n: text_scores(clip, NAMED[n]) for n in names}
    layers = {n: NAMED[n].layers for n in names}
    found = attribute_directions(generator, scorers, layers, samples=200, truncation=1.0)
    assert found["age"].shape == (generator.num_layers, 16)
    assert float(found["hair_red"][:4].abs().sum()) == 0
    w = generator.sample(64, 999, 1.0).w
    score = scorers["age"]
    up, down = (score(generator.synthesize(w + s * found["age"])).mean() for s in (1, -1))
    assert float(up) > float(down)
