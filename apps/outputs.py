"""Files that appear whole or not at all, and pictures that say they were edited by a machine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from apps.console import plain

SOFTWARE = "Semblance"
DESCRIPTION = "AI-edited: this face was changed or made by a generative model (Semblance)"
_SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    f' Iptc4xmpExt:DigitalSourceType="{_SOURCE}"/></rdf:RDF></x:xmpmeta>'
)
"""IPTC's mark of pictures made in part by a trained model, where photo software looks for it."""

PICTURE_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def write_atomically(path: Path, write: Callable[[Path], None]) -> Path:
    """Let `write` fill a temporary file beside `path`, then put it in place in one step.

    The temporary name keeps the suffix of `path`, for writers that choose a format by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=f".part{path.suffix}", delete=False
    ) as handle:
        temporary = Path(handle.name)
    try:
        write(temporary)
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def save_json(path: Path, values: Mapping[str, Any]) -> Path:
    """Write `values` as readable JSON."""
    text = json.dumps(plain(values), indent=2, ensure_ascii=False) + "\n"
    return write_atomically(path, lambda part: _write_text(part, text))


def picture_path(path: Path) -> Path:
    """`path`, if a picture can be written under its suffix.

    Raises:
        ValueError: the suffix names no picture format we write.
    """
    if path.suffix.lower() not in PICTURE_FORMATS:
        known = ", ".join(PICTURE_FORMATS)
        raise ValueError(f"cannot write a picture as {path.name!r}: use one of {known}")
    return path


def save_picture(image: Image.Image, path: Path, edited: bool = True) -> Path:
    """Write a picture; `edited` ones carry the AI mark in their metadata."""
    kind = PICTURE_FORMATS[picture_path(path).suffix.lower()]
    options = _metadata(kind) if edited else {}
    if kind == "JPEG":
        image, options = image.convert("RGB"), {**options, "quality": 95, "subsampling": 0}
    return write_atomically(path, lambda part: image.save(part, format=kind, **options))


def _metadata(kind: str) -> dict[str, Any]:
    if kind == "PNG":
        info = PngInfo()
        info.add_text("Software", SOFTWARE)
        info.add_text("Description", DESCRIPTION)
        info.add_itxt("XML:com.adobe.xmp", XMP)
        return {"pnginfo": info}
    exif = Image.Exif()
    exif[0x010E], exif[0x0131] = DESCRIPTION, SOFTWARE
    return {"exif": exif, "xmp": XMP.encode()}


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
