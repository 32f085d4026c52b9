"""A domain of one's own, landscapes, from a hundred pictures to restored ones."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from multimodal.generators import load_generator
from multimodal.images import to_tensor
from multimodal.inversion import invert
from multimodal.restoration import degradation, restore
from recipes.generator import fit_mapping, train_generator

pytestmark = pytest.mark.filterwarnings("ignore")
COUNT, SIDE = 100, 32


def landscape(seed: int) -> Image.Image:
    """A sky over hills."""
    source = np.random.default_rng(seed)
    sky, ground = source.uniform((0.3, 0.5, 0.7), (0.7, 0.8, 1.0)), source.uniform(0.1, 0.5, 3)
    line = np.linspace(0, 3 * np.pi, 48)
    ridge = 26 + 7 * np.sin(line * source.uniform(0.5, 1.5) + source.uniform(0, 6))
    below = np.arange(48)[:, None] > ridge[None]
    pixels = np.where(below[..., None], ground, sky * np.linspace(0.8, 1.1, 48)[:, None, None])
    return Image.fromarray((pixels * 255).clip(0, 255).astype(np.uint8))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(COUNT):
        landscape(seed).save(folder / f"{seed:03}.png")
    return folder


@pytest.mark.slow
def test_a_hundred_pictures_make_a_generator_that_restores(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(recipe: object, *arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", ["recipe", *map(str, arguments)])
        recipe.main()  # type: ignore[attr-defined]

    out, fitted = tmp_path / "run", tmp_path / "mapping"
    shape = ["--resolution", SIDE, "--channels", "16,16,16,16", "--mapping-layers", 2]
    run(train_generator, "--data", photos, "--out", out, *shape, "--batch", 4, "--steps", 6)
    steps = ["--flow-steps", 5, "--distill-steps", 5, "--pairs", 64]
    run(fit_mapping, "--data", photos, "--run", out, "--out", fitted, *steps)
    generator = load_generator(fitted / "generator.safetensors", "cpu")
    drawn = generator.synthesize(generator.sample(8, 0, 1.0).w)
    assert torch.isfinite(drawn).all()
    assert float(drawn.std(0).mean()) > 1e-3
    picture = to_tensor(landscape(COUNT + 1).resize((SIDE, SIDE)))
    found = invert(generator, picture, "adam", steps=15)
    begun = generator.synthesize(generator.w_avg.expand(1, generator.num_layers, -1))
    after = generator.synthesize(found.latent.w)
    away = [float((seen - picture).square().mean()) for seen in (begun, after)]
    assert away[1] < away[0]
    hole = torch.zeros(1, 1, SIDE, SIDE)
    hole[..., 8:16, 8:16] = 1
    mended = restore(generator, picture, degradation("inpaint", hole=hole), steps=5).picture
    assert torch.allclose(mended[..., 20:, 20:], picture[..., 20:, 20:], atol=1e-4)
