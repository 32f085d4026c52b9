"""How much an address did lately: bytes it sent, sign-ins that failed."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_ADDRESSES = 10_000
SLICES = 60
"""Of a window; what was counted in one slice is forgotten together."""


@dataclass
class Window:
    """What each address used up in the last `seconds`; at most `limit` is granted.

    Args:
        limit: in all.
        seconds: how long something counts.
        clock: tells the time, in seconds.
    """

    limit: int
    seconds: float
    clock: Callable[[], float] = time.monotonic
    _used: OrderedDict[str, deque[tuple[float, int]]] = field(default_factory=OrderedDict)

    def add(self, address: str, count: int = 1) -> None:
        """Count something."""
        now = self.clock()
        entries = self._entries(address)
        if entries and now - entries[-1][0] < self.seconds / SLICES:
            entries[-1] = (entries[-1][0], entries[-1][1] + count)
        else:
            entries.append((now, count))

    def used(self, address: str) -> int:
        """How much counts now."""
        return sum(count for _, count in self._entries(address))

    def is_full(self, address: str, more: int = 0) -> bool:
        """Would `more` be too much?"""
        return self.used(address) + more > self.limit

    def wait(self, address: str) -> int:
        """Minutes until something of it is forgotten, at least 1."""
        entries = self._entries(address)
        left = self.seconds - (self.clock() - entries[0][0]) if entries else 0.0
        return max(1, round(left / 60))

    def _entries(self, address: str) -> deque[tuple[float, int]]:
        entries = self._used.setdefault(address, deque())
        self._used.move_to_end(address)
        while entries and self.clock() - entries[0][0] > self.seconds:
            entries.popleft()
        while len(self._used) > MAX_ADDRESSES:
            self._used.popitem(last=False)
        return entries


def counted_address(host: str) -> str:
    """What stands for a client: its address, or the network of 64 bits that an IPv6 one has."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
