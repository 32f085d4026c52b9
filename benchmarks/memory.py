"""Memory that some work takes above the level before."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import torch


def peak(work: Callable[[], object], device: torch.device | None = None) -> float:
    """MiB above the level before, while some work runs once; sampled, but exact on CUDA.

    Args:
        work: what is run.
        device: where its memory lies; None is the process's own.
    """
    if device is not None and device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        held = torch.cuda.memory_allocated(device)
        work()
        return (torch.cuda.max_memory_allocated(device) - held) / 2**20
    done, before = threading.Event(), resident()
    highest = before

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.002):
            highest = max(highest, resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return highest - before


def resident() -> float:
    """MiB that this process holds; 0 where the system does not say."""
    status = Path("/proc/self/statm")
    if not status.is_file():
        return 0.0
    return int(status.read_text().split()[1]) * 4096 / 2**20
