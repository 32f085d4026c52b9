"""How a command shares the machine: threads that sleep while they wait, and no more than fit.

Torch's worker threads spin while they wait for each other. Beside another busy program each spin
takes the core from the one waited for, and everything takes ten times as long.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Thread

STAT = Path("/proc/stat")
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0", "MKL_DYNAMIC": "TRUE"}
_SHORTEST = 0.2
"""Seconds over which the load must have been watched to be believed."""


@dataclass(frozen=True)
class Watch:
    """Ticks of all cores when a command began, and what of them was its own.

    Args:
        at: moment, in seconds.
        busy: seconds that all cores together have been busy.
        own: of these, this process's own.
    """

    at: float
    busy: float
    own: float


def be_patient() -> None:
    """Have worker threads sleep, not spin, where nobody asked for something else; before torch is
    loaded, for it reads this once."""
    for name, value in PATIENT.items():
        os.environ.setdefault(name, value)


@cache
def begun() -> Watch | None:
    """What the machine was at when this was first asked: as the program begins."""
    return watch()


def watch() -> Watch | None:
    """How busy the machine has been up to now; None where it does not say."""
    try:
        ticks = [int(word) for word in STAT.read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    user, nice, system, _idle, _waiting, *rest = ticks
    busy = (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")
    return Watch(time.monotonic(), busy, time.process_time())


def free_cores(since: Watch | None, cores: int) -> int:
    """Cores that others have left idle since then, at least one; all where nothing is known."""
    now = watch()
    if since is None or now is None or now.at - since.at < _SHORTEST:
        return cores
    others = (now.busy - since.busy - (now.own - since.own)) / (now.at - since.at)
    return max(1, min(cores, round(cores - others)))


def import_meanwhile(module: str) -> None:
    """Import what is needed later, on a thread of its own, while the cores compute something else;
    what goes wrong is told where it is needed."""

    def load() -> None:
        with suppress(Exception):
            import_module(module)

    Thread(target=load, daemon=True).start()


def share_cores() -> int:
    """Let torch compute on as many threads as cores have been free; returns their number.

    A number that the person set (`OMP_NUM_THREADS`) stays.
    """
    import torch

    given = torch.get_num_threads()
    if os.environ.get("OMP_NUM_THREADS"):
        return given
    threads = free_cores(begun(), given)
    if threads != given:
        torch.set_num_threads(threads)
    return threads
