"""Progress bars in the page, and Stop: both live in the core's `on_step` callback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from multimodal.types import OnStep, Progress


class Stopped(ValueError):
    """The person pressed Stop."""


class Stops:
    """Which sessions asked to stop; long work looks here at every step."""

    def __init__(self) -> None:
        self._flags: dict[str, threading.Event] = {}

    @contextmanager
    def running(self, request: gr.Request | None) -> Iterator[threading.Event]:
        """The flag of the event that runs in this block."""
        flag, name = threading.Event(), getattr(request, "session_hash", None) or ""
        self._flags[name] = flag
        try:
            yield flag
        finally:
            if self._flags.get(name) is flag:
                del self._flags[name]

    def stop(self, request: gr.Request) -> None:
        """Ask the session's running event to stop."""
        flag = self._flags.get(request.session_hash or "")
        if flag is not None:
            flag.set()


def reporter(progress: Any, flag: threading.Event, label: str) -> OnStep:
    """An `on_step` that moves the page's bar and gives up when Stop was pressed."""

    def on_step(step: Progress) -> None:
        if flag.is_set():
            raise Stopped("Stopped.")
        progress((step.step, step.total), desc=step.message or label)

    return on_step
