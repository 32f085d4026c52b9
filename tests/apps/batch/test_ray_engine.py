from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from apps.batch.batch import BatchConfig, Process, local_engine, run_batch
from apps.batch.manifest import Item
from apps.batch.ray_engine import RayConfig, ray_engine


def make_process() -> Process:
    """A small network on real pixels, so that equal outputs mean equal arithmetic."""
    import torch
    from torchvision.transforms.functional import to_pil_image, to_tensor

    network = torch.nn.Conv2d(3, 3, 5, padding=2)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(network.weight.shape, generator=generator) * 0.1
    network.load_state_dict({"weight": weight, "bias": torch.zeros(3)})

    def process(item: Item) -> tuple[Image.Image, Mapping[str, float]]:
        with Image.open(item.path) as image, torch.no_grad():
            pixels = network(to_tensor(image.convert("RGB"))[None])[0].sigmoid()
        return to_pil_image(pixels), {"mean": float(pixels.mean())}

    return process


@pytest.mark.slow
def test_two_workers_give_the_pixels_of_the_local_run(tmp_path: Path) -> None:
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # actors cannot import a test
    source = tmp_path / "in"
    source.mkdir()
    for k in range(9):
        Image.effect_noise((64, 64), 20 + k).save(source / f"{k}.png")
    (source / "bad.png").write_text("no")
    local = run_batch(BatchConfig(source, tmp_path / "a"), local_engine(make_process()))
    engine = ray_engine(make_process, RayConfig("local", workers=2, batch_size=2))
    scaled = run_batch(BatchConfig(source, tmp_path / "b"), engine)
    assert (scaled.done, scaled.failed) == (local.done, local.failed) == (9, 1)
    for k in range(9):
        first, second = (
            Image.open(tmp_path / side / "pictures" / f"{k}.png").tobytes() for side in "ab"
        )
        assert first == second
    assert run_batch(BatchConfig(source, tmp_path / "b"), engine).skipped == 10


@pytest.mark.slow
def test_a_model_that_does_not_load_is_one_line_and_exit_code_two(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from apps.cli import run

    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    words = ["batch", str(tmp_path), "--text", "old", "--out", str(tmp_path / "out")]
    assert run([*words, "--model", "nothing", "--ray", "local", "--workers", "1"]) == 2
    told = capfd.readouterr().err.strip().splitlines()
    assert told[-1].startswith("semblance: a worker cannot load the model: ")
    assert "nothing" in told[-1]
    assert not [line for line in told if "Traceback" in line]


def test_bad_settings() -> None:
    with pytest.raises(ValueError, match="workers"):
        RayConfig(workers=0)
