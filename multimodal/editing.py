"""Editing a face: embed what is wanted, ask a guidance method, apply, control, draw, score.

These functions take an editor (anything with the parts of `EditorParts`); `FaceEditor` offers them
as methods.
"""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from guidance.common import apply_offset, draw
from guidance.control import (
    ATTRIBUTES_NAME,
    IDENTITY,
    Attributes,
    blend,
    identity_limit,
    keep_attributes,
    restrict,
)
from guidance.edits import EditList
from guidance.layers import Layers
from guidance.regions import mask_from_image, region_mask
from guidance.registry import METHODS, make_guidance
from guidance.targets import NEUTRAL, embed_image, embed_sound, embed_text
from guidance.targets import mix as mixed
from multimodal.images import ImageSource, load_image, to_pil, to_tensor
from multimodal.types import (
    EditRequest,
    EditResult,
    Face,
    Generator,
    Guidance,
    Latent,
    Offset,
    OnStep,
    Toolkit,
)

if TYPE_CHECKING:
    from PIL.Image import Image

AUTO_FILE = "methods.json"
AUTO_ORDER = (
    ("factors", "factors.safetensors"),
    ("delta", "delta.safetensors"),
    ("direction", "directions.safetensors"),
    ("text-encoder", "text_encoder.safetensors"),
)


class EditorParts(Protocol):
    """What editing needs of an editor."""

    toolkit: Toolkit

    def generator_for(self, face: Face) -> Generator:
        """The generator that draws this face."""
        ...

    def reconstruct(self, face: Face) -> Image:
        """The face as the generator draws it."""
        ...

    def photo(self, face: Face, image: Image) -> Image | None:
        """The whole photo with the picture pasted in, or None."""
        ...


@dataclass(frozen=True)
class Wanted:
    """What an edit aims at: unit embeddings `[1, E]`, and the words where there are words."""

    target: Tensor
    neutral: Tensor
    text: str | None


_made: weakref.WeakKeyDictionary[Any, dict[tuple[str, int], Guidance]] = weakref.WeakKeyDictionary()
"""Methods by generator: their networks and statistics are read once."""


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
    sounds = [] if sound is None else sound if _is_many(sound) else [sound]
    others = [embed_sound(tools.sound, one) for one in sounds]
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
) -> Image:
    """The face with an offset applied: one synthesis (two pictures at once under a mask).

    Strength 0 is the reconstruction, bit for bit.
    """
    after = apply_offset(editor.generator_for(face), face.latent, offset, strength)
    return to_pil(_drawn(editor, face, after, region, mask))


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
        options: the method's own settings; what is not given is as the model's `methods.json`
            says, else the method's default.

    Raises:
        ValueError: something unknown, or nothing wanted.
    """
    began = time.perf_counter()
    if region is not None and mask is not None:
        raise ValueError("give a region or a mask, not both")
    tools = replace(editor.toolkit, generator=editor.generator_for(face))
    chosen = pick_method(tools) if method == "auto" else method
    clip = tools.clip
    wanted = Wanted(
        embed(editor, text, sound, neutral=neutral, mix=mix),
        embed_text(clip, neutral or NEUTRAL),
        text,
    )
    settings = {**model_options(tools, chosen), **options}
    request = EditRequest(face.latent, wanted.target, wanted.neutral, text, seed, settings)
    offset = guidance_of(editor, tools, chosen).offset(request, on_step)
    offset = restrict(offset, layers, tools.generator.num_layers)
    offset = keep_attributes(tools.generator, offset, _kept(editor, tools, keep))
    used = strength
    if IDENTITY in keep and tools.identity is not None:
        used = identity_limit(tools.generator, face.latent, offset, strength, tools.identity)
    return _result(editor, tools, face, offset, used, (region, mask), wanted, began)


def replay(
    editor: EditorParts, face: Face, edits: EditList, on_step: OnStep | None = None
) -> EditResult:
    """Make all enabled edits of a list, one on top of the other.

    Raises:
        ValueError: no edit is enabled.
    """
    results: list[EditResult] = []
    current = face
    for one in edits.edits:
        if one.enabled:
            results.append(edit(editor, current, on_step=on_step, **one.options()))
            current = current.with_latent(results[-1].latent)
    if not results:
        raise ValueError("the edit list holds no enabled edit")
    last = results[-1]
    seconds = sum(r.scores.get("seconds", 0.0) for r in results)
    scores = {**last.scores, "seconds": seconds, "edits": float(len(results))}
    return replace(last, before=editor.reconstruct(face), scores=scores)


def generate(
    editor: EditorParts, text: str, seed: int = 0, truncation: float = 0.8, candidates: int = 4
) -> Face:
    """A new face for a caption; another seed gives another face."""
    from guidance.text_encoder import TextEncoding

    method = guidance_of(editor, editor.toolkit, "text-encoder")
    assert isinstance(method, TextEncoding)
    with torch.no_grad():
        latent = method.generate(embed(editor, text), seed, truncation, candidates)
        picture = to_pil(draw(editor.toolkit.generator, latent))
    return Face(latent, picture, report={"seed": seed})


def pick_method(tools: Toolkit) -> str:
    """What "auto" means for a model: the best measured one its `methods.json` names, else the first
    whose files are there, else optimisation."""
    folder = None if tools.folder is None else Path(tools.folder)
    if folder is None:
        return "optimize"
    if (folder / AUTO_FILE).is_file():
        name = str(_measured(folder)["auto"])
        if name not in METHODS:
            raise ValueError(f"{folder / AUTO_FILE} names {name!r}, not one of {sorted(METHODS)}")
        return name
    return next((name for name, file in AUTO_ORDER if (folder / file).is_file()), "optimize")


def model_options(tools: Toolkit, method: str) -> dict[str, Any]:
    """A method's settings that were measured best for this model (`options` in its
    `methods.json`); none where nothing was measured."""
    folder = None if tools.folder is None else Path(tools.folder)
    if folder is None or not (folder / AUTO_FILE).is_file():
        return {}
    return dict(_measured(folder).get("options", {}).get(method, {}))


def _measured(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / AUTO_FILE).read_text(encoding="utf-8"))
    return found


def guidance_of(editor: EditorParts, tools: Toolkit, name: str) -> Guidance:
    """A method: the editor's own of that name, else one kept with the generator; made anew for a
    face with weights of its own."""
    if tools.generator is not editor.toolkit.generator:
        return make_guidance(name, tools)
    given: Mapping[str, Guidance] = getattr(editor, "guidances", {})
    if name in given:
        return given[name]
    made, key = _made.setdefault(tools.generator, {}), (name, id(tools.clip))
    if key not in made:
        made[key] = make_guidance(name, tools)
    return made[key]


def _is_many(sound: Any) -> bool:
    """Several sounds? A pair that begins with a sampling rate is one."""
    pair = isinstance(sound, tuple) and len(sound) == 2 and isinstance(sound[0], int)
    return isinstance(sound, list | tuple) and not pair


def _kept(editor: EditorParts, tools: Toolkit, keep: Sequence[str]) -> list[Tensor]:
    """Directions `[L, D]` of the attributes to leave alone."""
    names = [name for name in keep if name != IDENTITY]
    if not names:
        return []
    known = _known_directions(editor, tools)
    if not known:
        raise ValueError(f"this model has no attribute directions, so it cannot keep {names}")
    found: list[Tensor] = []
    for name in names:
        family = [k for k in known if k == name or k.startswith(f"{name}_")]
        if not family:
            raise ValueError(f"cannot keep {name!r}: not one of {[IDENTITY, *sorted(known)]}")
        found.extend(known[k] for k in family)
    return found


def _known_directions(editor: EditorParts, tools: Toolkit) -> dict[str, Tensor]:
    """All directions of W+ `[L, D]` by name: the editor's, and those of the model's folder."""
    given: Mapping[str, Offset] = getattr(editor, "directions", {})
    known = {name: offset.w[0] for name, offset in given.items() if offset.w is not None}
    if tools.folder is not None and (Path(tools.folder) / ATTRIBUTES_NAME).is_file():
        known |= Attributes.load(tools.folder).directions
    return known


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
    return blend(generator, face.latent, after, _mask(face, region, mask, generator.resolution))


def _mask(face: Face, region: str | None, mask: ImageSource | Tensor | None, size: int) -> Tensor:
    if isinstance(mask, Tensor):
        if mask.ndim != 4 or mask.shape[:2] != (1, 1):
            raise ValueError(f"mask has shape {tuple(mask.shape)}, expected [1, 1, H, W]")
        return torch.nn.functional.interpolate(mask.float(), (size, size), mode="area")
    if mask is not None:
        return mask_from_image(load_image(mask), size)
    points = face.landmarks
    if points is not None:
        points = points * (size / face.aligned.size[0])
    return region_mask(str(region), size, points)


@torch.no_grad()
def _result(
    editor: EditorParts,
    tools: Toolkit,
    face: Face,
    offset: Offset,
    strength: float,
    where: tuple[str | None, ImageSource | Tensor | None],
    wanted: Wanted,
    began: float,
) -> EditResult:
    after = apply_offset(tools.generator, face.latent, offset, strength)
    original = draw(tools.generator, face.latent)
    edited = original if after is face.latent else _drawn(editor, face, after, *where)
    picture = to_pil(edited)
    photo = editor.photo(face, picture)
    scores = {"strength": float(strength), "seconds": time.perf_counter() - began}
    scores |= _scores(tools, original, edited, wanted)
    return EditResult(to_pil(original), picture, photo, after, offset, scores)


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
