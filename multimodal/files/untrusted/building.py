"""A network that a description asks for may be no larger than the weights that came with it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from multimodal.files.torch_files import DAMAGED
from multimodal.files.weights import WeightsError

SHAPED = ("empty", "zeros", "ones", "rand", "randn")
COUNTED = ("arange", "range", "linspace", "randperm", "logspace", "eye", "tril_indices")
SPARE = 16 << 20
"""Numbers a network may hold besides its weights: filters, masks, positions."""
MAX_TENSORS = 50_000


class TooLarge(WeightsError):
    """A description that asks for more than its weights fill."""


@contextmanager
def within(weights: Mapping[str, Tensor], source: str) -> Iterator[None]:
    """Build a network in this block: it may take twice the numbers of `weights`, and some to spare.

    Args:
        weights: what will be loaded into it; read from the file before, so they are there.
        source: the file with the description, for messages.

    Raises:
        ValueError: the description asks for more, or describes nothing that can be built.
    """
    numbers = sum(tensor.numel() for tensor in weights.values())
    try:
        with _Budget(2 * numbers + SPARE):
            yield
    except ValueError as error:
        raise WeightsError(f"{source}: {error}") from error
    except DAMAGED as error:
        reason = str(error).split("\n")[0][:200] or type(error).__name__
        raise WeightsError(f"{source} describes no network that can be built: {reason}") from error


class _Budget(TorchFunctionMode):
    """Counts the numbers that new tensors hold, each before it is made."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.allowed, self.numbers, self.tensors = numbers, numbers, MAX_TENSORS

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        options = kwargs or {}
        asked = _asked(getattr(func, "__name__", ""), args, options)
        if asked is not None:
            self.numbers -= asked
            self.tensors -= 1
        if self.numbers < 0 or self.tensors < 0:
            raise TooLarge(
                "it describes a network of more numbers than its file of weights holds "
                f"(no more than {self.allowed} are built)"
            )
        return func(*args, **options)


def _asked(name: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> int | None:
    """How many numbers a call makes; None for one that makes no new tensor from sizes."""
    if name.startswith("new_") and name.removeprefix("new_") in (*SHAPED, "full"):
        return _product(args[1:], options)
    if name in SHAPED:
        return _product(args, options)
    if name == "full":
        return _product(args[:1], options)
    if name in COUNTED:
        sizes = [int(abs(value)) for value in args if isinstance(value, int | float)]
        most = max([1, *sizes, *(int(v) for k, v in options.items() if k in ("end", "steps"))])
        return most * most if name in ("eye", "tril_indices") else most
    return None


def _product(args: tuple[Any, ...], options: Mapping[str, Any]) -> int:
    sizes = args or (options.get("size", ()),)
    if len(sizes) >= 1 and isinstance(sizes[0], list | tuple):
        sizes = tuple(sizes[0])
    return math.prod(int(size) for size in sizes if isinstance(size, int))
