"""The named endpoints, for `gradio_client`, plain HTTP and MCP.

Each takes the picture first, then the words or the sound; everything else has a default. Nothing is
remembered between calls. The edited picture (or clip) is the last output.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from apps.clips.motion import Motion
from apps.edits import EditSpec
from apps.studio.checks import clean_prompt, friendly, photo_input, sound_input
from apps.studio.events.edit_events import spec_of
from apps.studio.events.progress import while_wanted
from apps.studio.events.stage import MODEL
from apps.studio.service import Studio
from apps.studio.session import marked
from multimodal.types import Face

RECONSTRUCTED = "reconstruction"
Answer = tuple[dict[str, Any], Any, Any]


class Api:
    """The endpoints over one studio.

    Args:
        studio: does the work.
        method: inversion method used unless another is asked for.
    """

    def __init__(self, studio: Studio, method: str) -> None:
        self.studio, self.method = studio, method

    def register(self) -> None:
        """Add every endpoint to the page being built; none of it is seen."""
        with gr.Column(visible=False):
            photo = photo_input(label="picture")
            text = gr.Textbox(label="text")
            sound = sound_input(label="sound")
            mix = gr.Number(0.5, label="mix")
            strength = gr.Number(1.0, label="strength")
            fine = [
                gr.Textbox("auto", label="method"),
                gr.Textbox("", label="region"),
                gr.Textbox("", label="keep"),
                gr.Textbox("", label="layers"),
                gr.Textbox("", label="neutral"),
                gr.Number(0, label="seed", precision=0),
                gr.Textbox("photo", label="fidelity"),
            ]
            which = gr.Number(0, label="face", precision=0)
            inversion = gr.Textbox(self.method, label="inversion")
            tail = [strength, *fine, which, inversion]
            scores = gr.JSON(label="scores")
            whole = gr.Image(label="photo", format="png", interactive=False)
            edited = gr.Image(label="edited", format="png", interactive=False)
            face = [scores, whole, edited]
            self._add(self.invert, [photo, which, inversion], [scores, edited])
            self._add(self.edit_with_text, [photo, text, *tail], face)
            self._add(self.edit_with_sound, [photo, sound, *tail], face)
            self._add(self.edit_with_both, [photo, text, sound, mix, *tail], face)
            seconds = gr.Number(5.0, label="seconds")
            fps = gr.Number(25.0, label="fps")
            clip = gr.File(label="clip")
            further = gr.Number(1.2, label="strength")
            moved = [photo, sound, gr.Textbox("", label="words"), further, seconds, fps, which]
            self._add(self.animate, [*moved, inversion], [clip])
            seed = gr.Number(0, label="seed", precision=0)
            self._add(self.generate, [gr.Textbox("", label="text"), seed], [edited])

    def _add(self, handler: Callable[..., Any], inputs: list[Any], outputs: list[Any]) -> None:
        hidden = gr.Button(visible=False)
        hidden.click(
            friendly(handler),
            inputs,
            outputs,
            api_name=handler.__name__,
            api_description=handler.__doc__,
            concurrency_id=MODEL,
            concurrency_limit=1,
        )

    def invert(self, picture: str, face: int = 0, inversion: str = "") -> tuple[Any, ...]:
        """Find the face in a picture; returns figures of quality and the reconstruction.

        Args:
            picture: a photo with a face.
            face: which face, 0 is the largest.
            inversion: inversion method.
        """
        found = self._met(picture, face, inversion)
        return dict(found.report), marked(self.studio.editor.reconstruct(found), RECONSTRUCTED)

    def edit_with_text(
        self,
        picture: str,
        text: str,
        strength: float = 1.0,
        method: str = "auto",
        region: str = "",
        keep: str = "",
        layers: str = "",
        neutral: str = "",
        seed: int = 0,
        fidelity: str = "photo",
        face: int = 0,
        inversion: str = "",
    ) -> Answer:
        """Change a face by words; returns scores, the whole photo, and the edited face.

        Args:
            picture: a photo with a face.
            text: what the face should look like.
            strength: how far; negative goes the other way.
            method: guidance method.
            region: change only this part of the face.
            keep: attributes to leave alone, with commas between them.
            layers: layer groups to change, with commas between them.
            neutral: what the face looks like now.
            seed: everything random follows from it.
            fidelity: photo changes the photo, drawing gives what the generator draws.
            face: which face, 0 is the largest.
            inversion: inversion method.
        """
        fine = (method, region, listed(keep), listed(layers), neutral, seed, fidelity)
        spec = spec_of(strength, fine, text=clean_prompt(text))
        return self._edit(picture, spec, face, inversion)

    def edit_with_sound(
        self,
        picture: str,
        sound: str,
        strength: float = 1.0,
        method: str = "auto",
        region: str = "",
        keep: str = "",
        layers: str = "",
        neutral: str = "",
        seed: int = 0,
        fidelity: str = "photo",
        face: int = 0,
        inversion: str = "",
    ) -> Answer:
        """Change a face by a sound; returns scores, the whole photo, and the edited face.

        Args:
            picture: a photo with a face.
            sound: a recording: a laugh, a cry, a voice.
            strength: how far; negative goes the other way.
            method: guidance method.
            region: change only this part of the face.
            keep: attributes to leave alone, with commas between them.
            layers: layer groups to change, with commas between them.
            neutral: what the face looks like now.
            seed: everything random follows from it.
            fidelity: photo changes the photo, drawing gives what the generator draws.
            face: which face, 0 is the largest.
            inversion: inversion method.
        """
        fine = (method, region, listed(keep), listed(layers), neutral, seed, fidelity)
        spec = spec_of(strength, fine, sounds=(_given(sound, "sound"),))
        return self._edit(picture, spec, face, inversion)

    def edit_with_both(
        self,
        picture: str,
        text: str,
        sound: str,
        mix: float = 0.5,
        strength: float = 1.0,
        method: str = "auto",
        region: str = "",
        keep: str = "",
        layers: str = "",
        neutral: str = "",
        seed: int = 0,
        fidelity: str = "photo",
        face: int = 0,
        inversion: str = "",
    ) -> Answer:
        """Change a face by words and a sound; returns scores, the whole photo, the edited face.

        Args:
            picture: a photo with a face.
            text: what the face should look like.
            sound: a recording: a laugh, a cry, a voice.
            mix: 0 is all words, 1 is all sound.
            strength: how far; negative goes the other way.
            method: guidance method.
            region: change only this part of the face.
            keep: attributes to leave alone, with commas between them.
            layers: layer groups to change, with commas between them.
            neutral: what the face looks like now.
            seed: everything random follows from it.
            fidelity: photo changes the photo, drawing gives what the generator draws.
            face: which face, 0 is the largest.
            inversion: inversion method.
        """
        fine = (method, region, listed(keep), listed(layers), neutral, seed, fidelity)
        sounds = (_given(sound, "sound"),)
        spec = spec_of(strength, fine, text=clean_prompt(text), sounds=sounds, mix=_half(mix))
        return self._edit(picture, spec, face, inversion)

    def animate(
        self,
        picture: str,
        sound: str,
        words: str = "",
        strength: float = 1.2,
        seconds: float = 5.0,
        fps: float = 25.0,
        face: int = 0,
        inversion: str = "",
    ) -> str:
        """Move a face by a sound over time; returns an MP4 with the sound in it.

        Args:
            picture: a photo with a face.
            sound: the recording that moves the face.
            words: what holds all along.
            strength: how far.
            seconds: longest duration, at most 20.
            fps: frames a second.
            face: which face, 0 is the largest.
            inversion: inversion method.
        """
        found = self._met(picture, face, inversion)
        motion = Motion(
            _given(sound, "sound"),
            clean_prompt(words),
            strength=1.2 if strength is None else float(strength),
            fps=float(fps or 25.0),
            seconds=float(seconds or 5.0),
        )
        return str(self.studio.animate(self.studio.open(found), motion, on_step=while_wanted))

    def generate(self, text: str = "", seed: int = 0) -> Any:
        """Draw a face that nobody has, by a description; another seed draws another face.

        Args:
            text: a description such as "a bald man with a beard", or nothing for any face.
            seed: everything random follows from it.
        """
        words = clean_prompt(text)
        found = self.studio.generate(words, int(seed or 0))
        return marked(self.studio.open(found).before.face, words or "a face that nobody has")

    def _met(self, picture: str, face: int, inversion: str) -> Face:
        path = _given(picture, "picture")
        return self.studio.invert(path, inversion or self.method, int(face or 0), while_wanted)

    def _edit(self, picture: str, spec: EditSpec, face: int, inversion: str) -> Answer:
        found = self._met(picture, face, inversion)
        result = self.studio.edit(found, spec, while_wanted)
        said = spec.text or "edited by sound"
        whole = None if result.photo is None else marked(result.photo, said)
        return dict(result.scores), whole, marked(result.after, said)


def listed(given: Any) -> tuple[str, ...]:
    """Names with commas between them, or a list of them, which arrives as its text."""
    bare = str(given or "").strip().removeprefix("[").removesuffix("]")
    return tuple(name for part in bare.split(",") if (name := part.strip(" '\"")))


def _half(mix: float | None) -> float:
    return 0.5 if mix is None else float(mix)


def _given(path: str | None, what: str) -> Path:
    if not path:
        raise ValueError(f"Send a {what}.")
    return Path(path)
