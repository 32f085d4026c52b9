"""What all events of the studio share: the session, the result panel and the model's queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import gradio as gr

from apps.hearing import warnings_of
from apps.studio.checks import friendly, sentence
from apps.studio.layout.page import FAR, NEAR, ResultPanel
from apps.studio.layout.tabs import ExploreTab
from apps.studio.moves import Channel
from apps.studio.service import Studio
from apps.studio.session import Session, forget
from multimodal.images import save_image

MODEL = "model"
"""Everything that computes shares this queue, one event at a time."""
FORGET_SECONDS = 3600
BAR = gr.Progress()
"""Default of handlers' `progress`; Gradio puts the event's own bar in its place."""


class Stage:
    """The person's session and where it is shown.

    Args:
        studio: does the work.
        result: the right panel.
        explore: the sliders of directions.
    """

    def __init__(self, studio: Studio, result: ResultPanel, explore: ExploreTab) -> None:
        self.studio, self.result, self.explore = studio, result, explore
        self.stoppable: list[Any] = []
        self.state = gr.State(None, time_to_live=FORGET_SECONDS, delete_callback=forget)
        self.shown: list[Any] = [
            self.state,
            result.slider,
            result.near,
            result.status,
            result.undo,
            result.redo,
            result.reset,
            result.history,
        ]
        self.files = [result.picture, result.whole, result.latent, result.export]

    def on(
        self,
        trigger: Callable[..., Any],
        handler: Callable[..., Any],
        inputs: Any,
        outputs: Any,
        files: bool = True,
        trigger_mode: Literal["once", "multiple", "always_last"] | None = None,
    ) -> Any:
        """An event that computes, one at a time for everybody, with its downloads after it.

        Sliders want the `trigger_mode` "always_last": by default Gradio drops what is asked while
        the same event is pending, and the page would show a slider's place that was never drawn.
        """
        event = trigger(
            friendly(handler),
            inputs,
            outputs,
            concurrency_id=MODEL,
            concurrency_limit=1,
            api_visibility="private",
            trigger_mode=trigger_mode,
        )
        self.stoppable.append(event)
        if files:
            event.success(
                friendly(self.write_files),
                [self.state],
                self.files,
                api_visibility="private",
                show_progress="hidden",
                concurrency_id="files",
                concurrency_limit=2,
            )
        return event

    def show(self, session: Session) -> tuple[Any, ...]:
        """Values for `shown`."""
        return (
            session,
            shown_pictures(session),
            gr.update(
                value=FAR if session.near else NEAR, interactive=session.face.photo is not None
            ),
            summary(session),
            gr.update(interactive=bool(session.steps)),
            gr.update(interactive=bool(session.undone)),
            gr.update(interactive=bool(session.steps)),
            [[step.label, f"{step.strength:+.2f}"] for step in session.steps],
        )

    def same(self) -> tuple[Any, ...]:
        """Values that leave `shown` as it is."""
        return tuple(gr.skip() for _ in self.shown)

    def write_files(self, session: Session | None) -> tuple[Any, ...]:
        """Values for `files`."""
        if session is None:
            return tuple(gr.skip() for _ in self.files)
        files = self.studio.downloads(session)
        paths = (files.picture, files.photo, files.latent, files.edits)
        return tuple(
            gr.update(value=None if path is None else str(path), interactive=path is not None)
            for path in paths
        )

    def follow(self, event: Any) -> None:
        """Once `event` is done, the Explore sliders stand where the session's edits say."""
        single = self.explore.single
        numbers = [] if single is None else [single.style, single.channel]
        sliders = [*self.explore.sliders, *([] if single is None else [single.slider])]
        if sliders:
            event.success(
                self.places,
                [self.state, *numbers],
                sliders,
                api_visibility="private",
                show_progress="hidden",
                queue=False,
            )

    def places(self, session: Session | None, *numbers: float | None) -> dict[gr.Slider, float]:
        """How far each Explore slider is moved; 0 where there is no such edit.

        Args:
            session: with its edits.
            numbers: style and channel that the single channel's slider stands for, where there is
                one.
        """
        steps = () if session is None else session.steps
        moved = {step.group: step.strength for step in steps}
        sliders = zip(self.explore.sliders, self.explore.names, strict=True)
        found = {slider: moved.get(name, 0.0) for slider, name in sliders}
        if self.explore.single is not None and numbers:
            found[self.explore.single.slider] = self.channel_strength(session, *numbers)
        return found

    def channel_strength(self, session: Session | None, *numbers: float | None) -> float:
        """How far the channel of these numbers (style, channel) is moved."""
        style, channel = (int(number or 0) for number in numbers)
        name = Channel(style, channel).name
        steps = () if session is None else session.steps
        return next((step.strength for step in steps if step.group == name), 0.0)

    def wire_stop(self) -> None:
        """Stop takes the person's events out of the queue; what runs ends at its next step."""
        self.result.stop.click(
            lambda: gr.Info("Stopped."),
            None,
            None,
            cancels=self.stoppable,
            concurrency_limit=None,  # in the queue, since only what is queued can speak up
            api_visibility="private",
        )


def required(session: Session | None) -> Session:
    """The session, or a hint.

    Raises:
        ValueError: there is no face yet.
    """
    if session is None:
        raise ValueError("Choose a face first: upload a photo, pick a sample, or be surprised.")
    return session


def warn_of(sound: str, seconds: float | None = None) -> None:
    """Show what is wrong with a sound that can still be heard."""
    for warning in warnings_of(Path(sound), seconds):
        gr.Warning(sentence(ValueError(warning)))


def summary(session: Session) -> str:
    """What was done, and how it measures."""
    if not session.steps:
        return "Now say what to change."
    last = session.steps[-1]
    words = sentence(ValueError(last.label))
    line = " · ".join([f"**{words}** at {last.strength:+.2f}", *_figures(session.scores)])
    return "\n\n".join([line, *(sentence(ValueError(note)) for note in last.notes)])


def _figures(scores: Mapping[str, float]) -> list[str]:
    """What of an edit's scores means something to people."""
    figures = []
    if "clip_after" in scores and "clip_before" in scores:
        gain = scores["clip_after"] - scores["clip_before"]
        figures.append(f"closer to the target by {gain:+.3f}")
    if "identity" in scores:
        figures.append(f"likeness kept {max(scores['identity'], 0.0):.0%}")
    if "seconds" in scores:
        figures.append(f"{scores['seconds']:.2f} s")
    return figures


def shown_pictures(session: Session) -> tuple[str, str]:
    """Files of what is shown before and after, marked as made by AI: they can be saved too."""
    session.folder.mkdir(exist_ok=True)
    pictures = dict(zip(("before", "after"), session.pictures, strict=True))
    first, second = (
        str(save_image(picture, session.folder / f"{name}.png", f"face {name} editing"))
        for name, picture in pictures.items()
    )
    return first, second
