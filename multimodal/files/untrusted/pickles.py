"""Pickles, looked through before they are read: how many steps, which places in the memo.

A pickle of some bytes may ask its reader for a table of gigabytes ("memo 2147483647"), or copy a
long list over and over. Nothing is built here; what is built later is bounded by what was counted.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import IO, Any

from multimodal.files.weights import WeightsError

MAX_STEPS = 2_000_000
"""Of one pickle; the largest public checkpoints take some ten thousand."""


def count_steps(file: IO[bytes], name: str) -> int:
    """How many steps the pickle at the file's place has; the place is behind it afterwards.

    Args:
        file: at the beginning of a pickle.
        name: of the file, for messages.

    Raises:
        WeightsError: damaged, too long, or with a memo larger than itself.
    """
    steps = 0
    try:
        for opcode, argument, _ in pickletools.genops(file):
            steps += 1
            place = argument if isinstance(argument, int) else 0
            if opcode.name.endswith("PUT") and not 0 <= place <= steps:
                raise WeightsError(f"{name} asks for {argument} places in memory for fewer objects")
            if steps > MAX_STEPS:
                raise WeightsError(f"{name} is a pickle of more than {MAX_STEPS} steps")
    except WeightsError:
        raise
    except (ValueError, OverflowError, MemoryError, UnicodeError) as error:
        raise WeightsError(f"{name} is a damaged or truncated pickle") from error
    return steps


def refusal(name: str) -> str:
    """Why a global of that name (with its module's) is refused, and what to do about it."""
    said = f"refused the global {name}: the file may run code"
    if not name.rpartition(".")[2][:1].isupper():
        return said
    return (
        f"{said}; it holds a whole pickled module, which only that class could load: where it is, "
        'save the weights alone, torch.save({"g_ema": module.state_dict()}, "weights.pt")'
    )


class Callee:
    """Stands for a function of a pickle: it may be called, and changed in nothing.

    Args:
        function: what a call does.
    """

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *given: Any) -> Any:
        return self._function(*given)

    def __setstate__(self, state: object) -> None:
        raise WeightsError("the file gives a function another state")


class Allowance:
    """How much a pickle's calls may copy in all: as much as it has steps.

    Args:
        steps: see `count_steps`.
        size: bytes of the file.
    """

    def __init__(self, steps: int, size: int) -> None:
        self.items, self.bytes = steps, 2 * size

    def copied(self, kind: type) -> Callee:
        """A stand-in of a container's class: copies its argument while the allowance lasts."""

        def make(*given: Any) -> Any:
            self.items -= sum(len(one) for one in given)
            if self.items < 0:
                raise WeightsError("the file copies more than it holds")
            return kind(*given)

        return Callee(make)

    def spend(self, count: int) -> None:
        """Take bytes.

        Raises:
            WeightsError: more than twice the file's.
        """
        self.bytes -= count
        if self.bytes < 0:
            raise WeightsError("the file asks for more bytes than it holds")
