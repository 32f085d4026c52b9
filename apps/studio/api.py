"""The named endpoints, for `gradio_client`, plain HTTP and MCP.

Each takes the picture first, then the words or the sound; everything else has a default. Nothing is
remembered between calls. The edited picture (or clip) is the last output.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from apps.clips.motion import Motion
from apps.edits import EditSpec
from apps.studio.checks import clean_prompt, friendly
from apps.studio.endpoints import Endpoint, Given, check_arguments
from apps.studio.events.edit_events import spec_of
from apps.studio.events.progress import while_wanted
from apps.studio.events.stage import MODEL
from apps.studio.service import Studio
from apps.studio.session import marked
from multimodal.types import Face

RECONSTRUCTED = "reconstruction"
Answer = tuple[dict[str, Any], Any, Any]
Sent = Mapping[str, Any]

PICTURE = Given("picture", "a photo with a face", "picture")
TEXT = Given("text", "what the face should look like")
SOUND = Given("sound", "a recording: a laugh, a cry, a voice", "sound")
MIX = Given("mix", "0 is all words, 1 is all sound", "number", 0.5)
SEED = Given("seed", "everything random follows from it", "count", 0)
WHICH = (
    Given("face", "which face, 0 is the largest", "count", 0),
    Given("inversion", "inversion method", "text", ""),
)
FINE = (
    Given("strength", "how far; negative goes the other way", "number", 1.0),
    Given("method", "guidance method", "text", "auto"),
    Given("region", "change only this part of the face", "text", ""),
    Given("keep", "attributes to leave alone, with commas between them", "text", ""),
    Given("layers", "layer groups to change, with commas between them", "text", ""),
    Given("neutral", "what the face looks like now", "text", ""),
    SEED,
    Given("fidelity", "photo changes the photo, drawing gives what the generator draws", "text",
          "photo"),
    *WHICH,
)  # fmt: skip
MOVED = (
    Given("words", "what holds all along", "text", ""),
    Given("strength", "how far", "number", 1.2),
    Given("seconds", "longest duration, at most 20", "number", 5.0),
    Given("fps", "frames a second", "number", 25.0),
    *WHICH,
)
DESCRIBED = Given(
    "text", 'a description such as "a bald man with a beard", or nothing for any face', "text", ""
)


class Api:
    """The endpoints over one studio.

    Args:
        studio: does the work.
        method: inversion method used unless another is asked for.
    """

    def __init__(self, studio: Studio, method: str) -> None:
        self.studio, self.method = studio, method

    def endpoints(self) -> dict[Endpoint, tuple[str, ...]]:
        """Every endpoint, and the outputs it has."""
        changes = "; returns scores, the whole photo, and the edited face."
        invert = "Find the face in a picture; returns figures of quality and the reconstruction."
        move = "Move a face by a sound over time; returns an MP4 with the sound in it."
        draw = "Draw a face that nobody has, by a description; another seed draws another face."
        edited = ("scores", "photo", "edited")
        return {
            Endpoint("invert", invert, (PICTURE, *WHICH), self.invert): ("scores", "edited"),
            Endpoint(
                "edit_with_text", f"Change a face by words{changes}", (PICTURE, TEXT, *FINE),
                self.edit,
            ): edited,
            Endpoint(
                "edit_with_sound", f"Change a face by a sound{changes}", (PICTURE, SOUND, *FINE),
                self.edit,
            ): edited,
            Endpoint(
                "edit_with_both", f"Change a face by words and a sound{changes}",
                (PICTURE, TEXT, SOUND, MIX, *FINE), self.edit,
            ): edited,
            Endpoint("animate", move, (PICTURE, SOUND, *MOVED), self.animate): ("clip",),
            Endpoint("generate", draw, (DESCRIBED, SEED), self.generate): ("edited",),
        }  # fmt: skip

    def register(self, demo: gr.Blocks) -> None:
        """Add every endpoint to the page being built; none of it is seen."""
        endpoints = self.endpoints()
        with gr.Column(visible=False):
            given = {one: one.component() for e in endpoints for one in e.takes}
            outputs = {
                "scores": gr.JSON(label="scores"),
                "photo": gr.Image(label="photo", format="png", interactive=False),
                "edited": gr.Image(label="edited", format="png", interactive=False),
                "clip": gr.File(label="clip"),
            }
            for endpoint, names in endpoints.items():
                gr.Button(visible=False).click(
                    friendly(endpoint.function()),
                    [given[one] for one in endpoint.takes],
                    [outputs[name] for name in names],
                    api_name=endpoint.name,
                    api_description=endpoint.about,
                    concurrency_id=MODEL,
                    concurrency_limit=1,
                )
        check_arguments(demo, list(endpoints))

    def invert(self, sent: Sent) -> tuple[Any, ...]:
        """A face's figures and its reconstruction."""
        found = self._met(sent)
        return dict(found.report), marked(self.studio.editor.reconstruct(found), RECONSTRUCTED)

    def edit(self, sent: Sent) -> Answer:
        """A face changed by words, a sound, or both."""
        spec = _spec(sent)
        result = self.studio.edit(self._met(sent), spec, while_wanted)
        said = spec.text or "edited by sound"
        whole = None if result.photo is None else marked(result.photo, said)
        scores: dict[str, Any] = dict(result.scores)
        if result.notes:
            scores["notes"] = list(result.notes)
        return scores, whole, marked(result.after, said)

    def animate(self, sent: Sent) -> str:
        """A clip of a face moved by a sound."""
        sound, words = _path(sent, "sound"), clean_prompt(sent["words"])
        figures: dict[str, Any] = {
            name: float(sent[name]) for name in ("strength", "seconds", "fps")
        }
        found = self.studio.open(self._met(sent))
        return str(
            self.studio.animate(found, Motion(sound, words, **figures), on_step=while_wanted)
        )

    def generate(self, sent: Sent) -> Any:
        """A face that nobody has."""
        words = clean_prompt(sent["text"])
        found = self.studio.generate(words, int(sent["seed"]))
        return marked(self.studio.open(found).before.face, words or "a face that nobody has")

    def _met(self, sent: Sent) -> Face:
        path, method = _path(sent, "picture"), sent["inversion"] or self.method
        return self.studio.invert(path, method, int(sent["face"]), while_wanted)


def _spec(sent: Sent) -> EditSpec:
    """The edit that was asked for."""
    fine = (
        sent["method"], sent["region"], listed(sent["keep"]), listed(sent["layers"]),
        sent["neutral"], sent["seed"], sent["fidelity"],
    )  # fmt: skip
    target: dict[str, Any] = {}
    if "text" in sent:
        target["text"] = clean_prompt(sent["text"])
    if "sound" in sent:
        target["sounds"] = (_path(sent, "sound"),)
    if "mix" in sent:
        target["mix"] = float(sent["mix"])
    return spec_of(sent["strength"], fine, **target)


def listed(given: Any) -> tuple[str, ...]:
    """Names with commas between them, or a list of them, which arrives as its text."""
    bare = str(given or "").strip().removeprefix("[").removesuffix("]")
    return tuple(name for part in bare.split(",") if (name := part.strip(" '\"")))


def _path(sent: Sent, what: str) -> Path:
    if not sent[what]:
        raise ValueError(f"Send a {what}.")
    return Path(sent[what])
