"""Targets: what is wanted, as one unit embedding `[1, E]`, whatever it was said with.

A prompt is one description, or several parts set apart by commas where a part is turned down or
weighted:

    prompt := part ("," part)*
    part   := [("no" | "not" | "without" | "minus") " "] description [":" weight]

"a smile, no glasses" wants a smile and moves away from glasses; "curly hair:1, red hair:0.5" mixes.
A prompt without a negative part and without weights is embedded whole, commas included.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal.types import ClipModel, SoundEmbedder, check_text

NEUTRAL = "a face"
MAX_PARTS = 16
_NEGATIVE = re.compile(r"^(?:no|not|without|minus)(?:\s+|$)", re.IGNORECASE)
_WEIGHT = re.compile(r":\s*([+-]?\d+(?:\.\d+)?)\s*$")

FACE_TEMPLATES: tuple[str, ...] = (
    "{}",
    "a photo of {}",
    "a portrait of {}",
    "a face: {}",
    "a close-up picture of {}",
    "this person: {}",
    "a head shot showing {}",
    "the picture shows {}",
)
"""Ways of saying that a face is shown; the default ensemble (eight texts, milliseconds)."""

_MEDIA = (
    "photo", "picture", "snapshot", "portrait", "photograph", "painting", "drawing", "sketch",
    "render", "video frame", "print", "sculpture", "cartoon",
)  # fmt: skip
_LOOKS = ("good", "bad", "blurry", "sharp", "small", "large", "dark", "bright", "clean", "old")
_LONG: tuple[str, ...] = (
    *(f"a {medium} of {{}}" for medium in _MEDIA),
    *(f"the {medium} of {{}}" for medium in _MEDIA),
    *(f"a {look} photo of {{}}" for look in _LOOKS),
    *(f"a {look} picture of {{}}" for look in _LOOKS),
    *(f"one {medium} showing {{}}" for medium in _MEDIA),
    *(f"{{}} in a {medium}" for medium in _MEDIA),
)
LONG_TEMPLATES: tuple[str, ...] = tuple(
    dict.fromkeys((*_LONG, "a likeness of {}", *FACE_TEMPLATES))
)
"""79 wordings over medium, quality and framing: the prompt ensemble of Radford et al. 2021, section
3.1.4, worded anew; StyleCLIP and StyleGAN-NADA average over as many."""

TEMPLATES: dict[str, tuple[str, ...]] = {
    "face": FACE_TEMPLATES,
    "long": LONG_TEMPLATES,
    "none": ("{}",),
}
"""The ensembles by name."""


@dataclass(frozen=True)
class Phrase:
    """One part of a prompt.

    Args:
        text: the description.
        weight: how much it is wanted; negative moves away from it.
    """

    text: str
    weight: float = 1.0


def parse_prompt(prompt: str) -> list[Phrase]:
    """Read a prompt by the grammar above.

    Raises:
        ValueError: nothing is described, there are more than 16 parts, or it is no text.
    """
    check_text(prompt, "the prompt")
    parts = [part.strip() for part in prompt.split(",") if part.strip()]
    if not parts:
        raise ValueError(f"prompt {prompt!r} is empty; say what the face should look like")
    if len(parts) > MAX_PARTS:
        raise ValueError(f"prompt has {len(parts)} parts, at most {MAX_PARTS} are read")
    phrases = [_phrase(part) for part in parts]
    if all(p.weight == 1.0 for p in phrases):
        return [Phrase(", ".join(parts))]
    return phrases


def lone_weight(prompt: str) -> float:
    """How much more than usual is wanted where a prompt has one part: 2 for "smile:2". Among
    several parts weights only share out what is wanted, for the sum is a unit embedding again."""
    phrases = parse_prompt(prompt)
    return abs(phrases[0].weight) if len(phrases) == 1 else 1.0


def _phrase(part: str) -> Phrase:
    weight = 1.0
    found = _WEIGHT.search(part)
    if found:
        weight, part = float(found.group(1)), part[: found.start()].strip()
    negative = _NEGATIVE.match(part)
    if negative:
        weight, part = -weight, part[negative.end() :].strip()
    if not part or not math.isfinite(weight):
        raise ValueError(f"part {part!r} of the prompt describes nothing")
    return Phrase(part, weight)


def embed_phrase(clip: ClipModel, text: str, templates: str | Sequence[str] = "face") -> Tensor:
    """The ensemble embedding of one description: normalise each wording, average, normalise.

    Args:
        clip: the joint space.
        text: a description.
        templates: the name of an ensemble ("face", "long", "none"), or wordings with a `{}`.

    Returns:
        Unit `[1, E]`.
    """
    if not text.strip():
        raise ValueError(f"text {text!r} is empty; say what the face should look like")
    wordings = [t.replace("{}", text.strip()) for t in named_templates(templates)]
    return F.normalize(clip.encode_text(wordings).mean(dim=0, keepdim=True), dim=-1)


def named_templates(templates: str | Sequence[str]) -> Sequence[str]:
    """The wordings of an ensemble; a sequence is returned as it is."""
    if not isinstance(templates, str):
        if not templates or any("{}" not in t for t in templates):
            raise ValueError("each template needs a '{}' where the description goes")
        return templates
    if templates not in TEMPLATES:
        raise ValueError(f"templates {templates!r} is not one of {sorted(TEMPLATES)}")
    return TEMPLATES[templates]


def embed_text(
    clip: ClipModel,
    prompt: str,
    neutral: str | None = None,
    templates: str | Sequence[str] = "face",
) -> Tensor:
    """The target of a prompt, unit `[1, E]`.

    Parts are mixed as changes from the neutral text, so that turning one down does not turn down
    what every face text has in common.
    """
    phrases = parse_prompt(prompt)
    if len(phrases) == 1 and phrases[0].weight == 1.0:
        return embed_phrase(clip, phrases[0].text, templates)
    anchor = embed_phrase(clip, neutral or NEUTRAL, templates)
    parts = [embed_phrase(clip, p.text, templates) for p in phrases]
    return mix(parts, [p.weight for p in phrases], anchor)


def embed_image(clip: ClipModel, image: Tensor) -> Tensor:
    """The target of a reference picture `[1, 3, H, W]` (or `[3, H, W]`) in [-1, 1]: `[1, E]`."""
    image = image if image.ndim == 4 else image[None]
    with torch.no_grad():
        return F.normalize(clip.encode_image(image).mean(dim=0, keepdim=True), dim=-1)


def embed_sound(sound: SoundEmbedder | None, source: object) -> Tensor:
    """The target of a sound, unit `[1, E]`, by the model's sound encoder: the face that makes it,
    where the encoder tells that from the sound's name (`aim`)."""
    if sound is None:
        raise ValueError("this model has no sound encoder; give a text, or load one that hears")
    aim: Callable[[object], Tensor] = getattr(sound, "aim", sound.embed)
    return F.normalize(aim(source), dim=-1)


def mix(
    embeddings: Sequence[Tensor], weights: Sequence[float], anchor: Tensor | None = None
) -> Tensor:
    """A weighted, renormalised sum of unit embeddings.

    Args:
        embeddings: each `[1, E]`.
        weights: one each, finite; negative moves away.
        anchor: `[1, E]`; when given, what is summed are the changes from it, added to it.

    Returns:
        Unit `[1, E]`.

    Raises:
        ValueError: counts differ, nothing is given, or everything cancels out.
    """
    if not embeddings or len(embeddings) != len(weights):
        raise ValueError(f"{len(embeddings)} embeddings and {len(weights)} weights given")
    if not all(math.isfinite(w) for w in weights):
        raise ValueError(f"weights {list(weights)} are not all finite")
    base = torch.zeros_like(embeddings[0]) if anchor is None else anchor
    change = torch.zeros_like(embeddings[0])
    for embedding, weight in zip(embeddings, weights, strict=True):
        change = change + weight * (embedding if anchor is None else embedding - anchor)
    total = base + change
    if float(total.norm()) < 1e-6:
        raise ValueError(f"the mixture cancels out (weights {list(weights)})")
    return F.normalize(total, dim=-1)


def direction(target: Tensor, neutral: Tensor) -> Tensor:
    """The change asked for, `normalise(target - neutral)` `[1, E]` (StyleCLIP, section 6).

    Raises:
        ValueError: target and neutral say the same.
    """
    change = target - neutral
    if float(change.norm()) < 1e-6:
        raise ValueError("the target and the neutral text mean the same; nothing to change")
    return F.normalize(change, dim=-1)
