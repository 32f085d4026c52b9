"""Ruined pictures mended by a tiny generator: what was given stays, codes explain it, errors."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from apps.cli import run
from multimodal.editing.restoring import lit_as, restore_photo
from multimodal.generators import load_generator
from multimodal.images import to_pil, to_tensor
from multimodal.restoration import METHODS, TASKS, degradation, restore
from multimodal.restoration.degradations import LUMA
from multimodal.restoration.filters import smooth
from multimodal.restoration.jpeg import jpeg
from multimodal.types import Generator
from tests.tiny_editor import tiny_editor


@pytest.fixture(scope="module")
def generator() -> Generator:
    return load_generator("tiny", "cpu")


@pytest.fixture(scope="module")
def face(generator: Generator) -> Tensor:
    return generator.synthesize(generator.sample(1, 3).w).clamp(-1, 1).detach()


def hole(side: int) -> Tensor:
    found = torch.zeros(1, 1, side, side)
    found[..., side // 4 : side // 2, side // 4 : side // 2] = 1
    return found


def harm_of(task: str, side: int):
    return degradation(task, **({"hole": hole(side)} if task == "inpaint" else {}))


def luma(images: Tensor) -> Tensor:
    return (images * torch.tensor(LUMA)[None, :, None, None]).sum(1)


@pytest.mark.parametrize("task", TASKS)
def test_every_degradation_keeps_sizes_and_passes_gradients(task: str, face: Tensor) -> None:
    harm = harm_of(task, face.shape[-1])
    seen = face.clone().requires_grad_(True)
    degraded = harm.apply(seen)
    assert degraded.shape == face.shape
    degraded.square().mean().backward()
    assert float(seen.grad.abs().sum()) > 0
    assert torch.equal(harm.apply(face), harm.apply(face))


def test_known_pixels_stay_bit_for_bit(generator: Generator, face: Tensor) -> None:
    missing = hole(face.shape[-1])
    found = restore(generator, face, degradation("inpaint", hole=missing), steps=4)
    known = (missing == 0).expand_as(face)
    assert torch.equal(found.picture[known], face[known])
    assert not torch.equal(found.picture, face)


def test_a_larger_picture_shrinks_to_the_given_one(generator: Generator, face: Tensor) -> None:
    small = torch.nn.functional.avg_pool2d(face, 4)
    found = restore(generator, small, degradation("upscale", scale=4), steps=4)
    assert found.picture.shape == face.shape
    again = torch.nn.functional.avg_pool2d(found.picture, 4)
    assert float((again - small).abs().max()) * 127.5 <= 2


def test_a_coloured_picture_keeps_its_light(generator: Generator, face: Tensor) -> None:
    grey = luma(face)[:, None].expand_as(face)
    found = restore(generator, grey, degradation("colour"), steps=4)
    assert float((luma(found.picture) - luma(grey)).abs().max()) * 127.5 <= 1
    assert float(found.picture.std(dim=1).mean()) > 0


def test_a_grey_picture_begins_with_usual_colours(generator: Generator, face: Tensor) -> None:
    usual = generator.sample(1, 9).w
    half = usual.shape[1] // 2

    def encoder(pictures: Tensor) -> Tensor:
        return torch.zeros_like(usual)

    grey = luma(face)[:, None].expand_as(face)
    found = restore(
        generator, grey, degradation("colour"), encoder=encoder, usual=usual, steps=1
    ).latent.w
    assert torch.allclose(found[:, half:], usual[:, half:])
    assert not found[:, :half].any()


def test_the_averages_of_black_and_white_pixels_stay_too(face: Tensor) -> None:
    """Where a drawing strays far, clipping takes back what is handed to it."""
    small = (torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(1)) > 0.5) * 1.96 - 0.98
    wide = torch.nn.functional.interpolate(small, (32, 32), mode="nearest")
    kept = degradation("upscale", scale=8).keep(-wide, wide)
    again = torch.nn.functional.avg_pool2d(kept, 8)
    assert float((again - small).abs().max()) * 127.5 <= 2


def test_a_whole_photo_that_is_coloured_keeps_its_light() -> None:
    rng = np.random.default_rng(0)
    grey = Image.fromarray(rng.integers(0, 256, (16, 16), np.uint8)).convert("RGB")
    pixels = rng.integers(0, 256, (16, 16, 3), np.uint8)
    found = np.asarray(lit_as(grey, Image.fromarray(pixels)), np.float32)
    light = np.asarray(grey, np.float32)[..., 0]
    assert np.abs(found @ np.array(LUMA) - light).max() <= 1
    assert found.std(axis=-1).mean() > 5


def test_jpeg_is_what_a_program_writes(face: Tensor) -> None:
    picture = torch.nn.functional.interpolate(face, (64, 64), mode="bicubic").clamp(-1, 1)
    buffer = io.BytesIO()
    to_pil(picture).save(buffer, "JPEG", quality=20, subsampling=0)
    written = to_tensor(Image.open(buffer).convert("RGB"))
    assert float((jpeg(picture, 20) - written).abs().mean()) * 127.5 < 1


def test_smoothing_keeps_what_is_even() -> None:
    even = torch.full((1, 3, 16, 16), 0.3)
    assert torch.allclose(smooth(even, 2.0), even, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_explains_the_picture_better_and_repeats(
    method: str, generator: Generator, face: Tensor
) -> None:
    harm = degradation("deblur", radius=1.0)
    given = harm.apply(face)
    first, second = (restore(generator, given, harm, method, steps=12) for _ in range(2))
    assert torch.equal(first.picture, second.picture)
    assert first.report["steps"] >= 1
    begun = restore(generator, given, harm, method, steps=1)
    away = [float((harm.apply(r.drawn) - given).square().mean()) for r in (first, begun)]
    assert away[0] <= away[1]


def test_another_seed_is_another_answer(generator: Generator, face: Tensor) -> None:
    harm = degradation("upscale", scale=8)
    small = torch.nn.functional.avg_pool2d(face, 8)
    one, two = (restore(generator, small, harm, seed=seed, steps=3) for seed in (1, 2))
    assert not torch.equal(one.picture, two.picture)


@pytest.mark.parametrize(
    ("task", "settings", "message"),
    [
        ("repair", {}, "one of inpaint"),
        ("upscale", {"scale": 3.5}, "whole number"),
        ("upscale", {"noise": 3}, "does not take"),
        ("jpeg", {"quality": 0}, "quality"),
        ("inpaint", {}, "needs a hole"),
        ("inpaint", {"hole": torch.zeros(1, 1, 8, 8)}, "empty"),
    ],
)
def test_bad_settings(task: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        degradation(task, **settings)


def test_bad_calls(generator: Generator, face: Tensor) -> None:
    harm = degradation("colour")
    with pytest.raises(ValueError, match="one of code"):
        restore(generator, face, harm, "magic")
    with pytest.raises(ValueError, match="no such option"):
        restore(generator, face, harm, speed=3)
    with pytest.raises(ValueError, match=r"\[1, 3, H, W\]"):
        restore(generator, face[0], harm)


def test_a_photo_is_mended_through_its_editor(tmp_path: Path) -> None:
    editor = tiny_editor(tmp_path)
    rng = np.random.default_rng(0)
    photo = Image.fromarray(rng.integers(0, 255, (48, 48, 3), np.uint8))
    mask = Image.new("L", (48, 48))
    mask.paste(255, (12, 12, 30, 30))
    found = restore_photo(editor, photo, "inpaint", mask=mask, steps=2)
    assert found.photo.size == (editor.generator.resolution,) * 2
    with pytest.raises(ValueError, match="needs a mask"):
        restore_photo(editor, photo, "inpaint", steps=2)
    with pytest.raises(ValueError, match="a mask is for"):
        restore_photo(editor, photo, "colour", mask=mask, steps=2)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = tmp_path / "old.png"
    Image.effect_noise((32, 32), 60).convert("RGB").save(photo)
    words = ["restore", str(photo), "--model", "tiny", "--steps", "2", "--aligned"]
    out = tmp_path / "new.png"
    assert run([*words, "--task", "colour", "--out", str(out), "--count", "2"]) == 0
    assert (tmp_path / "new-1.png").is_file()
    assert (tmp_path / "new-2.png").is_file()
    assert run([*words, "--task", "repair", "--out", str(out)]) == 2
    assert "one of inpaint" in capsys.readouterr().err
    assert run([*words, "--task", "inpaint", "--out", str(out)]) == 2
    assert not out.exists()
