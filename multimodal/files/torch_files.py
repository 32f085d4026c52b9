"""The one door for torch's own files: plain data comes in, code does not, damage is named."""

from __future__ import annotations

import argparse
import pickle
import re
import struct
import warnings
from pathlib import Path
from typing import Any

import torch

from multimodal.files.untrusted.torch_claims import check_loaded, check_torch
from multimodal.files.weights import WeightsError, check_file

DAMAGED: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    pickle.PickleError,
    RecursionError,
    RuntimeError,
    TypeError,
    UnicodeError,
    ValueError,
    struct.error,
)
"""What reading damaged or hostile bytes may raise besides the readers' own errors."""


def load_torch(path: Path, mapped: bool = False) -> Any:
    """What a `.pt` file holds: tensors, plain Python values and `argparse.Namespace`s, on the CPU.

    Args:
        path: the file.
        mapped: leave the tensors of a zipped file on the disk until they are used.

    Raises:
        FileNotFoundError: no such file.
        WeightsError: a web page, damaged, a file that asks for anything to be run, or for more
            memory than it has bytes.
    """
    mmap = (_is_zip(check_file(path)) and mapped) or None
    try:
        with path.open("rb") as file:
            check_torch(file, path.name)
        contents = _loaded(path, mmap)
        check_loaded(contents, path.stat().st_size, path.name)
        return contents
    except WeightsError:
        raise
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL ([\w.]+)", str(error))
        if asked:
            raise WeightsError(
                f"{path.name}: refused the global {asked[1]}: the file may run code"
            ) from error
        # Torch's own words would advise to load it unsafely.
        raise WeightsError(f"{path.name} is damaged or not a torch checkpoint") from error
    except DAMAGED as error:
        reason = str(error).split("\n")[0][:200] or type(error).__name__
        raise WeightsError(
            f"{path.name} is damaged or truncated ({reason}); download it again"
        ) from error


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _loaded(path: Path, mmap: bool | None) -> Any:
    with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a file that is no checkpoint; told by the caller
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
