"""Changing a face: by words, by a sound, by both, along a direction, and back again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from apps.edits import EditSpec
from apps.studio.checks import clean_prompt
from apps.studio.events.progress import reporter
from apps.studio.events.stage import BAR, Stage, required, warn_of
from apps.studio.layout.page import Fine
from apps.studio.layout.tabs import ChannelPicker, MixTab, SoundTab, TextTab
from apps.studio.moves import Channel
from apps.studio.session import Session
from multimodal.editing.finishing import PHOTO


class EditEvents:
    """Wires the Text, Sound and Mix tabs."""

    def __init__(
        self, stage: Stage, fine: Fine, text: TextTab, sound: SoundTab, mix: MixTab
    ) -> None:
        self.stage = stage
        common = [fine.method, fine.region, fine.keep, fine.layers, fine.neutral, fine.seed]
        said = [stage.state, text.strength, text.text, *common]
        stage.on(text.apply.click, self.by_text, said, stage.shown)
        stage.on(text.text.submit, self.by_text, said, stage.shown)
        voiced = [stage.state, text.say]
        spoken = [text.text, text.heard, *stage.shown]
        for trigger in (text.say.stop_recording, text.say.upload):
            stage.follow(stage.on(trigger, self.by_voice, voiced, spoken))
        heard = [stage.state, sound.strength, sound.sound, *common]
        stage.on(sound.apply.click, self.by_sound, heard, [*stage.shown, sound.heard, sound.strip])
        both = [stage.state, mix.strength, mix.text, mix.sound, mix.mix, *common]
        stage.on(mix.apply.click, self.by_both, both, stage.shown)
        for slider in (text.strength, sound.strength, mix.strength):
            stage.on(
                slider.release,
                self.change_strength,
                [stage.state, slider],
                stage.shown,
                trigger_mode="always_last",
            )

    def by_text(
        self,
        session: Session | None,
        strength: float,
        text: str,
        progress: gr.Progress = BAR,
        *fine: Any,
    ) -> tuple[Any, ...]:
        """Words."""
        words = clean_prompt(text)
        required(session)
        if words is None:
            raise ValueError("Say what the face should look like.")
        spec = spec_of(strength, fine, text=words)
        return self.stage.show(self._add(session, spec, words, progress))

    def by_voice(self, session: Session | None, sound: str | None) -> tuple[Any, ...]:
        """A spoken wish, put where words are typed, so that it is seen before it is done; a spoken
        command is done at once."""
        from apps.speech.wishes import hear_wish, told_wish

        if sound is None:
            return gr.skip(), gr.skip(), *self.stage.same()
        found = hear_wish(Path(sound))
        note = told_wish(found).capitalize()
        if found.command is None:
            return found.text, f"{note}. Press *Change the face*.", *self.stage.same()
        done = commanded(required(session), found.command, found.factor)
        return gr.skip(), f"{note}.", *self.stage.show(self.stage.studio.redraw(done))

    def by_sound(
        self,
        session: Session | None,
        strength: float,
        sound: str | None,
        progress: gr.Progress = BAR,
        *fine: Any,
    ) -> tuple[Any, ...]:
        """A sound."""
        required(session)
        if sound is None:
            raise ValueError("Record or choose a sound first.")
        spec = spec_of(strength, fine, sounds=(Path(sound),))
        warn_of(sound)
        heard = self.stage.studio.hear(Path(sound))
        label = f"♪ {next(iter(heard), 'sound')}"
        made = self._add(session, spec, label, progress)
        note = self.stage.studio.heard_note(Path(sound))
        if note is not None:
            gr.Info(note)
        strip = self.stage.studio.heard_strip(made, Path(sound))
        picture = gr.update(value=strip, visible=strip is not None)
        return (*self.stage.show(made), heard, picture)

    def by_both(
        self,
        session: Session | None,
        strength: float,
        text: str,
        sound: str | None,
        mix: float,
        progress: gr.Progress = BAR,
        *fine: Any,
    ) -> tuple[Any, ...]:
        """Words and a sound."""
        words = clean_prompt(text)
        required(session)
        if words is None or sound is None:
            raise ValueError("A mix needs words and a sound.")
        spec = spec_of(strength, fine, text=words, sounds=(Path(sound),), mix=mix)
        warn_of(sound)
        return self.stage.show(self._add(session, spec, f"{words} + ♪", progress))

    def change_strength(self, session: Session | None, strength: float) -> tuple[Any, ...]:
        """Further or less far along the last edit; a slider's step has its own slider."""
        if session is None or not session.steps or session.steps[-1].group is not None:
            return self.stage.same()
        return self.stage.show(self.stage.studio.redraw(session.with_strength(strength)))

    def _add(
        self,
        session: Session | None,
        spec: EditSpec,
        label: str,
        progress: Any,
    ) -> Session:
        on_step = reporter(progress, "Editing")
        return self.stage.studio.add(required(session), spec, label, on_step)


class HistoryEvents:
    """Wires the Explore sliders, undo, redo, start over and edit lists."""

    def __init__(self, stage: Stage) -> None:
        self.stage, explore = stage, stage.explore
        for slider, name in zip(explore.sliders, explore.names, strict=True):
            stage.on(
                slider.release,
                self._slide(name),
                [stage.state, slider],
                stage.shown,
                trigger_mode="always_last",
            )
        if explore.single is not None:
            self._wire_single(explore.single)
        moves: dict[gr.Button, Callable[[Session], Session]] = {
            stage.result.undo: Session.undo,
            stage.result.redo: Session.redo,
            stage.result.reset: Session.reset,
        }
        for button, move in moves.items():
            stage.follow(stage.on(button.click, self._step(move), [stage.state], stage.shown))
        stage.on(stage.result.near.click, self.zoom, [stage.state], stage.shown, files=False)
        shows = [stage.state, stage.result.fidelity]
        stage.on(stage.result.fidelity.input, self.show_as, shows, stage.shown)
        loads = [stage.state, stage.result.load]
        stage.follow(stage.on(stage.result.load.upload, self.replay, loads, stage.shown))

    def _wire_single(self, single: ChannelPicker) -> None:
        stage, chosen = self.stage, [single.style, single.channel]
        stage.on(
            single.slider.release,
            self.slide_channel,
            [stage.state, single.slider, *chosen],
            stage.shown,
            trigger_mode="always_last",
        )
        for number in chosen:
            number.change(
                stage.channel_strength,
                [stage.state, *chosen],
                single.slider,
                api_visibility="private",
                show_progress="hidden",
                queue=False,
            )

    def slide_channel(
        self, session: Session | None, strength: float, style: float, channel: float
    ) -> tuple[Any, ...]:
        """One channel of S, by its numbers."""
        chosen = Channel(int(style or 0), int(channel or 0))
        return self.stage.show(self.stage.studio.slide_channel(required(session), chosen, strength))

    def _slide(self, name: str) -> Callable[..., tuple[Any, ...]]:
        def slide(session: Session | None, strength: float) -> tuple[Any, ...]:
            return self.stage.show(self.stage.studio.slide(required(session), name, strength))

        return slide

    def _step(self, move: Callable[[Session], Session]) -> Callable[..., tuple[Any, ...]]:
        def step(session: Session | None) -> tuple[Any, ...]:
            return self.stage.show(self.stage.studio.redraw(move(required(session))))

        return step

    def zoom(self, session: Session | None) -> tuple[Any, ...]:
        """The face in place of the whole photo, or the other way round."""
        here = required(session)
        return self.stage.show(replace(here, near=not here.near))

    def show_as(self, session: Session | None, fidelity: str) -> tuple[Any, ...]:
        """The photo changed, or what the generator draws."""
        return self.stage.show(self.stage.studio.shown_as(required(session), fidelity))

    def replay(
        self,
        session: Session | None,
        path: str,
        progress: gr.Progress = BAR,
    ) -> tuple[Any, ...]:
        """An edit list from a file, on the face at hand."""
        on_step = reporter(progress, "Replaying")
        found = self.stage.studio.replay(required(session), Path(path), on_step)
        return self.stage.show(found)


def commanded(session: Session, command: str, factor: float) -> Session:
    """The session after "more", "less", "undo", "redo" or "reset".

    Raises:
        ValueError: there is no edit of which more or less could be made.
    """
    moves = {"undo": Session.undo, "redo": Session.redo, "reset": Session.reset}
    if command in moves:
        return moves[command](session)
    if not session.steps or session.steps[-1].group is not None:
        raise ValueError("There is no edit yet of which more or less could be made.")
    return session.with_strength(session.steps[-1].strength * factor)


def spec_of(strength: float | None, fine: Sequence[Any], **target: Any) -> EditSpec:
    """An edit from the values of the page."""
    method, region, keep, layers, neutral, seed, *rest = fine
    return EditSpec(
        neutral=clean_prompt(neutral, "What it looks like now"),
        method=method or "auto",
        strength=1.0 if strength is None else float(strength),
        keep=tuple(keep or ()),
        region=None if region in (None, "", "everywhere") else region,
        layers=tuple(layers or ()),
        seed=int(seed or 0),
        fidelity=next(iter(rest), None) or PHOTO,
        **target,
    )
