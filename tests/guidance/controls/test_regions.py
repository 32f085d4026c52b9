"""Region masks: where they lie, that they share the picture, errors."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from guidance.controls.regions import REGIONS, mask_from_image, region_mask


def _value(name: str, x: float, y: float, size: int = 128) -> float:
    return float(region_mask(name, size)[0, 0, int(y * size), int(x * size)])


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("eyes", (0.38, 0.46), (0.5, 0.7)),
        ("mouth", (0.5, 0.7), (0.38, 0.46)),
        ("skin", (0.5, 0.58), (0.5, 0.02)),
        ("hair", (0.5, 0.14), (0.5, 0.6)),
        ("background", (0.03, 0.5), (0.5, 0.5)),
    ],
)
def test_regions_of_an_average_face(
    name: str, inside: tuple[float, float], outside: tuple[float, float]
) -> None:
    assert _value(name, *inside) > 0.8
    assert _value(name, *outside) < 0.1


def test_regions_cover_the_picture_once() -> None:
    total = sum(region_mask(name, 96) for name in REGIONS)
    assert isinstance(total, torch.Tensor)
    assert float(total.min()) > 0.9
    assert float(total.max()) < 1.3


def test_landmarks_move_the_mask() -> None:
    points = torch.rand(68, 2) * 4 + torch.tensor([20.0, 40.0])
    mask = region_mask("mouth", 64, points)
    assert mask.shape == (1, 1, 64, 64)
    where = mask[0, 0].nonzero().float().mean(0)
    assert abs(float(where[1]) - 22) < 4
    assert abs(float(where[0]) - 42) < 4
    with pytest.raises(ValueError, match="expected"):
        region_mask("mouth", 64, torch.zeros(5, 2))
    with pytest.raises(ValueError, match="not one of"):
        region_mask("nose", 64)


def test_mask_pictures_are_resized() -> None:
    image = Image.new("RGB", (10, 20))
    image.paste((255, 255, 255), (0, 0, 5, 20))
    mask = mask_from_image(image, 32)
    assert mask.shape == (1, 1, 32, 32)
    assert float(mask[0, 0, 16, 4]) > 0.95
    assert float(mask[0, 0, 16, 28]) < 0.05
