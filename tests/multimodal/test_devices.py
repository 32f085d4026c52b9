"""Where work is done."""

from __future__ import annotations

import pytest
import torch

from guidance.clip import load_clip
from multimodal.devices import fast_dtype, pick_device


def test_the_processor_is_always_there() -> None:
    assert pick_device("cpu") == pick_device(torch.device("cpu")) == torch.device("cpu")
    assert pick_device().type in ("cpu", "cuda", "mps")


@pytest.mark.parametrize("name", ["meta", "xla", "vulkan", "xpu", "hpu", "foo", "cuda:99", "mps:7"])
def test_other_devices_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="device"):
        pick_device(name)
    with pytest.raises(ValueError, match="device"):
        load_clip("ViT-B-32", name)


def test_numbers_are_of_a_kind_the_hardware_has() -> None:
    assert fast_dtype("cuda") == torch.bfloat16
    assert fast_dtype("mps") == torch.float32
    assert fast_dtype("cpu") in (torch.float32, torch.bfloat16)
