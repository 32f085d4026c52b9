"""More tools: turn a head, mend a photo, join two faces, draw one, change a film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps.studio.checks import canvas_input, photo_input
from apps.studio.layout.page import prompt_box, strength_slider
from multimodal.editing.composing import MODES
from multimodal.heads.light import DIRECTIONS
from multimodal.parsing.classes import CLASSES, COLORS
from multimodal.restoration import TASKS

LIGHTS = ("as it is", *DIRECTIONS)
HOLE = "inpaint"
KINDS = [("strokes of colour", "scribble"), ("a sketch", "sketch"), ("a map of parts", "labels")]
CANVAS = (512, 512)


@dataclass(frozen=True)
class Outcome:
    """What a tool shows, and its file."""

    picture: gr.Image
    file: gr.DownloadButton


@dataclass(frozen=True)
class TurnTab:
    """Turn, light, look."""

    yaw: gr.Slider
    pitch: gr.Slider
    gaze: gr.Slider
    blink: gr.Slider
    light: gr.Dropdown
    strength: gr.Slider
    apply: gr.Button
    made: Outcome
    mesh: gr.DownloadButton


@dataclass(frozen=True)
class MendTab:
    """Restore a photo."""

    canvas: gr.ImageEditor
    task: gr.Dropdown
    steps: gr.Slider
    apply: gr.Button
    made: Outcome


@dataclass(frozen=True)
class JoinTab:
    """Something of another face."""

    other: gr.Image
    mode: gr.Dropdown
    region: gr.Dropdown
    strength: gr.Slider
    apply: gr.Button
    made: Outcome


@dataclass(frozen=True)
class DrawTab:
    """A face as it is drawn."""

    canvas: gr.ImageEditor
    kind: gr.Radio
    text: gr.Textbox
    seed: gr.Number
    steps: gr.Slider
    apply: gr.Button
    live: gr.Image


@dataclass(frozen=True)
class FilmTab:
    """A film's faces changed."""

    film: gr.File
    text: gr.Textbox
    strength: gr.Slider
    apply: gr.Button
    clip: gr.Video
    file: gr.DownloadButton


@dataclass(frozen=True)
class ToolTabs:
    """All of them."""

    turn: TurnTab
    mend: MendTab
    join: JoinTab
    draw: DrawTab
    film: FilmTab


def tool_tabs(regions: Sequence[str]) -> ToolTabs:
    """A tab for each, below those of edits, folded until it is wanted."""
    title = "More tools: turn, mend, join, draw, film"
    with gr.Accordion(title, open=False, elem_id="tools"), gr.Tabs():
        return ToolTabs(turn_tab(), mend_tab(), join_tab(regions), draw_tab(), film_tab())


def turn_tab() -> TurnTab:
    """Sliders with degrees."""
    with gr.Tab("Turn", id="turn"):
        with gr.Row():
            yaw = _degrees("Turn to the right", 30, "turn-yaw")
            pitch = _degrees("Nod down", 20, "turn-pitch")
        with gr.Row():
            gaze = _degrees("Look to the right", 25, "turn-gaze")
            blink = gr.Slider(0, 1, value=0, step=0.05, label="Close the eyes", elem_id="blink")
        with gr.Row():
            light = gr.Dropdown(list(LIGHTS), value=LIGHTS[0], label="Light from", elem_id="light")
            strength = gr.Slider(0, 2, value=1, step=0.1, label="Its strength", elem_id="lamp")
        apply = gr.Button("Turn the head", variant="primary", elem_id="apply-turn")
        made = _outcome("turn")
        mesh = gr.DownloadButton("Save mesh", size="sm", interactive=False, elem_id="save-mesh")
    return TurnTab(yaw, pitch, gaze, blink, light, strength, apply, made, mesh)


def mend_tab() -> MendTab:
    """A photo, and paint where it is missing."""
    with gr.Tab("Mend", id="mend"):
        canvas = _canvas("A photo; for a hole, paint over it", "mend-canvas", ["#ff00aa"], 40, True)
        with gr.Row():
            task = gr.Dropdown(
                [("fill the hole", HOLE), *((t, t) for t in TASKS if t != HOLE)],
                value=HOLE, label="What happened to it", elem_id="mend-task",
            )  # fmt: skip
            steps = _steps("mend-steps", 60)
        apply = gr.Button("Mend the photo", variant="primary", elem_id="apply-mend")
        made = _outcome("mend")
    return MendTab(canvas, task, steps, apply, made)


def join_tab(regions: Sequence[str]) -> JoinTab:
    """Another photo, and what it gives."""
    with gr.Tab("Join", id="join"):
        other = photo_input(
            label="The other photo", sources=["upload", "clipboard"], height=180,
            elem_id="join-photo", alt_text="The photo whose face gives something",
        )  # fmt: skip
        with gr.Row():
            modes = [
                (f"{name}: {mode.about.split('(')[0].strip()}", name)
                for name, mode in MODES.items()
            ]
            mode = gr.Dropdown(
                modes, value="hair-colour", label="What it gives", elem_id="join-mode"
            )
            region = gr.Dropdown(
                ["(by itself)", *regions], value="(by itself)", label="Where", elem_id="join-region"
            )
        strength = strength_slider("join-strength")
        apply = gr.Button("Join the faces", variant="primary", elem_id="apply-join")
        made = _outcome("join")
    return JoinTab(other, mode, region, strength, apply, made)


def draw_tab() -> DrawTab:
    """A canvas; the face that comes of it is edited like any other."""
    with gr.Tab("Draw", id="draw"):
        kind = gr.Radio(KINDS, value="scribble", label="What you draw", elem_id="draw-kind")
        colours = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in COLORS[1:]]
        canvas = _canvas("Canvas", "draw-canvas", colours, 14, False)
        live = gr.Image(
            label="The face as you draw; words and the search come with the button", height=260,
            interactive=False, buttons=[], elem_id="draw-live",
            alt_text="The face that the drawing shows",
        )  # fmt: skip
        gr.HTML(_legend(), elem_classes="note")
        text = prompt_box("Words that say the rest (optional)", "an old woman", "draw-prompt")
        with gr.Row():
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, elem_id="draw-seed")
            steps = _steps("draw-steps", 30)
        apply = gr.Button("Draw the face", variant="primary", elem_id="apply-draw")
    return DrawTab(canvas, kind, text, seed, steps, apply, live)


def film_tab() -> FilmTab:
    """A film, and words."""
    with gr.Tab("Film", id="film"):
        film = gr.File(label="A film with a face", file_types=["video"], elem_id="film-in")
        text = prompt_box("Words", "a big smile", "film-prompt")
        strength = strength_slider("film-strength")
        apply = gr.Button("Change the film", variant="primary", elem_id="apply-film")
        clip = gr.Video(
            label="Film", interactive=False, elem_id="film-out", autoplay=False, buttons=[]
        )
        file = gr.DownloadButton("Save film", size="sm", interactive=False, elem_id="save-film")
    return FilmTab(film, text, strength, apply, clip, file)


def _degrees(label: str, most: int, elem_id: str) -> gr.Slider:
    return gr.Slider(-most, most, value=0, step=1, label=f"{label}, degrees", elem_id=elem_id)


def _steps(elem_id: str, value: int) -> gr.Slider:
    return gr.Slider(5, 200, value=value, step=5, label="Steps of the search", elem_id=elem_id)


def _canvas(label: str, elem_id: str, colours: list[str], width: int, photo: bool) -> Any:
    return canvas_input(
        label=label,
        elem_id=elem_id,
        sources=["upload", "clipboard"] if photo else [],
        brush=gr.Brush(default_size=width, colors=list(colours), default_color=colours[0]),
        layers=False,
        transforms=[],
        canvas_size=CANVAS,
        height=420,
        buttons=[],
    )


def _outcome(name: str) -> Outcome:
    picture = gr.Image(
        label="Result", interactive=False, height=320, buttons=["fullscreen"],
        elem_id=f"{name}-result", alt_text="The result",
    )  # fmt: skip
    file = gr.DownloadButton("Save picture", size="sm", interactive=False, elem_id=f"save-{name}")
    return Outcome(picture, file)


def _legend() -> str:
    """The colours of parts, for maps of them."""
    box = "display:inline-block;width:.8em;height:.8em;border:1px solid #888"
    chips = "".join(
        f'<span style="white-space:nowrap"><span style="{box};background:rgb{colour}"></span> '
        f"{name}&ensp;</span>"
        for name, colour in zip(CLASSES[1:], COLORS[1:], strict=True)
    )
    return f"For a map of parts: {chips}"
