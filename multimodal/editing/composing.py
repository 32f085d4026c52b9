"""One face made of two photos: rows of the code, parts of the face, hair, or a piece pasted in."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from guidance.common import apply_offset, draw
from guidance.controls.control import blend, restrict
from guidance.controls.layers import Layers
from guidance.controls.regions import mask_from_image, region_mask
from multimodal.editing.editor import FaceEditor
from multimodal.editing.finishing import PHOTO, check_fidelity
from multimodal.editing.restoring import RestoredPhoto, restore_photo
from multimodal.images import ImageSource, load_image, resize, to_tensor
from multimodal.inversion import invert
from multimodal.types import EditResult, Face, Latent, Offset, OnStep


@dataclass(frozen=True)
class Mode:
    """A way to put two faces together.

    Args:
        about: one line for lists.
        layers: rows of W+ that the other face gives, where nothing else is asked for.
        region: part of the face that it gives, or None: the caller says which, if any.
    """

    about: str
    layers: Layers = None
    region: str | None = None


MODES: Mapping[str, Mode] = {
    "mix": Mode("style mixing: colours and detail of the other (Karras et al. 2019)", "fine"),
    "cross": Mode("a part of the other: its eyes, its mouth, its hair"),
    "hair-shape": Mode("the other's hair, in this face's colours", "coarse,medium", "hair"),
    "hair-colour": Mode("the colour of the other's hair (LOHO, Saha et al. 2021)", "fine", "hair"),
    "diffuse": Mode("a piece of the other pasted in and made one (Zhu et al. 2020, section 4.4)"),
}
"""Every mode by name."""


@dataclass(frozen=True)
class Place:
    """Where the other face shows: a named region, a picture that is white there, or everywhere."""

    region: str | None = None
    mask: ImageSource | Tensor | None = None


def compose(
    editor: FaceEditor,
    face: Face,
    other: Face,
    mode: str = "cross",
    place: Place | None = None,
    *,
    layers: Layers = None,
    strength: float = 1.0,
    steps: int = 60,
    seed: int = 0,
    fidelity: str = PHOTO,
    on_step: OnStep | None = None,
) -> EditResult:
    """A face with something of another.

    Args:
        editor: of the model that draws both.
        face: whose photo it is.
        other: who gives.
        mode: one of `MODES`.
        place: where; needed for "cross" and "diffuse".
        layers: rows of W+ that are taken, instead of the mode's own.
        strength: how far, 1 is all the way ("diffuse" always goes all the way).
        steps: of "diffuse".
        seed: everything random follows from it.
        fidelity: "photo" changes the photo, "drawing" gives the generator's picture.
        on_step: told of every step.

    Raises:
        ValueError: an unknown mode or region, or no place where one is needed.
    """
    began = time.perf_counter()
    check_fidelity(fidelity)
    if mode not in MODES:
        raise ValueError(f"mode {mode!r} is not one of {', '.join(MODES)}")
    kind = MODES[mode]
    where = place or Place(kind.region)
    if where.region is None and where.mask is None and mode in ("cross", "diffuse"):
        raise ValueError(f"mode {mode!r} needs a region or a mask: where the other face shows")
    generator = editor.generator_for(face)
    face = face.with_latent(face.latent.to(generator.device))
    seen = None if where == Place() else _mask(face, where, generator.resolution)
    if mode == "diffuse":
        assert seen is not None
        code = _diffused(editor, face, other, seen, steps, seed, on_step)
        offset = Offset(w=code - face.latent.w)
        strength, blended = 1.0, None
    else:
        rows = kind.layers if layers is None else layers
        change = Offset(w=other.latent.w.to(generator.device) - face.latent.w)
        offset, blended = restrict(change, _listed(rows), generator.num_layers), seen
    after = apply_offset(generator, face.latent, offset, strength)
    with torch.no_grad():
        before = draw(generator, face.latent)
        drawn = _drawn(generator, face.latent, after, blended)
    shown = [editor.finish(face, picture, fidelity) for picture in (before, drawn)]
    scores = {"strength": strength, "seconds": time.perf_counter() - began}
    if editor.toolkit.identity is not None:
        same = editor.toolkit.identity(before) * editor.toolkit.identity(drawn)
        scores["identity"] = float(same.sum())
    return EditResult(shown[0].face, shown[1].face, shown[1].photo, after, offset, scores)


def uncrop(
    editor: FaceEditor, image: Any, margin: float = 0.35, steps: int = 120, **options: Any
) -> RestoredPhoto:
    """A larger picture around a face that was cut out too tightly.

    Args:
        editor: of the model that draws.
        image: the tight picture, upright, any source that `load_image` takes.
        margin: what is added on every side, in parts of the picture's side, in (0, 1].
        steps: of the search.
        options: as `restore_photo` takes them.

    Raises:
        ValueError: a margin out of range.
    """
    if not 0 < margin <= 1:
        raise ValueError(f"margin {margin} is not in (0, 1]")
    tight = load_image(image)
    side = min(tight.size)
    left, top = (tight.width - side) // 2, (tight.height - side) // 2
    square = tight.crop((left, top, left + side, top + side))
    edge = max(1, round(side * margin))
    canvas = Image.new("RGB", (side + 2 * edge,) * 2, (128, 128, 128))
    canvas.paste(square, (edge, edge))
    mask = Image.new("L", canvas.size, 255)
    mask.paste(0, (edge, edge, edge + side, edge + side))
    return restore_photo(editor, canvas, "inpaint", mask=mask, aligned=True, steps=steps, **options)


def _diffused(
    editor: FaceEditor,
    face: Face,
    other: Face,
    mask: Tensor,
    steps: int,
    seed: int,
    on_step: OnStep | None,
) -> Tensor:
    """The code `[1, L, D]` of a picture with a piece of another: the piece must be there, the
    encoder's idea of the whole makes the rest fit."""
    generator = editor.generator_for(face)
    mine, theirs = (
        to_tensor(resize(one.aligned, generator.resolution)).to(generator.device)
        for one in (face, other)
    )
    pasted = torch.lerp(mine, theirs, mask)
    method = "adam" if editor.encoder is None else "idinvert"
    found = invert(
        generator,
        pasted,
        method,
        on_step,
        encoder=editor.encoder,
        start=None if editor.encoder is not None else face.latent.w,
        mask=mask,
        perceptual=editor.toolkit.lpips,
        seed=seed,
        steps=steps,
    )
    return found.latent.w


def _drawn(generator: Any, before: Latent, after: Latent, mask: Tensor | None) -> Tensor:
    if mask is None or after is before:
        return draw(generator, after)
    return blend(generator, before, [(after, mask)])


def _mask(face: Face, place: Place, size: int) -> Tensor:
    if isinstance(place.mask, Tensor):
        return torch.nn.functional.interpolate(place.mask.float(), (size, size), mode="area")
    if place.mask is not None:
        return mask_from_image(load_image(place.mask), size)
    points = face.landmarks
    if points is not None:
        points = points * (size / face.aligned.size[0])
    return region_mask(str(place.region), size, points)


def _listed(rows: Layers) -> Layers:
    return rows.split(",") if isinstance(rows, str) and "," in rows else rows
