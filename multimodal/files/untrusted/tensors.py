"""safetensors files: the header is read and held against the file before any tensor is."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from multimodal.files.weights import WeightsError, check_file

MAX_HEADER = 8 << 20
MAX_AXES = 8


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a `.safetensors` file, on the CPU.

    Raises:
        FileNotFoundError: no such file.
        WeightsError: damaged, or a tensor claims another size than its bytes have.
    """
    check_header(path)
    try:
        return load_file(path)
    except (SafetensorError, ValueError, OSError, RuntimeError) as error:
        raise WeightsError(f"{path.name} is damaged or truncated ({error})") from error


def check_header(path: Path) -> None:
    """Refuse a file whose header is too long, or claims a tensor that its bytes do not hold.

    Sizes of networks are read off shapes, so a shape without numbers (one of its sides 0) is
    refused too.

    Raises:
        FileNotFoundError: no such file.
        WeightsError: what it claims, by the tensor's name.
    """
    size = check_file(path).stat().st_size
    for name, about in _header(path, size).items():
        if name == "__metadata__":
            continue
        shape = about.get("shape") if isinstance(about, dict) else None
        if not isinstance(shape, list) or not all(type(side) is int for side in shape):
            raise WeightsError(f"{path.name} is damaged: {name[:80]!r} has no shape")
        fits = len(shape) <= MAX_AXES and min(shape, default=1) > 0
        count = math.prod(shape) if fits else 0
        if not 1 <= count <= 8 * size:
            raise WeightsError(
                f"{path.name}: {name[:80]!r} claims the shape {_shown(shape)}, "
                f"which is not that of numbers in a file of {size} bytes"
            )


def _header(path: Path, size: int) -> dict[str, Any]:
    with path.open("rb") as file:
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else size
        if length > min(size - 8, MAX_HEADER):
            raise WeightsError(f"{path.name} is damaged or truncated (no safetensors header)")
        text = file.read(length)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path.name} is damaged: its header is not JSON") from error
    if not isinstance(found, dict):
        raise WeightsError(f"{path.name} is damaged: its header is no JSON object")
    return found


def _shown(shape: list[int]) -> str:
    return str(tuple(shape)) if len(shape) <= MAX_AXES else f"of {len(shape)} axes"
