"""16 bits a colour: what is read, kept and written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from multimodal.images import load_image
from multimodal.pictures.deep import deepened, save_deep
from multimodal.pictures.depth import deep_levels

LEVELS = np.linspace(0, 65535, 40 * 30 * 3).reshape(30, 40, 3).astype(np.uint16)


@pytest.fixture(params=[".png", ".tif"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return save_deep(LEVELS, tmp_path / f"deep{request.param}", "a smile", "2024:05:31 18:00:00")


def test_files_keep_every_bit_and_say_what_they_are(file: Path) -> None:
    assert np.array_equal(deep_levels(file.read_bytes()), LEVELS)
    with Image.open(file) as image:
        image.load()
        assert image.size == (40, 30)
        assert np.abs(np.asarray(image).astype(int) - LEVELS // 256).max() == 0
        assert "icc_profile" in image.info
        assert b"compositeWithTrainedAlgorithmicMedia" in image.info["xmp"]
        assert "2024:05:31 18:00:00" in image.getexif().values()


def test_what_no_edit_reaches_keeps_its_bits(file: Path) -> None:
    photo = load_image(file)
    edited = np.asarray(photo).copy()
    edited[:10, :10] = 255 - edited[:10, :10]
    deep = deepened(Image.fromarray(edited), photo, file)
    assert np.array_equal(deep[10:], LEVELS[10:])
    assert np.array_equal(deep[:, 10:], LEVELS[:, 10:])
    assert np.abs(deep[:10, :10] / 257 - edited[:10, :10]).max() <= 1.01


def test_a_photo_of_8_bits_is_widened(tmp_path: Path) -> None:
    photo = Image.effect_noise((20, 20), 60).convert("RGB")
    photo.save(tmp_path / "a.png")
    deep = deepened(photo, photo, tmp_path / "a.png")
    assert np.array_equal(deep, np.asarray(photo).astype(np.uint16) * 257)
    # A turned photo's file does not lie over what was read: its levels are not taken.
    Image.fromarray(np.asarray(photo)[::-1]).save(tmp_path / "b.png")
    assert np.array_equal(deepened(photo, photo, tmp_path / "b.png"), deep)


def test_other_files_and_levels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot hold 16 bits: choose one of \.png, \.tif"):
        save_deep(LEVELS, tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="uint16"):
        save_deep(LEVELS.astype(np.uint8), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
