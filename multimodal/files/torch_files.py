"""The one door for torch's own files: plain data comes in, code does not, damage is named."""

from __future__ import annotations

import argparse
import pickle
import re
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

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
        WeightsError: a web page, damaged, or a file that asks for anything to be run.
    """
    mmap = (zipfile.is_zipfile(check_file(path)) and mapped) or None
    try:
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file that is no checkpoint; told below
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
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
