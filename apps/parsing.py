"""Masks of photos as files: what `semblance parse` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from apps.outputs import save_plain, with_suffix_of
from multimodal.devices import pick_device
from multimodal.images import load_image
from multimodal.parsing.classes import CLASSES, COLORS, class_indices
from multimodal.parsing.files import model_parser
from multimodal.parsing.matting import cut_out
from multimodal.parsing.parser import shares
from multimodal.parsing.photo import ParsedPhoto, parse_photo

_OPACITY = 0.55


def check_out(path: Path) -> Path:
    """The path of a mask.

    Raises:
        ValueError: not a PNG, which alone keeps the numbers of the classes.
    """
    return with_suffix_of(path, [".png"], "a mask")


def overlay_path(out: Path) -> Path:
    """Where the photo with its classes goes: beside the mask."""
    return out.with_name(f"{out.stem}-overlay.png")


def cutout_path(out: Path) -> Path:
    """Where the head without what is behind it goes: beside the mask."""
    return out.with_name(f"{out.stem}-cutout.png")


def parse_file(
    photo: Path,
    out: Path,
    model: str = "default",
    device: str = "auto",
    face: int | None = None,
    region: str | None = None,
    overlay: bool = False,
    matted: bool = False,
) -> dict[str, Any]:
    """Write the mask of a photo, and the overlay if asked; returns what was found.

    With `matted` the mask is how much of every pixel belongs to the region, by default the person,
    and the photo is cut out by it too.

    Raises:
        FileNotFoundError: no such photo or model.
        ValueError: no face, an unknown region, or a model without a parser.
    """
    names = tuple(word.strip() for word in region.split(",")) if region else ()
    class_indices(names)  # refused before the slow work
    if not photo.is_file():
        raise FileNotFoundError(f"no such file: {photo}")
    parser = model_parser(model, pick_device(device))
    found = parse_photo(parser, load_image(photo), face)
    labels = found.labels()
    if matted:
        alpha = found.matte(names or CLASSES[1:])
        save_plain(alpha, out)
        save_plain(cut_out(found.photo, alpha), cutout_path(out))
    else:
        save_plain(found.mask(names) if names else coloured(labels), out)
    if overlay:
        save_plain(_laid_over(found, labels, names), overlay_path(out))
    quad = [[round(x, 1), round(y, 1)] for x, y in found.place.quad]
    return {"size": list(found.photo.size), "square": quad, "shares": shares(labels)}


def coloured(labels: np.ndarray) -> Image.Image:
    """Numbers of classes as a picture that shows them in colours."""
    image = Image.fromarray(labels, mode="P")
    image.putpalette([level for color in _palette() for level in color])
    return image


def _palette() -> list[tuple[int, int, int]]:
    """The classes' colours, and more for classes of one's own."""
    more = [(37 * k % 256, 91 * k % 256, 157 * k % 256) for k in range(len(COLORS), 64)]
    return [*COLORS, *more]


def _laid_over(found: ParsedPhoto, labels: np.ndarray, names: tuple[str, ...]) -> Image.Image:
    """The photo with classes in their colours; with names, these alone."""
    colors = np.asarray(COLORS, np.uint8)[labels]
    share: np.ndarray = np.where(labels > 0, _OPACITY, 0.0)
    if names:
        share = np.asarray(found.mask(names), np.float32) / 255 * _OPACITY
        colors = np.broadcast_to(np.array([255, 60, 60], np.uint8), colors.shape)
    photo = np.asarray(found.photo, np.float32)
    mixed = photo + (colors - photo) * share[..., None]
    return Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8))
