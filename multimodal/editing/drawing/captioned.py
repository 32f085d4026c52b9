"""Faces of nobody by a caption: one that nearly fits is sampled, and words do the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import torch

from guidance.common import apply_offset, draw
from guidance.targets import NEUTRAL, embed_text
from multimodal.editing.choosing import guidance_of, model_options, pick_method
from multimodal.generators.photo_codes import PhotoCodes, check_look
from multimodal.images import to_pil
from multimodal.types import EditRequest, Face, Guidance, Latent, Reading, Toolkit

CANDIDATES = {"photo": 24, "render": 4}
"""How many are sampled: photographs are compared by their codes alone, renders by CLIP."""
TRUNCATION = {"photo": 0.7, "render": 0.8}


class Sampler(Protocol):
    """What is needed of an editor."""

    toolkit: Toolkit
    photographs: PhotoCodes | None


@torch.no_grad()
def generate(
    editor: Sampler,
    text: str,
    seed: int = 0,
    truncation: float | None = None,
    candidates: int | None = None,
    look: str | None = None,
) -> Face:
    """A new face for a caption; another seed gives another face.

    A photograph is the one of several sampled ones that the model's best method must change least
    to make it what the caption says, changed so; a render comes from the text encoder.

    Args:
        editor: the parts.
        text: the caption.
        seed: everything random follows from it.
        truncation: 1 is all variety, 0 the average; the look's own where None.
        candidates: how many are sampled; the look's own number where None.
        look: "photo" or "render"; None means a photograph where the model can.

    Raises:
        ValueError: another look, one that this model has not, or a caption in which nothing means
            anything for a face.
    """
    check_look(look)
    reader = _reader(editor)
    if look == "photo" and reader is None:
        raise ValueError("this model cannot make photographs of captions; try look='render'")
    used = look or ("render" if reader is None else "photo")
    psi = TRUNCATION[used] if truncation is None else truncation
    count = CANDIDATES[used] if candidates is None else candidates
    if used == "photo" and reader is not None and editor.photographs is not None:
        tried = editor.photographs.sample(count, seed, psi)
        latent = _nearest(editor.toolkit, reader, tried, text, seed)
    else:
        method: Any = guidance_of(editor, editor.toolkit, "text-encoder")
        latent = method.generate(embed_text(editor.toolkit.clip, text), seed, psi, count)
    picture = to_pil(draw(editor.toolkit.generator, latent))
    return Face(latent, picture, report={"seed": seed})


def _reader(editor: Sampler) -> Guidance | None:
    """The method that knows by how much a code fails a caption, where there are photographs."""
    if editor.photographs is None:
        return None
    guidance = guidance_of(editor, editor.toolkit, pick_method(editor.toolkit))
    return guidance if isinstance(guidance, Reading) else None


def _nearest(tools: Toolkit, reader: Guidance, tried: Latent, text: str, seed: int) -> Latent:
    """The code that has to move least, moved."""
    target, neutral = (embed_text(tools.clip, words) for words in (text, NEUTRAL))
    settings = model_options(tools, pick_method(tools))

    def moved() -> Iterator[tuple[float, int, Latent]]:
        for index, code in enumerate(tried.w):
            latent = Latent(code[None])
            request = EditRequest(latent, target, neutral, text, seed, settings)
            offset = reader.offset(request)
            far = float("inf") if offset.w is None else float(offset.w.norm())
            yield far, index, apply_offset(tools.generator, latent, offset, 1.0)

    return min(moved(), key=lambda found: found[:2])[2]
