"""The tools' events."""

from __future__ import annotations

from typing import Any

import gradio as gr

from apps.studio.checks import Painted, clean_prompt
from apps.studio.events.progress import check_wanted, reporter
from apps.studio.events.stage import BAR, Stage, required
from apps.studio.layout.tool_tabs import (
    LIGHTS,
    DrawTab,
    FilmTab,
    JoinTab,
    MendTab,
    ToolTabs,
    TurnTab,
)
from apps.studio.session import Session, forget
from apps.studio.tools import Made, Tools
from multimodal.heads import Pose
from multimodal.heads.light import DIRECTIONS


class ToolEvents:
    """Wires the tools."""

    def __init__(self, stage: Stage, tabs: ToolTabs) -> None:
        self.stage, self.tools = stage, Tools(stage.studio)
        self._wire_turn(tabs.turn)
        self._wire_mend(tabs.mend)
        self._wire_join(tabs.join)
        self._wire_draw(tabs.draw)
        self._wire_film(tabs.film)

    def _wire_turn(self, tab: TurnTab) -> None:
        moving = [tab.yaw, tab.pitch, tab.gaze, tab.blink, tab.light, tab.strength]
        shown = [tab.made.picture, tab.made.file, tab.mesh]
        self.stage.on(tab.apply.click, self.turn, [self.stage.state, *moving], shown, files=False)

    def _wire_mend(self, tab: MendTab) -> None:
        shown = [tab.made.picture, tab.made.file]
        inputs = [tab.canvas, tab.task, tab.steps]
        self.stage.on(tab.apply.click, self.mend, inputs, shown, files=False)

    def _wire_join(self, tab: JoinTab) -> None:
        shown = [tab.made.picture, tab.made.file]
        inputs = [self.stage.state, tab.other, tab.mode, tab.region, tab.strength]
        self.stage.on(tab.apply.click, self.join, inputs, shown, files=False)

    def _wire_draw(self, tab: DrawTab) -> None:
        inputs = [self.stage.state, tab.canvas, tab.kind, tab.text, tab.seed, tab.steps]
        self.stage.follow(self.stage.on(tab.apply.click, self.draw, inputs, self.stage.shown))
        strokes = [tab.canvas, tab.kind, tab.seed]
        for changed in (tab.canvas.change, tab.kind.input, tab.seed.input):
            self.stage.on(
                changed, self.sketch, strokes, [tab.live], files=False, trigger_mode="always_last"
            )

    def _wire_film(self, tab: FilmTab) -> None:
        inputs, shown = [tab.film, tab.text, tab.strength], [tab.clip, tab.file]
        self.stage.on(tab.apply.click, self.film, inputs, shown, files=False)

    def turn(
        self,
        session: Session | None,
        yaw: float,
        pitch: float,
        gaze: float,
        blink: float,
        light: str,
        strength: float,
    ) -> tuple[Any, ...]:
        """The head turned, and its mesh."""
        lamp = None if light == LIGHTS[0] else DIRECTIONS[light]
        how = Pose(yaw, pitch, gaze, 0.0, blink, lamp, strength)
        made = self.tools.turn(required(session), how)
        return (*_shown(made), gr.update(value=str(made.mesh), interactive=True))

    def mend(
        self, painted: Painted | None, task: str, steps: float, progress: gr.Progress = BAR
    ) -> tuple[Any, ...]:
        """The photo on the canvas restored."""
        return _shown(self.tools.mend(painted, task, int(steps), reporter(progress, "Mending")))

    def join(
        self,
        session: Session | None,
        other: str | None,
        mode: str,
        region: str,
        strength: float,
        progress: gr.Progress = BAR,
    ) -> tuple[Any, ...]:
        """The face with something of another."""
        where = None if region.startswith("(") else region
        here, on_step = required(session), reporter(progress, "Joining")
        return _shown(self.tools.join(here, other, mode, where, float(strength), on_step))

    def draw(
        self,
        old: Session | None,
        painted: Painted | None,
        kind: str,
        text: str,
        seed: float | None,
        steps: float,
        progress: gr.Progress = BAR,
    ) -> tuple[Any, ...]:
        """The face that was drawn, in place of the one at hand."""
        on_step, words = reporter(progress, "Drawing"), clean_prompt(text)
        session = self.tools.draw(painted, kind, words, int(seed or 0), int(steps), on_step)
        forget(old)
        return self.stage.show(session)

    def sketch(self, painted: Painted | None, kind: str, seed: float | None) -> Any:
        """The face for what is on the canvas so far."""
        return self.tools.sketch(painted, kind, int(seed or 0))

    def film(
        self, film: str | None, text: str, strength: float, progress: gr.Progress = BAR
    ) -> tuple[Any, ...]:
        """A film with its faces changed."""

        def advance(done: int, total: int, message: str) -> None:
            check_wanted()
            progress((done, total), desc=message or "Changing the film")

        path = self.tools.film(film, clean_prompt(text), float(strength), advance)
        return str(path), gr.update(value=str(path), interactive=True)


def _shown(made: Made) -> tuple[Any, ...]:
    return str(made.picture), gr.update(value=str(made.picture), interactive=True)
