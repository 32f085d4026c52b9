"""Parts of one's own: learnt from a folder of labelled faces, found in a photo."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from apps.edits import load_editor
from apps.outputs import save_plain, with_suffix_of
from apps.parsing import coloured
from multimodal.editing.finishing import crop_of
from multimodal.editing.fitting import check_code
from multimodal.faces.align import FaceTransform
from multimodal.files.paths import existing_file
from multimodal.images import MAX_SIDE, load_image
from multimodal.parsing.few import FewOptions, FewParser, learn_labels
from multimodal.parsing.photo import ParsedPhoto
from multimodal.types import Face, OnStep

LABELS = ".labels.png"


def train_labels(
    folder: Path,
    out: Path,
    names: Sequence[str] = (),
    model: str = "default",
    device: str = "auto",
    options: FewOptions | None = None,
    on_step: OnStep | None = None,
) -> dict[str, Any]:
    """Learn labels from a folder that holds faces `NAME.safetensors` and `NAME.labels.png`.

    Raises:
        FileNotFoundError: no such folder, or nothing in it.
        ValueError: a label without its face, or one that holds no numbers.
    """
    with_suffix_of(out, [".safetensors"], "labels")
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    found = sorted(folder.glob(f"*{LABELS}"))
    if not found:
        raise FileNotFoundError(f"{folder} has no labels: NAME{LABELS} beside NAME.safetensors")
    labels = [read_labels(path) for path in found]
    editor, codes = load_editor(model, device), []
    for path in found:
        beside = path.with_name(path.name.removesuffix(LABELS) + ".safetensors")
        face = Face.load(existing_file(beside, f"face for {path.name}"))
        check_code(editor.generator, face.latent, beside.name)
        codes.append(face.latent.w)
    generator: Any = editor.generator
    parser = learn_labels(generator, torch.cat(codes), labels, names, options, on_step)
    parser.save(out)
    return {"out": str(out), "faces": len(labels), "parts": list(parser.names)}


def read_labels(path: Path) -> np.ndarray:
    """The numbers of a label picture `[H, W]`: a PNG of palette or grey, 255 is not labelled.

    Raises:
        ValueError: another kind of picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=["PNG"]) as image:
                if image.mode not in ("L", "P") or max(image.size) > min(MAX_SIDE, 4096):
                    raise ValueError(f"it is {image.mode} of {image.width} x {image.height}")
                return np.asarray(image).copy()
    except (OSError, ValueError, Image.DecompressionBombWarning, SyntaxError) as error:
        raise ValueError(
            f"{path.name}: labels are a PNG of up to 4096 pixels a side that holds numbers "
            f"(greyscale or palette): {error}"
        ) from error


def parse_by_labels(
    photo: Path,
    labels: Path,
    out: Path,
    model: str = "default",
    device: str = "auto",
    face: int | None = None,
    region: str | None = None,
) -> dict[str, Any]:
    """Write where a photo shows parts that were learnt; returns what was found.

    Raises:
        FileNotFoundError: no such photo, labels or model.
        ValueError: no face, an unknown part, or labels of another generator.
    """
    existing_file(photo, "photo")
    parser = FewParser.load(existing_file(labels, "labels"))
    names = [word.strip() for word in region.split(",")] if region else []
    for name in names:
        if name not in parser.names:
            raise ValueError(f"{name!r} is not one of {', '.join(parser.names)}")
    editor = load_editor(model, device)
    method = "hybrid" if editor.encoder is None else "encoder"
    seen = editor.invert(load_image(photo), method, face_index=face)
    generator: Any = editor.generator_for(seen)
    likely = parser.probabilities(generator, seen.latent.w)
    whole, crop = seen.photo or seen.aligned, crop_of(seen, generator.resolution)
    side = crop.width
    place = seen.transform or FaceTransform(_square(whole.size), side)
    found = ParsedPhoto(whole, crop, FaceTransform(place.quad, side), likely)
    numbers = found.labels()
    places = [parser.names.index(name) for name in names]
    save_plain(found.mask_of(places) if names else coloured(numbers), out)
    counts = np.bincount(numbers.ravel(), minlength=len(parser.names)) / numbers.size
    shares = {n: round(float(c), 5) for n, c in zip(parser.names, counts, strict=True) if c}
    return {"size": list(whole.size), "shares": shares, "out": str(out)}


def _square(size: tuple[int, int]) -> Any:
    side = min(size)
    low = np.array([(size[0] - side) // 2, (size[1] - side) // 2]) - 0.5
    corners = low + np.array([[0, 0], [0, side], [side, side], [side, 0]])
    return tuple((float(x), float(y)) for x, y in corners)
