"""What the studio shows: the person's face on the left with the tools, the result on the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from apps.studio.checks import MAX_PROMPT, photo_input
from apps.studio.checks import sound_input as new_sound

HEAD = """
<meta name="description" content="Edit faces with words and sounds.">
<script>
// Names for controls that Gradio leaves without one; runs again when the page changes.
(() => {
  const name = (selector, label) => document.querySelectorAll(selector).forEach((part) => {
    if (!part.getAttribute("aria-label")) part.setAttribute("aria-label", label(part));
  });
  const nearest = (part) => {
    const block = part.closest(".block");
    const title = block && block.querySelector("[data-testid=block-info], label span, label");
    return (title && title.textContent.trim()) || "Control";
  };
  const patch = () => {
    document.documentElement.lang = "en";
    document.querySelectorAll("div.empty[aria-label]").forEach((part) => {
      part.setAttribute("role", "img");
    });
    document.querySelectorAll('[aria-label^="common."]').forEach((part) => {
      const word = part.getAttribute("aria-label").slice(7);
      part.setAttribute("aria-label", word);
      part.setAttribute("title", word);
    });
    name("input[type=file]", (part) => "Upload: " + nearest(part));
    name("input[type=range], input[type=number]", nearest);
    name("select, textarea:not([id]), audio, video", nearest);
  };
  // Sliders act when they are let go; for the keyboard that is when the key is.
  addEventListener("keyup", (event) => {
    if (event.target.matches("input[type=range]") && /^(Arrow|Page|Home|End)/.test(event.key)) {
      event.target.dispatchEvent(new PointerEvent("pointerup", {bubbles: true}));
    }
  });
  new MutationObserver(patch).observe(document.documentElement, {childList: true, subtree: true});
  addEventListener("DOMContentLoaded", patch);
})();
</script>
"""

HEADER = """
<h1>Sem<span>blance</span></h1>
<p>Change a face with a sentence, a sound, or both. Pictures you save are marked as AI-edited.</p>
"""

PROMPTS = (
    "a big smile", "an old person with grey hair", "a beard", "glasses", "an angry face",
    "blond hair", "a surprised child", "a tired face with closed eyes",
)  # fmt: skip

NEAR, FAR = "Zoom to the face", "Show the whole photo"
KEEP = ("identity", "age", "hair", "expression")


@dataclass(frozen=True)
class FacePanel:
    """Where a face comes from."""

    photo: gr.Image
    samples: gr.Gallery
    surprise: gr.Button
    which: gr.Radio
    status: gr.Markdown
    aligned: gr.Image
    inversion: gr.Dropdown


@dataclass(frozen=True)
class ResultPanel:
    """What became of it."""

    slider: gr.ImageSlider
    near: gr.Button
    fidelity: gr.Radio
    status: gr.Markdown
    undo: gr.Button
    redo: gr.Button
    reset: gr.Button
    stop: gr.Button
    history: gr.Dataframe
    export: gr.DownloadButton
    load: gr.UploadButton
    picture: gr.DownloadButton
    whole: gr.DownloadButton
    latent: gr.DownloadButton


@dataclass(frozen=True)
class Fine:
    """The settings most people never open."""

    method: gr.Dropdown
    neutral: gr.Textbox
    keep: gr.CheckboxGroup
    region: gr.Dropdown
    layers: gr.CheckboxGroup
    seed: gr.Number


def header() -> None:
    """The name and one line."""
    gr.HTML(HEADER, elem_id="brand")


def face_panel(samples: Sequence[Path], inversions: Sequence[str]) -> FacePanel:
    """Upload, webcam, samples, or a face nobody has."""
    with gr.Column(elem_classes="card"):
        photo = photo_input(
            label="Your photo",
            sources=["upload", "webcam", "clipboard"],
            height=260,
            elem_id="photo",
            alt_text="The photo to edit",
        )
        if samples:
            gr.Markdown("Or start from a sample:", elem_classes="note")
        gallery = gr.Gallery(
            [str(path) for path in samples],
            label="Samples",
            show_label=False,
            columns=6,
            rows=1,
            height=104,
            allow_preview=False,
            interactive=False,
            object_fit="cover",
            elem_id="samples",
            visible=bool(samples),
            buttons=[],
        )
        surprise = gr.Button("Surprise me with a new face", elem_id="surprise")
        which = gr.Radio([], label="Several faces: which one?", visible=False, elem_id="which")
        status = gr.Markdown("", elem_id="face-status", elem_classes="note")
        with gr.Accordion("What the model sees", open=False):
            aligned = gr.Image(
                label="Aligned face",
                interactive=False,
                height=180,
                buttons=[],
                elem_id="aligned",
                alt_text="The aligned face crop that is edited",
            )
            inversion = gr.Dropdown(
                list(inversions),
                value=inversions[0],
                label="Inversion",
                info="Slower methods look more like you.",
                elem_id="inversion",
            )
    return FacePanel(photo, gallery, surprise, which, status, aligned, inversion)


def result_panel() -> ResultPanel:
    """Before and after, history, downloads."""
    slider = gr.ImageSlider(
        label="Before and after",
        type="pil",
        format="png",
        max_height=560,
        interactive=False,
        elem_id="result-slider",
        buttons=["fullscreen"],
    )
    status = gr.Markdown(
        "Choose a face, then say what to change.", elem_id="result-status", elem_classes="note"
    )
    with gr.Row(elem_classes="tool-row"):
        near = gr.Button(NEAR, size="sm", interactive=False, elem_id="near")
        fidelity = gr.Radio(
            [("my photo, changed", "photo"), ("a drawing", "drawing")],
            value="photo",
            label="Show",
            elem_id="fidelity",
        )
    with gr.Row(elem_classes="tool-row"):
        undo = gr.Button("Undo", size="sm", interactive=False, elem_id="undo")
        redo = gr.Button("Redo", size="sm", interactive=False, elem_id="redo")
        reset = gr.Button("Start over", size="sm", interactive=False, elem_id="reset")
        stop = gr.Button("Stop", size="sm", variant="stop", elem_id="stop")
    with gr.Row(elem_classes="tool-row"):
        picture = gr.DownloadButton("Save face", size="sm", interactive=False, elem_id="save-face")
        whole = gr.DownloadButton("Save photo", size="sm", interactive=False, elem_id="save-photo")
        latent = gr.DownloadButton("Save latent", size="sm", interactive=False, elem_id="save-code")
    with gr.Accordion("Edits so far", open=False):
        history = gr.Dataframe(
            headers=["Edit", "Strength"],
            interactive=False,
            label="Edits",
            elem_id="history",
            buttons=[],
        )
        with gr.Row(elem_classes="tool-row"):
            export = gr.DownloadButton(
                "Save edit list", size="sm", interactive=False, elem_id="export"
            )
            load = gr.UploadButton(
                "Load edit list", size="sm", file_types=[".json"], elem_id="import"
            )
    return ResultPanel(
        slider,
        near,
        fidelity,
        status,
        undo,
        redo,
        reset,
        stop,
        history,
        export,
        load,
        picture,
        whole,
        latent,
    )


def fine_controls(methods: Sequence[str], regions: Sequence[str]) -> Fine:
    """Method, what to leave alone, where to change."""
    with gr.Accordion("Fine control", open=False, elem_id="fine"):
        with gr.Row():
            method = gr.Dropdown(list(methods), value="auto", label="Method", elem_id="method")
            region = gr.Dropdown(
                ["everywhere", *regions], value="everywhere", label="Where", elem_id="region"
            )
        keep = gr.CheckboxGroup(list(KEEP), label="Leave alone", elem_id="keep")
        layers = gr.CheckboxGroup(
            [("shape", "coarse"), ("features", "medium"), ("colour", "fine")],
            label="Only these layers",
            elem_id="layers",
        )
        with gr.Row():
            neutral = prompt_box("Now it looks like", "a face", "neutral")
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, elem_id="seed")
    return Fine(method, neutral, keep, region, layers, seed)


def prompt_box(label: str, placeholder: str, elem_id: str) -> gr.Textbox:
    """One line of words."""
    return gr.Textbox(
        label=label, placeholder=placeholder, max_length=MAX_PROMPT, lines=1, elem_id=elem_id
    )


def strength_slider(elem_id: str) -> gr.Slider:
    """How far the edit goes; quick after the first time."""
    return gr.Slider(
        -2, 3, value=1, step=0.05, label="Strength", info="Negative: the opposite.", elem_id=elem_id
    )


def prompt_chips(target: gr.Textbox) -> None:
    """Ideas that fill the box with one click."""
    gr.Examples([[prompt] for prompt in PROMPTS], inputs=[target], label="Ideas")


def sound_input(label: str, elem_id: str) -> Any:
    """A microphone or a file."""
    return new_sound(
        label=label, sources=["upload", "microphone"], elem_id=elem_id, buttons=[], editable=True
    )
