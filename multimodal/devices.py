"""Which device to compute on."""

from __future__ import annotations

import torch


def pick_device(name: str | torch.device = "auto") -> torch.device:
    """`auto` is cuda, else mps, else cpu; anything else is taken as it is.

    Raises:
        ValueError: not a device torch knows, or one this machine lacks.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device {name!r} is not one of 'auto', 'cpu', 'cuda', 'mps'") from error
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present.get(device.type, True):
        raise ValueError(f"device {name!r} is not available on this machine; try 'auto' or 'cpu'")
    return device
