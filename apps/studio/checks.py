"""What the studio lets in: bounded pictures, sounds and words; and errors people can act on."""

from __future__ import annotations

import functools
import html
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import gradio as gr

MAX_PROMPT = 300
MAX_PHOTO_BYTES = 64 * 2**20
MAX_SOUND_BYTES = 25 * 2**20

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=gr.components.Component)


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
    words = words.encode("utf-8", "replace").decode()  # an answer has to be sent
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


def photo_input(**settings: Any) -> gr.Image:
    """A picture input that hands on the file unopened: the core's bounded reader opens it."""
    component = gr.Image(type="filepath", image_mode=None, format="png", **settings)
    return _by_path(component, "picture", MAX_PHOTO_BYTES)


def sound_input(**settings: Any) -> gr.Audio:
    """A recording or upload, handed on undecoded."""
    return _by_path(gr.Audio(type="filepath", **settings), "sound", MAX_SOUND_BYTES)


@dataclass(frozen=True)
class Painted:
    """What somebody painted on a canvas, as files that nobody opened yet.

    Args:
        under: the photo beneath, or None.
        layers: what was painted, transparent elsewhere; encoded bytes while it is being painted.
    """

    under: Path | None
    layers: tuple[Path | bytes, ...]


def canvas_input(**settings: Any) -> gr.ImageEditor:
    """A canvas that hands on its files unopened, as `Painted`."""
    component = gr.ImageEditor(type="filepath", format="png", **settings)

    def preprocess(payload: Any) -> Painted | None:
        if payload is None:
            return None
        if payload.id is not None:  # sent beside the event, stroke by stroke
            sent = component.blob_storage.pop(payload.id, None)
            return Painted(None, () if sent is None else tuple(_blobs(sent.layers)))
        under = None if payload.background is None else _file(payload.background)
        return Painted(under, tuple(_file(layer) for layer in payload.layers[:4]))

    def _file(sent: Any) -> Path:
        return _bounded(sent.path, "picture", MAX_PHOTO_BYTES)

    component.preprocess = preprocess  # type: ignore[method-assign, assignment]
    return component


def _blobs(layers: Iterable[Any]) -> Iterator[bytes]:
    """The first layers that are no larger than a photo may be."""
    for layer in islice(layers, 4):
        if isinstance(layer, bytes) and len(layer) <= MAX_PHOTO_BYTES:
            yield layer


def _bounded(path: str | None, what: str, limit: int) -> Path:
    """The path of an upload that is not too large."""
    if path is None or Path(path).stat().st_size > limit:
        problem = f"Send the {what} as an upload of at most {limit >> 20} MB."
        raise gr.Error(problem, print_exception=False)
    return Path(path)


def _by_path(component: C, what: str, limit: int) -> C:
    """Replace a component's own decoding by the path of what was uploaded."""

    def preprocess(payload: Any) -> str | None:
        if payload is None:
            return None
        return str(_bounded(payload.path, what, limit))

    # A subclass would make Gradio write a stub file beside this module.
    component.preprocess = preprocess  # type: ignore[method-assign]
    return component
