"""Whole photos mended: the face in them is restored, the rest stays what it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from multimodal.editing.editor import FaceEditor
from multimodal.faces import NoFaceError
from multimodal.faces.align import FaceTransform
from multimodal.faces.paste import paste_back
from multimodal.images import MAX_PIXELS, load_image, resize, to_pil, to_tensor
from multimodal.restoration import Restored, degradation, restore
from multimodal.restoration.degradations import LUMA
from multimodal.types import Aligned, OnStep

USUAL = 48
"""Faces whose mean gives the colours of a usual one."""


@dataclass(frozen=True)
class RestoredPhoto:
    """A mended photo.

    Args:
        photo: the whole photo (for "upscale" as many times larger), or the crop where the picture
            was one.
        face: the mended crop, at the generator's size.
        given: the crop as it was given.
        restored: code, report and the rest.
    """

    photo: Image.Image
    face: Image.Image
    given: Image.Image
    restored: Restored


def restore_photo(
    editor: FaceEditor,
    image: Any,
    task: str,
    method: str = "code",
    *,
    mask: Any = None,
    settings: Mapping[str, Any] | None = None,
    face_index: int | None = None,
    aligned: bool = False,
    seed: int = 0,
    on_step: OnStep | None = None,
    **options: Any,
) -> RestoredPhoto:
    """Mend the face in a photo.

    Args:
        editor: of the model that draws.
        image: path, encoded bytes, PIL image or array.
        task: one of `multimodal.restoration.TASKS`.
        method: one of `multimodal.restoration.METHODS`.
        mask: for "inpaint": white where the photo is missing, of the photo's size or shape.
        settings: of the degradation (`scale`, `noise`, `radius`, `quality`).
        face_index: which face, from 0, largest first; None takes the largest.
        aligned: the picture is an FFHQ-aligned crop. A square picture in which no face can be
            found any more is taken for one too.
        seed: another seed, another answer.
        on_step: told of every step.
        options: of the search (`steps`, `prior`, ...).

    Raises:
        ValueError: no face, no mask where one is needed, an unknown task, method or setting.
    """
    photo, values = load_image(image), dict(settings or {})
    cut = _cut(editor, photo, face_index, aligned)
    given = to_tensor(cut.image)
    if task == "inpaint":
        values["hole"] = _hole(photo, mask, cut, editor.generator.resolution)
    elif mask is not None:
        raise ValueError(f"a mask is for 'inpaint', not for {task!r}")
    harm = degradation(task, **values)
    if task == "upscale":  # the picture has as many pixels fewer than the drawing
        side = max(1, editor.generator.resolution // int(values.get("scale", 8)))
        given = to_tensor(resize(cut.image if cut.transform else _square(photo), side))
    usual = None
    if harm.colourless:
        usual = editor.sampled(USUAL, 0, 1.0).w.mean(dim=0, keepdim=True)
    found = restore(
        editor.generator,
        given,
        harm,
        method,
        on_step,
        encoder=editor.encoder,
        perceptual=editor.toolkit.lpips,
        seed=seed,
        usual=usual,
        **options,
    )
    face, before = to_pil(found.picture), to_pil(given)
    if cut.transform is None:
        return RestoredPhoto(face, face, before, found)
    scale = int(values.get("scale", 8)) if task == "upscale" else 1
    whole = _whole(photo, face, before, cut.transform, scale)
    whole = lit_as(photo, whole) if task == "colour" else whole
    return RestoredPhoto(whole, face, before, found)


def _cut(editor: FaceEditor, photo: Image.Image, index: int | None, aligned: bool) -> Aligned:
    side = editor.generator.resolution
    if not aligned and editor.aligner is not None:
        try:
            return editor.aligner.align(photo, side, index)
        except NoFaceError:
            if photo.width != photo.height:
                raise
    return Aligned(resize(_square(photo), side), None)


def _square(photo: Image.Image) -> Image.Image:
    side = min(photo.size)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    return photo.crop((left, top, left + side, top + side))


def _hole(photo: Image.Image, mask: Any, cut: Aligned, side: int) -> Tensor:
    """The mask as the crop sees it, `[1, 1, R, R]`, 0 or 1."""
    if mask is None:
        raise ValueError("'inpaint' needs a mask: a picture that is white where to draw")
    whole = load_image(mask).convert("L").resize(photo.size, Image.Resampling.BILINEAR)
    if cut.transform is None:
        seen = resize(_square(whole.convert("RGB")), side).convert("L")
    else:
        seen = _warped(whole, cut.transform, side)
    return (torch.from_numpy(np.asarray(seen, np.float32).copy()) > 127).float()[None, None]


def _warped(picture: Image.Image, transform: FaceTransform, side: int) -> Image.Image:
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]) * transform.size - 0.5
    origin, right, down = transform.to_photo(corners)
    x, y = (right - origin) / side, (down - origin) / side
    matrix = (x[0], y[0], origin[0] + 0.5, x[1], y[1], origin[1] + 0.5)
    return picture.transform(
        (side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    )


def lit_as(photo: Image.Image, coloured: Image.Image) -> Image.Image:
    """A coloured photo with the luminance of another of its size: where a colour would leave the
    range of levels there is less of it."""
    weights = np.array(LUMA, np.float32)
    light, levels = (np.asarray(one.convert("RGB"), np.float32) for one in (photo, coloured))
    light = (light @ weights)[..., None]
    colour = levels - (levels @ weights)[..., None]
    room = np.where(colour > 0, 255 - light, light) / np.maximum(np.abs(colour), 1e-3)
    found = light + colour * room.min(axis=-1, keepdims=True).clip(0, 1)
    return Image.fromarray(found.round().clip(0, 255).astype(np.uint8))


def _whole(
    photo: Image.Image, face: Image.Image, before: Image.Image, place: FaceTransform, scale: int
) -> Image.Image:
    """The photo with what changed in the face, `scale` times larger."""
    if scale > 1:
        if photo.width * photo.height * scale * scale > MAX_PIXELS:
            raise ValueError(f"{scale} times larger the photo would have too many pixels")
        photo = photo.resize((photo.width * scale, photo.height * scale), Image.Resampling.BICUBIC)
        a, b, c, d = ((x * scale, y * scale) for x, y in place.quad)
        place = replace(place, quad=(a, b, c, d))
    return paste_back(photo, face, place, before)
