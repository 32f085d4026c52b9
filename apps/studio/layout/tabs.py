"""The tools, one tab each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps.samples import sounds, title
from apps.studio.layout.page import prompt_box, prompt_chips, sound_input, strength_slider


@dataclass(frozen=True)
class TextTab:
    """Words."""

    text: gr.Textbox
    strength: gr.Slider
    apply: gr.Button
    say: Any
    heard: gr.Markdown


@dataclass(frozen=True)
class SoundTab:
    """A sound."""

    sound: Any
    strength: gr.Slider
    apply: gr.Button
    heard: gr.Label
    strip: gr.Image


@dataclass(frozen=True)
class MixTab:
    """Words and a sound."""

    text: gr.Textbox
    sound: Any
    mix: gr.Slider
    strength: gr.Slider
    apply: gr.Button


@dataclass(frozen=True)
class AnimateTab:
    """A sound over time."""

    sound: Any
    text: gr.Textbox
    strength: gr.Slider
    seconds: gr.Slider
    fps: gr.Dropdown
    kind: gr.Radio
    whole: gr.Checkbox
    apply: gr.Button
    clip: gr.Video
    file: gr.DownloadButton


@dataclass(frozen=True)
class ChannelPicker:
    """Any single channel of S, by its number."""

    style: gr.Number
    channel: gr.Number
    slider: gr.Slider


@dataclass(frozen=True)
class ExploreTab:
    """Named directions, and where the model has S, its channels."""

    sliders: tuple[gr.Slider, ...]
    names: tuple[str, ...]
    single: ChannelPicker | None = None


@dataclass(frozen=True)
class BatchTab:
    """Many photos, one edit."""

    photos: gr.File
    text: gr.Textbox
    sound: Any
    strength: gr.Slider
    every: gr.Checkbox
    apply: gr.Button
    table: gr.Dataframe
    archive: gr.DownloadButton


def text_tab() -> TextTab:
    """Say it."""
    with gr.Tab("Text", id="text"):
        text = prompt_box(
            "What should the face look like?", "an old woman with grey hair", "prompt"
        )
        prompt_chips(text)
        strength = strength_slider("text-strength")
        apply = gr.Button("Change the face", variant="primary", elem_id="apply-text")
        with gr.Accordion("Say it", open=False, elem_id="say"):
            say = sound_input('"Make her smile", "a little older", "more", "undo"', "say-it")
            heard = gr.Markdown("", elem_id="said", elem_classes="note")
    return TextTab(text, strength, apply, say, heard)


def sound_tab() -> SoundTab:
    """Let it hear."""
    with gr.Tab("Sound", id="sound"):
        sound = sound_input("A laugh, a cry, a voice, a storm ...", "sound")
        sound_chips(sound)
        strength = strength_slider("sound-strength")
        apply = gr.Button("Change the face", variant="primary", elem_id="apply-sound")
        heard = gr.Label(
            label="What the model hears", num_top_classes=4, elem_id="heard", show_heading=False
        )
        strip = gr.Image(
            label="What is heard over time", elem_id="heard-strip", type="filepath",
            interactive=False, show_label=False, visible=False,
        )  # fmt: skip
    return SoundTab(sound, strength, apply, heard, strip)


def mix_tab() -> MixTab:
    """Both."""
    with gr.Tab("Mix", id="mix"):
        text = prompt_box("Words", "an old man", "mix-prompt")
        sound = sound_input("Sound", "mix-sound")
        sound_chips(sound)
        mix = gr.Slider(
            0,
            1,
            value=0.5,
            step=0.05,
            label="Words or sound",
            info="0 is all words, 1 is all sound.",
            elem_id="mix-share",
        )
        strength = strength_slider("mix-strength")
        apply = gr.Button("Change the face", variant="primary", elem_id="apply-mix")
    return MixTab(text, sound, mix, strength, apply)


def animate_tab() -> AnimateTab:
    """Let a sound move it."""
    with gr.Tab("Animate", id="animate"):
        sound = sound_input("The sound that moves the face", "animate-sound")
        sound_chips(sound)
        text = prompt_box("Words that hold all along (optional)", "a child", "animate-prompt")
        with gr.Row():
            strength = gr.Slider(
                0, 3, value=1.2, step=0.1, label="Strength", elem_id="animate-strength"
            )
            seconds = gr.Slider(
                1, 20, value=5, step=1, label="Longest, in seconds", elem_id="animate-seconds"
            )
        with gr.Row():
            fps = gr.Dropdown([12, 25, 30], value=25, label="Frames a second", elem_id="fps")
            kind = gr.Radio(["mp4", "gif", "webp"], value="mp4", label="Kind", elem_id="kind")
        whole = gr.Checkbox(False, label="In the whole photo", elem_id="animate-whole")
        apply = gr.Button("Make the clip", variant="primary", elem_id="apply-animate")
        clip = gr.Video(
            label="Clip", interactive=False, elem_id="clip", loop=True, autoplay=False, buttons=[]
        )
        file = gr.DownloadButton("Save clip", size="sm", interactive=False, elem_id="save-clip")
    return AnimateTab(sound, text, strength, seconds, fps, kind, whole, apply, clip, file)


def explore_tab(names: Sequence[str], styles: int = 0) -> ExploreTab:
    """Slide along what the model knows.

    Args:
        names: of directions.
        styles: how many style vectors the model has; 0 where it has no S.
    """
    with gr.Tab("Explore", id="explore"):
        note = "Each slider is a direction the model knows; they add up."
        if not names:
            note = "This model has no directions."
        gr.Markdown(note, elem_classes="note")
        sliders = tuple(
            gr.Slider(-3, 3, value=0, step=0.1, label=name, elem_id=f"direction-{index}")
            for index, name in enumerate(names)
        )
        single = _single(styles) if styles else None
    return ExploreTab(sliders, tuple(names), single)


def _single(styles: int) -> ChannelPicker:
    with gr.Accordion("A single channel", open=False, elem_id="single-channel"):
        with gr.Row():
            style = gr.Number(
                0, label=f"Style, 0 to {styles - 1}", precision=0, minimum=0, maximum=styles - 1
            )
            channel = gr.Number(0, label="Channel", precision=0, minimum=0, maximum=4095)
        slider = gr.Slider(-5, 5, value=0, step=0.1, label="How far", elem_id="channel-strength")
    return ChannelPicker(style, channel, slider)


def batch_tab(limit: int) -> BatchTab:
    """The same edit for several photos."""
    with gr.Tab("Batch", id="batch"):
        gr.Markdown(
            f"The same edit for up to {limit} photos. Without words or a sound, the edits made so "
            "far are replayed. For whole folders use `semblance batch`.",
            elem_classes="note",
        )
        photos = gr.File(
            label="Photos", file_count="multiple", file_types=["image"], elem_id="batch-photos"
        )
        text = prompt_box("Words", "a big smile", "batch-prompt")
        sound = sound_input("Sound", "batch-sound")
        strength = strength_slider("batch-strength")
        every = gr.Checkbox(False, label="Every face in each photo", elem_id="batch-every")
        apply = gr.Button("Edit all", variant="primary", elem_id="apply-batch")
        table = gr.Dataframe(
            headers=["Photo", "Outcome", "Seconds"],
            interactive=False,
            label="Results",
            elem_id="batch-table",
            buttons=[],
        )
        archive = gr.DownloadButton(
            "Save all (zip)", size="sm", interactive=False, elem_id="save-zip"
        )
    return BatchTab(photos, text, sound, strength, every, apply, table, archive)


def sound_chips(target: Any) -> None:
    """Sample sounds, one click each."""
    with gr.Row(elem_classes="chips"):
        for path in sounds():
            chip = gr.Button(title(path).capitalize(), size="sm", min_width=70)
            chip.click(
                lambda path=str(path): path,
                None,
                target,
                queue=False,
                api_visibility="private",
                show_progress="hidden",
            )
