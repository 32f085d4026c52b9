"""Progress bars in the page, and giving up: both live in the core's `on_step` callback."""

from __future__ import annotations

from typing import Any

from gradio.context import LocalContext

from multimodal.types import OnStep, Progress


class Stopped(ValueError):
    """Nobody waits for the answer any more."""


def check_wanted() -> None:
    """Give up what nobody waits for: Stop was pressed, the job cancelled, its client gone.

    Gradio takes such an event out of its queue at once, but lets the thread that works on it run.

    Raises:
        Stopped: the event at hand is out of the queue.
    """
    blocks, event_id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    if blocks is None or event_id is None:
        return  # called by other code than the queue
    event = blocks._queue.event_ids_to_events.get(event_id)
    if event is None or not event.alive:
        raise Stopped("Stopped.")


def while_wanted(_: Progress) -> None:
    """An `on_step` that gives up when nobody waits any more."""
    check_wanted()


def reporter(progress: Any, label: str) -> OnStep:
    """The same, moving the page's bar."""

    def on_step(step: Progress) -> None:
        check_wanted()
        progress((step.step, step.total), desc=step.message or label)

    return on_step
