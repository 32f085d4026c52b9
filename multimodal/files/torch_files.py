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

from multimodal.files.untrusted.pickles import refusal
from multimodal.files.untrusted.torch_claims import check_loaded, check_torch
from multimodal.files.weights import WeightsError, check_file

KNOWN_PROTOCOL = 2
CHECKPOINTS = (".pt", ".pth", ".pkl", ".ckpt", ".bin", ".safetensors")
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
    zipped = _is_zip(check_file(path))
    if zipped:
        _refuse_other_archives(path)
    mmap = (zipped and mapped) or None
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
            raise WeightsError(f"{path.name}: {refusal(asked[1])}") from error
        protocol = _protocol(path)
        if protocol > KNOWN_PROTOCOL:
            raise WeightsError(
                f"{path.name} was saved with pickle protocol {protocol}, of which the reader that "
                f"runs no code knows {KNOWN_PROTOCOL}: save it again by torch.save as it is, "
                "without pickle_protocol"
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


def _refuse_other_archives(path: Path) -> None:
    """A ZIP archive is a checkpoint only if torch made it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
    except (zipfile.BadZipFile, OSError, ValueError):
        return  # torch's reader names the damage
    if any(name.rpartition("/")[2] in ("data.pkl", "constants.pkl") for name in names):
        return
    inside = [name for name in names if name.endswith(CHECKPOINTS)]
    what = f"in which {inside[0]} lies: unpack it first" if inside else "without a checkpoint in it"
    raise WeightsError(f"{path.name} is a ZIP archive {what}")


def _protocol(path: Path) -> int:
    """The pickle protocol of a torch file, 0 where it is not said."""
    try:
        if not _is_zip(path):
            with path.open("rb") as file:
                head = file.read(2)
        else:
            with zipfile.ZipFile(path) as archive:
                inside = next(n for n in archive.namelist() if n.rpartition("/")[2] == "data.pkl")
                with archive.open(inside) as file:
                    head = file.read(2)
    except (zipfile.BadZipFile, OSError, ValueError, StopIteration, NotImplementedError):
        return 0
    return head[1] if len(head) == 2 and head[0] == 0x80 else 0


def _loaded(path: Path, mmap: bool | None) -> Any:
    with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a file that is no checkpoint; told by the caller
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
