"""What the studio lets in: bounded pictures, sounds and words; and errors people can act on."""

from __future__ import annotations

import functools
import html
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import gradio as gr

MAX_PROMPT = 300
MAX_SOUND_BYTES = 25 * 2**20

P = ParamSpec("P")
R = TypeVar("R")


def clean_prompt(text: str | None, what: str = "The text") -> str | None:
    """A prompt without surrounding space, or None when there is nothing in it.

    Raises:
        ValueError: it is longer than 300 characters or holds control characters.
    """
    words = (text or "").strip()
    if len(words) > MAX_PROMPT:
        raise ValueError(f"{what} has {len(words)} characters; at most {MAX_PROMPT} are read.")
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in words):
        raise ValueError(f"{what} holds control characters; type plain words on one line.")
    return words or None


def sentence(error: BaseException) -> str:
    """An error as a sentence, harmless as HTML."""
    words = " ".join(str(error).split()) or type(error).__name__
    words = words if len(words) <= 400 else words[:400] + " ..."
    return html.escape(words[0].upper() + words[1:], quote=False)


def friendly(handler: Callable[P, R]) -> Callable[P, R]:
    """Show bad input as a message in the page instead of a bare "Error"."""

    @functools.wraps(handler)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        except gr.Error:
            raise
        except (ValueError, OSError) as error:
            raise gr.Error(sentence(error), duration=8, print_exception=False) from error

    return wrapped


class PhotoInput(gr.Image):
    """A picture handed on as a file, unopened: the core's bounded reader opens it."""

    is_template = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(type="filepath", image_mode=None, format="png", **kwargs)

    def preprocess(self, payload: Any) -> str | None:
        if payload is None:
            return None
        if payload.path is None:
            raise gr.Error("Send the picture as an upload.", print_exception=False)
        return str(Path(payload.path))


class SoundInput(gr.Audio):
    """A recording or upload handed on as a file, undecoded."""

    is_template = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(type="filepath", **kwargs)

    def preprocess(self, payload: Any) -> str | None:
        if payload is None:
            return None
        if payload.path is None or Path(payload.path).stat().st_size > MAX_SOUND_BYTES:
            raise gr.Error("Send the sound as an upload of at most 25 MB.", print_exception=False)
        return str(Path(payload.path))
