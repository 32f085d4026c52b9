"""Which device to compute on."""

from __future__ import annotations

import torch

KINDS = ("cpu", "cuda", "mps")


def pick_device(name: str | torch.device = "auto") -> torch.device:
    """`auto` is cuda, else mps, else cpu; else one of these kinds, with a number or without;
    a number alone is a CUDA device.

    Raises:
        ValueError: another kind of device, or one this machine lacks.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if isinstance(name, str) and name.isdecimal():
        name = f"cuda:{name}"  # as other programs name the first graphics card: --device 0
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device {name!r} is not one of 'auto', 'cpu', 'cuda', 'mps'") from error
    if device.type not in KINDS:
        raise ValueError(
            f"device {str(name)!r} is not one of 'auto', {', '.join(map(repr, KINDS))}"
        )
    counts = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": torch.backends.mps.is_available()}
    if (device.index or 0) >= counts[device.type]:
        raise ValueError(f"device {name!r} is not available on this machine; try 'auto' or 'cpu'")
    return device


def fast_dtype(device: torch.device | str) -> torch.dtype:
    """The number type that convolutions run fastest in: bfloat16 where the hardware has units for
    it (CUDA, CPUs with AMX or AVX512-BF16), else float32; elsewhere bfloat16 is emulated, slowly.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.bfloat16
    supported = (
        getattr(torch.cpu, name, lambda: False)()
        for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    )
    return torch.bfloat16 if kind == "cpu" and any(supported) else torch.float32


def fast_autocast(device: torch.device | str) -> torch.autocast:
    """Autocast to `fast_dtype`; does nothing where that is float32."""
    dtype = fast_dtype(device)
    kind = torch.device(device).type
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=dtype != torch.float32)
