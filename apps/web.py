"""The studio: Semblance in a browser, and as an API.

`build_demo(editor)` makes the page for any editor; `main()` loads a model and serves it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import gradio as gr

from apps.samples import FOLDER, faces
from apps.studio.api import Api
from apps.studio.door.home import HOME
from apps.studio.events.batch_events import BATCH_LIMIT, LongEvents
from apps.studio.events.edit_events import EditEvents, HistoryEvents
from apps.studio.events.face_events import FaceEvents
from apps.studio.events.stage import Stage
from apps.studio.events.tool_events import ToolEvents
from apps.studio.layout import page, tabs
from apps.studio.layout.tool_tabs import tool_tabs
from apps.studio.service import Studio

if TYPE_CHECKING:
    from multimodal import FaceEditor

CACHE_SECONDS = (900, 3600)
"""How often uploads and results are swept, and how old they get."""


def build_demo(editor: FaceEditor) -> gr.Blocks:
    """The studio's page and endpoints over one editor.

    Args:
        editor: a loaded `FaceEditor`; shared by everybody, changed by nobody.
    """
    HOME.uploads()  # before Gradio's components ask where to write
    studio = Studio(editor)
    gr.set_static_paths([FOLDER])
    with gr.Blocks(title="Semblance", delete_cache=CACHE_SECONDS, analytics_enabled=False) as demo:
        page.header()
        with gr.Row(elem_id="studio"):
            with gr.Column(scale=5, min_width=320):
                face = page.face_panel(faces(), studio.inversions())
                with gr.Tabs():
                    text, sound, mix = tabs.text_tab(), tabs.sound_tab(), tabs.mix_tab()
                    animate = tabs.animate_tab()
                    explore = tabs.explore_tab(studio.sliders(), studio.styles())
                    batch = tabs.batch_tab(BATCH_LIMIT)
                tools = tool_tabs(studio.regions())
                fine = page.fine_controls(studio.methods(), studio.regions())
            with gr.Column(scale=6, min_width=320):
                result = page.result_panel()
        stage = Stage(studio, result, explore)
        FaceEvents(stage, face)
        EditEvents(stage, fine, text, sound, mix)
        HistoryEvents(stage)
        LongEvents(stage, animate, batch)
        ToolEvents(stage, tools)
        stage.wire_stop()
        Api(studio, studio.inversions()[0]).register(demo)
    return demo


def main() -> None:
    """`python -m apps.web`: the same as `semblance web`."""
    from apps.cli import run

    sys.exit(run(["web", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
