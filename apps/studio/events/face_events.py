"""Meeting a face: upload, webcam, a sample, one of several, or one that nobody has."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import gradio as gr

from apps.samples import faces
from apps.studio.events.progress import reporter
from apps.studio.events.stage import BAR, Stage
from apps.studio.layout.page import FacePanel
from apps.studio.session import Session, forget
from multimodal.types import Face


class FaceEvents:
    """Wires the face panel."""

    def __init__(self, stage: Stage, panel: FacePanel) -> None:
        self.stage, self.panel = stage, panel
        outputs = [panel.status, panel.aligned, panel.which, *stage.shown]
        inputs = [panel.photo, panel.inversion, stage.state]
        chosen = [*inputs, panel.which]
        stage.follow(stage.on(panel.photo.upload, self.meet, inputs, outputs))
        stage.follow(
            stage.on(panel.inversion.input, self.meet_chosen(keep_edits=True), chosen, outputs)
        )
        stage.follow(
            stage.on(panel.which.input, self.meet_chosen(keep_edits=False), chosen, outputs)
        )
        drawn = [panel.photo, *outputs]
        stage.follow(stage.on(panel.surprise.click, self.surprise, [stage.state], drawn))
        picked = panel.samples.select(
            pick, None, panel.photo, api_visibility="private", show_progress="hidden", queue=False
        )
        stage.follow(stage.on(picked.then, self.meet, inputs, outputs))

    def meet(
        self,
        photo: str | None,
        method: str,
        old: Session | None,
        progress: gr.Progress = BAR,
    ) -> tuple[Any, ...]:
        """Invert the largest face of a photo."""
        if photo is None:
            raise ValueError("Choose a photo first.")
        count = self.stage.studio.count_faces(photo)
        face = self._invert(photo, method, None, progress)
        picker = gr.update(
            choices=[(f"Face {k + 1}", k) for k in range(count)], value=0, visible=count > 1
        )
        return self._introduce(self.stage.studio.open(face), describe(face, count), picker, old)

    def meet_chosen(self, keep_edits: bool) -> Callable[..., tuple[Any, ...]]:
        """A handler that inverts the chosen face, and perhaps puts the edits so far on it."""

        def meet(
            photo: str | None,
            method: str,
            old: Session | None,
            which: int | None,
            progress: gr.Progress = BAR,
        ) -> tuple[Any, ...]:
            face = self._invert(photo, method, which, progress)
            session = self.stage.studio.reopen(face, old if keep_edits else None)
            return self._introduce(session, describe(face, 1), gr.skip(), old)

        return meet

    def surprise(self, old: Session | None) -> tuple[Any, ...]:
        """A new face that nobody has, in place of the photo."""
        face = self.stage.studio.surprise(random.randrange(2**31))
        note = "**A face that nobody has.** Press again for another."
        session = self.stage.studio.open(face)
        return (None, *self._introduce(session, note, gr.update(visible=False), old))

    def _invert(self, photo: str | None, method: str, which: int | None, progress: Any) -> Face:
        if photo is None:
            raise ValueError("Choose a photo first.")
        progress((0, 1), desc="Finding the face")
        on_step = reporter(progress, "Inverting")
        return self.stage.studio.invert(photo, method, which, on_step)

    def _introduce(
        self, session: Session, note: str, picker: Any, old: Session | None
    ) -> tuple[Any, ...]:
        forget(old)
        return (note, session.face.aligned, picker, *self.stage.show(session))


def pick(chosen: gr.SelectData) -> str:
    """The sample that was clicked."""
    return str(faces()[int(chosen.index)])


def describe(face: Face, count: int) -> str:
    """How well the face was inverted, in a line."""
    report = face.report
    parts = [f"**{count} faces found**; this is the largest."] if count > 1 else []
    identity, distance, seconds = (report.get(name) for name in ("identity", "lpips", "seconds"))
    if isinstance(identity, float):
        parts.append(f"Likeness **{max(identity, 0.0):.0%}**")
    if isinstance(distance, float):
        parts.append(f"LPIPS {distance:.3f}")
    if isinstance(seconds, float):
        parts.append(f"{seconds:.1f} s")
    return " · ".join(parts) or "Ready."
