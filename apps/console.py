"""What every command shares on the terminal: progress on stderr, results on stdout, errors."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:  # torch is slow to import, and most of what is printed needs none of it
    from multimodal.types import OnStep
    from multimodal.types import Progress as Step

STATUS = Console(stderr=True, highlight=False)

Advance = Callable[[int, int, str], None]
"""Called with (steps done, steps planned, message)."""


@contextmanager
def counter(label: str) -> Iterator[Advance]:
    """A progress bar on stderr; the body calls what it is given with (done, total, message)."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=STATUS, transient=True, disable=not STATUS.is_terminal) as bar:
        task = bar.add_task(label, total=1, note="")

        def advance(done: int, total: int, message: str = "") -> None:
            bar.update(task, completed=done, total=max(total, 1), note=message)

        yield advance


@contextmanager
def steps(label: str) -> Iterator[OnStep]:
    """A progress bar fed by the core's `on_step` callback; warnings are kept above the bar."""
    with counter(label) as advance:
        said = ""

        def on_step(step: Step) -> None:
            nonlocal said
            figures = " ".join(f"{name} {value:.3g}" for name, value in step.losses.items())
            advance(step.step, step.total, figures)
            if step.message and step.message != said:
                STATUS.print(step.message, markup=False)
            said = step.message or said

        yield on_step


def say(message: str) -> None:
    """One plain line on stderr."""
    STATUS.print(message, markup=False, soft_wrap=True)


def warn_of_sound(path: Path) -> None:
    """Say what is wrong with a sound that can still be heard."""
    from apps.hearing import warnings_of

    for warning in warnings_of(path):
        say(f"{path.name}: {warning}")


def report(values: Mapping[str, Any], as_json: bool) -> None:
    """The outcome on stdout: one JSON object, or `name  value` lines for people."""
    if as_json:
        print(json.dumps(plain(values), ensure_ascii=False))
        return
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        print(f"{name:<{width}}  {_readable(value)}")


def plain(value: Any) -> Any:
    """A JSON-ready copy: mappings, lists, numbers and text stay; all else becomes its text."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "item") and getattr(value, "size", 2) == 1:
        return plain(value.item())
    return str(value)


def _readable(value: Any) -> str:
    value = plain(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_readable(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(_readable(item) for item in value)
    return str(value)
