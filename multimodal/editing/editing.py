"""Editing a face: embed what is wanted, ask a guidance method, apply, control, draw, score.

These functions take an editor (anything with the parts of `EditorParts`); `FaceEditor` offers them
as methods.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from guidance.common import apply_offset, draw
from guidance.controls.control import (
    IDENTITY,
    blend,
    identity_limit,
    keep_attributes,
    restrict,
)
from guidance.controls.edits import EditList
from guidance.controls.layers import Layers, layer_mask
from guidance.controls.regions import mask_from_image
from guidance.targets import NEUTRAL, embed_image, embed_sound, embed_text, lone_weight
from guidance.targets import mix as mixed
from multimodal.editing.choosing import guidance_of, model_options, pick_method
from multimodal.editing.finishing import (
    DRAWING,
    PHOTO,
    Finished,
    carried,
    check_fidelity,
    is_photo,
)
from multimodal.editing.hearing import follow, sounds_of
from multimodal.editing.names import kept_directions
from multimodal.editing.places import named_mask
from multimodal.editing.stacking import Applied, meant_by, meant_in, stacked
from multimodal.images import ImageSource, load_image, to_tensor
from multimodal.meant import Meant
from multimodal.types import (
    EditRequest,
    EditResult,
    Face,
    Generator,
    Latent,
    Offset,
    OnStep,
    Reading,
    Toolkit,
    check_seed,
)

if TYPE_CHECKING:
    from PIL.Image import Image


class EditorParts(Protocol):
    """What editing needs of an editor."""

    toolkit: Toolkit

    def generator_for(self, face: Face) -> Generator:
        """The generator that draws this face."""
        ...

    def finish(
        self, face: Face, drawn: Tensor, fidelity: str = PHOTO, meant: tuple[Meant, ...] = ()
    ) -> Finished:
        """The pictures a person gets of a face that was drawn edited."""
        ...


@dataclass(frozen=True)
class Wanted:
    """What an edit aims at: unit embeddings `[1, E]`, the words where there are words, and the
    embedding of a sound where there is one beside them."""

    target: Tensor
    neutral: Tensor
    text: str | None
    beside: Tensor | None = None


def embed(
    editor: EditorParts,
    text: str | None = None,
    sound: Any = None,
    image: ImageSource | Tensor | None = None,
    neutral: str | None = None,
    mix: float = 0.5,
    templates: str = "face",
) -> Tensor:
    """What is wanted as one unit embedding `[1, E]`.

    Args:
        editor: its CLIP and sound encoder are used.
        text: a prompt (see `guidance.targets` for its grammar).
        sound: a sound, or a list of sounds, in any form the sound encoder takes (a path, bytes,
            or a pair of rate and samples).
        image: a picture of what is wanted.
        neutral: what prompts with a negative part start from.
        mix: share of the sound (or picture) where there is text too, in 0..1.
        templates: prompt ensemble: "face", "long" or "none".

    Raises:
        ValueError: nothing is given, or `mix` is out of range.
    """
    if not 0 <= mix <= 1:
        raise ValueError(f"mix {mix} is not in 0..1")
    tools = editor.toolkit
    words = [] if text is None else [embed_text(tools.clip, text, neutral, templates)]
    others = [embed_sound(tools.sound, one) for one in sounds_of(sound)]
    if image is not None:
        picture = image if isinstance(image, Tensor) else to_tensor(load_image(image))
        others.append(embed_image(tools.clip, picture))
    if not words and not others:
        raise ValueError("say what is wanted: a text, a sound or a picture")
    share = mix if words and others else 1.0
    weights = [1 - share] * len(words) + [share / max(len(others), 1)] * len(others)
    if not others:
        weights = [1.0]
    parts = [part.to(tools.clip.device) for part in (*words, *others)]
    return mixed(parts, weights)


@torch.no_grad()
def apply(
    editor: EditorParts,
    face: Face,
    offset: Offset,
    strength: float = 1.0,
    region: str | None = None,
    mask: ImageSource | Tensor | None = None,
    fidelity: str = PHOTO,
) -> Image:
    """The face with an offset applied: one synthesis (two pictures at once under a mask).

    Strength 0 is the photo's crop, bit for bit; the reconstruction where there is no photo, and
    with the fidelity "drawing".
    """
    face, tools = _here(editor, face, fidelity)
    moved = offset.to(tools.generator.device)
    after = apply_offset(tools.generator, face.latent, moved, strength)
    meant = meant_in(after.meant, "" if mask is not None else region)
    return editor.finish(face, _drawn(editor, face, after, region, mask), fidelity, meant).face


def edit(
    editor: EditorParts,
    face: Face,
    text: str | None = None,
    sound: Any = None,
    method: str = "auto",
    strength: float = 1.0,
    neutral: str | None = None,
    keep: Sequence[str] = (),
    region: str | None = None,
    mask: ImageSource | Tensor | None = None,
    layers: Layers = None,
    mix: float = 0.5,
    seed: int = 0,
    on_step: OnStep | None = None,
    fidelity: str = PHOTO,
    **options: Any,
) -> EditResult:
    """Make an edit.

    Args:
        editor: the parts.
        face: an inverted face.
        text: what it should look like.
        sound: what should drive it instead, or as well.
        method: a name of `guidance.registry.METHODS`, or "auto": the best measured one.
        strength: how far; negative goes the other way.
        neutral: what the face looks like now; "a face" by default.
        keep: attributes to leave alone: names of the model's attribute directions, and "identity".
        region: change only this part of the face: hair, eyes, mouth, skin or background.
        mask: or only where this picture is white.
        layers: change only these rows of W+.
        mix: share of the sound where there is text too.
        seed: everything random follows from it.
        on_step: told of every step of the method.
        fidelity: "photo" changes the photo the face came from, "drawing" gives the generator's
            picture; a face that has no photo is always drawn.
        options: the method's own settings; what is not given is as the model's `methods.json`
            says, else the method's default.

    Raises:
        ValueError: something unknown, or nothing wanted.
    """
    began = time.perf_counter()
    check_fidelity(fidelity)
    check_seed(seed)
    keep = (keep,) if isinstance(keep, str) else tuple(keep or ())
    if region is not None and mask is not None:
        raise ValueError("give a region or a mask, not both")
    face, tools = _here(editor, face, fidelity)
    layer_mask(layers, tools.generator.num_layers)  # refuses before the method's slow work
    chosen = pick_method(tools) if method == "auto" else method
    heard = follow(tools.sound, text, sound, strength)
    if heard.still:
        return _unchanged(editor, face, heard.notes, neutral, fidelity)
    wanted = _wanted(editor, text, heard.sounds or None, neutral, mix)
    own = _method_options(tools, face, chosen, (region, mask), layers)
    settings = {**model_options(tools, chosen), **own, **options}
    aim = (wanted.target, wanted.neutral, text, seed, settings, wanted.beside, mix, is_photo(face))
    request, guidance = EditRequest(face.latent, *aim), guidance_of(editor, tools, chosen)
    offset = guidance.offset(request, on_step)
    reads = isinstance(guidance, Reading)
    notes = guidance.notes(request) if isinstance(guidance, Reading) else ()
    offset = restrict(offset, layers, tools.generator.num_layers)
    offset = keep_attributes(tools.generator, offset, kept_directions(editor, tools, keep), layers)
    used = strength if reads or text is None else strength * lone_weight(text)
    if IDENTITY in keep:
        if tools.identity is None:
            raise ValueError("this model has no identity network, so it cannot keep 'identity'")
        used = identity_limit(tools.generator, face.latent, offset, strength, tools.identity)
    after = apply_offset(tools.generator, face.latent, offset, used)
    with torch.no_grad():
        original = draw(tools.generator, face.latent)
        edited = original if after is face.latent else _drawn(editor, face, after, region, mask)
        scores = {"strength": float(used), "seconds": time.perf_counter() - began}
        scores |= _scores(tools, original, edited, wanted)
    meant = meant_in(after.meant, "" if mask is not None else region)
    made = _result(editor, face, (original, edited), (after, offset, scores), fidelity, meant)
    return replace(made, notes=(*heard.notes, *notes))


@torch.no_grad()
def _unchanged(
    editor: EditorParts, face: Face, notes: tuple[str, ...], neutral: str | None, fidelity: str
) -> EditResult:
    """The face as it is: nothing was asked of it."""
    original = draw(editor.toolkit.generator, face.latent)
    usual = embed_text(editor.toolkit.clip, neutral or NEUTRAL)
    scores = {"strength": 0.0, "seconds": 0.0}
    scores |= _scores(editor.toolkit, original, original, Wanted(usual, usual, None))
    offset = Offset(w=torch.zeros_like(face.latent.w))
    made = _result(editor, face, (original, original), (face.latent, offset, scores), fidelity)
    return replace(made, notes=notes)


def _method_options(
    tools: Toolkit,
    face: Face,
    method: str,
    where: tuple[str | None, ImageSource | Tensor | None],
    layers: Layers,
) -> dict[str, Any]:
    """What a method itself should know of where an edit may show, so that it does not spend its
    steps on what is taken away afterwards."""
    if method == "optimize" and where != (None, None) and tools.lpips is not None:
        return {"mask": _mask(tools, face, *where)}
    return {"layers": layers} if method == "text-encoder" and layers is not None else {}


def replay(
    editor: EditorParts,
    face: Face,
    edits: EditList,
    on_step: OnStep | None = None,
    fidelity: str = PHOTO,
) -> EditResult:
    """Make all enabled edits of a list, one on top of the other.

    Raises:
        ValueError: no edit is enabled.
    """
    face, tools = _here(editor, face, fidelity)
    enabled = [one.options() for one in edits.edits if one.enabled]
    if not enabled:
        raise ValueError("the edit list holds no enabled edit")
    results: list[EditResult] = []
    made: list[Applied] = []
    current = face
    for asked in enabled:
        results.append(edit(editor, current, on_step=on_step, fidelity=DRAWING, **asked))
        current = current.with_latent(results[-1].latent)
        made.append(_applied(tools, face, results[-1], asked, len(made)))
    after, picture = stacked(tools.generator, face.latent, made)
    with torch.no_grad():
        before = draw(tools.generator, face.latent)
        scores = _scores(tools, before, picture, _wanted(editor, **_words(enabled[-1])))
    scores["strength"] = results[-1].scores["strength"]
    scores["seconds"] = sum(r.scores.get("seconds", 0.0) for r in results)
    scores["edits"] = float(len(results))
    parts = (after, results[-1].offset, scores)
    notes = tuple(note for result in results for note in result.notes)
    found = _result(editor, face, (before, picture), parts, fidelity, meant_by(face.latent, made))
    return replace(found, notes=notes)


def _applied(
    tools: Toolkit, face: Face, result: EditResult, asked: Mapping[str, Any], index: int
) -> Applied:
    """A made edit and the place it was asked for; every mask picture is a place of its own."""
    region, mask = asked.get("region"), asked.get("mask")
    strength = result.scores["strength"]
    if region is None and mask is None:
        return Applied(result.offset, strength)
    where = _mask(tools, face, region, mask)
    return Applied(result.offset, strength, region or f"mask {index}", where)


def _words(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What an edit's options say of its aim."""
    return {k: asked[k] for k in ("text", "sound", "neutral", "mix") if k in asked}


def _wanted(
    editor: EditorParts,
    text: str | None = None,
    sound: Any = None,
    neutral: str | None = None,
    mix: float = 0.5,
) -> Wanted:
    heard = None if sound is None or text is None else embed(editor, None, sound)
    target = embed(editor, text, sound, neutral=neutral, mix=mix)
    return Wanted(target, embed_text(editor.toolkit.clip, neutral or NEUTRAL), text, heard)


def _here(editor: EditorParts, face: Face, fidelity: str) -> tuple[Face, Toolkit]:
    """The face where its generator is, for a loaded one comes on the CPU, and the parts for it."""
    face = carried(face, fidelity)
    tools = replace(editor.toolkit, generator=editor.generator_for(face))
    return face.with_latent(face.latent.to(tools.generator.device)), tools


@torch.no_grad()
def _drawn(
    editor: EditorParts,
    face: Face,
    after: Latent,
    region: str | None,
    mask: ImageSource | Tensor | None,
) -> Tensor:
    generator = editor.generator_for(face)
    if after is face.latent or (region is None and mask is None):
        return draw(generator, after)
    where = _mask(editor.toolkit, face, region, mask)
    return blend(generator, face.latent, [(after, where)])


def _mask(
    tools: Toolkit, face: Face, region: str | None, mask: ImageSource | Tensor | None
) -> Tensor:
    size = tools.generator.resolution
    if isinstance(mask, Tensor):
        if mask.ndim != 4 or mask.shape[:2] != (1, 1):
            raise ValueError(f"mask has shape {tuple(mask.shape)}, expected [1, 1, H, W]")
        return torch.nn.functional.interpolate(mask.float(), (size, size), mode="area")
    if mask is not None:
        return mask_from_image(load_image(mask), size)
    return named_mask(tools, face, str(region))


def _result(
    editor: EditorParts,
    face: Face,
    drawn: tuple[Tensor, Tensor],
    parts: tuple[Latent, Offset, dict[str, float]],
    fidelity: str,
    meant: tuple[Meant, ...] = (),
) -> EditResult:
    """What an edit returns, of the drawings before and after it."""
    began = time.perf_counter()
    before = editor.finish(face, drawn[0], fidelity, face.latent.meant)
    after = editor.finish(face, drawn[1], fidelity, meant)
    parts[2]["seconds"] += time.perf_counter() - began
    return EditResult(before.face, after.face, after.photo, *parts)


def _scores(tools: Toolkit, before: Tensor, after: Tensor, wanted: Wanted) -> dict[str, float]:
    clip = tools.clip
    target = wanted.target.to(clip.device)
    seen = [clip.encode_image(image) for image in (before, after)]
    scores = {
        "clip_before": float((seen[0] * target).sum()),
        "clip_after": float((seen[1] * target).sum()),
    }
    moved, asked = seen[1] - seen[0], target - wanted.neutral.to(clip.device)
    scores["direction"] = float(torch.nn.functional.cosine_similarity(moved, asked, eps=1e-6))
    if tools.identity is not None:
        scores["identity"] = float((tools.identity(before) * tools.identity(after)).sum())
    if tools.lpips is not None:
        scores["lpips"] = float(tools.lpips(after, before))
    return scores
