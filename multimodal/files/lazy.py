"""Networks that are loaded when they are first used: a model is ready before all of it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Lazy:
    """Stands for an object until somebody needs it; then is that object, for every thread.

    Args:
        make: makes the object; called once. What it raises is raised at the first use, and the next
            use tries again.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._object: Any = None

    @property
    def loaded(self) -> bool:
        """Has it been made?"""
        return self._object is not None

    def load(self) -> Any:
        """The object itself."""
        with self._lock:
            if self._object is None:
                self._object = self._make()
            return self._object

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copying and pickling ask for these before there is anything
            raise AttributeError(name)
        return getattr(self.load(), name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.load()(*arguments, **options)
