"""The door for untrusted pictures: whatever comes in, an RGB `PIL.Image` or a clear error goes out.

Sizes are read from the header and checked before a pixel is decoded; orientation is applied and
colours are brought to sRGB, all other metadata is dropped. Saved pictures say that they were
edited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from multimodal.files.marks import exif_mark, png_mark, tiff_mark, xmp_mark
from multimodal.files.paths import existing_file, shown
from multimodal.files.weights import atomic
from multimodal.pictures.colour import srgb_profile, to_srgb
from multimodal.pictures.depth import deep_colours, grey_to_8_bits, is_shallow, whitest
from multimodal.pictures.formats import FORMATS, MAGICS, open_header, what_else

MAX_PIXELS = 200_000_000
"""Of a picture that can be decoded at a part of its size (JPEG)."""
MAX_WHOLE = 100_000_000
"""Of any other, which has to be decoded whole."""
KEPT_PIXELS = 64_000_000
"""What is larger is read at a half, a quarter or an eighth of its size."""
MAX_SIDE = 16_384
MIN_SIDE = 8
MAX_BYTES = 256 * 2**20
SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}

_HEAD = 4096
_ORIENTATION = 0x0112
_EXIF, _DATE_ORIGINAL, _DATE = 0x8769, 0x9003, 0x0132
_WHEN = re.compile(r"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d")
TAKEN = "date taken"
"""In a picture's `info`: the date that `save_image` keeps."""

ImageSource = str | Path | bytes | Image.Image | np.ndarray


class ImageError(ValueError):
    """A picture that cannot be used; the message says why and what would be accepted."""


class NotAnImageError(ImageError):
    """The bytes are no picture in a supported format (text, HTML, SVG, something else)."""


class ImageTooSmallError(ImageError):
    """A side is below `MIN_SIDE` pixels."""


class ImageTooLargeError(ImageError):
    """Too many bytes, too many pixels or too long a side; refused before decoding."""


class DamagedImageError(ImageError):
    """The header is a picture's but its data is cut off or broken."""


def load_image(
    source: ImageSource,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    side: int | None = None,
) -> Image.Image:
    """Any picture as an upright 8-bit sRGB image without metadata.

    Greyscale, palette, CMYK, 16-bit and transparent (laid over white) pictures are converted, by
    their colour profile where they have one; of an animation the first frame is taken. Pictures
    of more than 64 million pixels are read at a half or a quarter of their size.

    Args:
        source: path, encoded bytes, PIL image, or array `[H, W]`, `[H, W, 1|3|4]`: uint8, uint16,
            bool, or float in [0, 1].
        max_pixels: refuse larger pictures, by their header, before decoding.
        max_bytes: refuse longer files.
        side: read larger pictures so that their long side is this; None reads them as they are.

    Raises:
        ImageError: one of its subclasses, named after the reason.
        FileNotFoundError: there is no such file.
    """
    if isinstance(source, np.ndarray):
        image = _from_array(source, max_pixels)
    elif isinstance(source, Image.Image):
        image = source
        _check_size(image.size, max_pixels)
    elif isinstance(source, str | Path | bytes | bytearray):
        image = _decoded(_read(source, max_bytes), max_pixels, side)
    else:
        raise ImageError(
            f"cannot read a picture from {type(source).__name__}: give a path, bytes, a PIL image "
            "or an array"
        )
    with _decoding():
        image = _plain_rgb(image)
    if side is not None:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    _check_size(image.size, max_pixels)
    return image


def save_image(
    image: Image.Image,
    path: str | Path,
    description: str = "AI-edited image",
    quality: int = 95,
    taken: str | None = None,
) -> Path:
    """Write a PNG, JPEG, WebP or TIFF that is marked as edited by AI; returns its path.

    The mark: `Software: Semblance` and IPTC's digital source type
    `compositeWithTrainedAlgorithmicMedia` (XMP in all formats, PNG text chunks, EXIF). Beside it
    stands the colour space, sRGB.

    Args:
        image: any mode, in sRGB; written as RGB.
        path: its suffix chooses the format.
        description: what was done, for the mark.
        quality: of JPEG and WebP, 1 to 95.
        taken: when, as EXIF writes it (`date_taken`), to be kept; None keeps no date.

    Raises:
        ImageError: the file name ends with none of `SUFFIXES`.
    """
    path = Path(path)
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise ImageError(f"cannot save {path.name!r}: choose one of {', '.join(SUFFIXES)}")
    taken = taken or image.info.get(TAKEN)
    image = image.convert("RGB")
    image.info = {}
    options: dict[str, object] = {"icc_profile": srgb_profile()}
    if kind == "TIFF":
        options |= {"tiffinfo": tiff_mark(description, taken), "compression": "tiff_adobe_deflate"}
    else:
        options["exif"] = exif_mark(description, taken)
    if kind == "PNG":
        options["pnginfo"] = png_mark(description)
    elif kind != "TIFF":
        options |= {"xmp": xmp_mark(description), "quality": quality}
    if kind == "JPEG":
        options["subsampling"] = 0
    with atomic(path) as part:
        image.save(part, kind, **options)
    return path


def date_taken(path: str | Path) -> str | None:
    """When a photo was taken, as EXIF says it ("2024:05:31 18:00:00"); None where it is unsaid."""
    try:
        exif = open_header(_read(path, MAX_BYTES)).getexif()
        said = exif.get_ifd(_EXIF).get(_DATE_ORIGINAL) or exif.get(_DATE)
    except Exception:  # no photo (a saved face), or an EXIF that Pillow cannot read
        return None
    return said if isinstance(said, str) and _WHEN.fullmatch(said) else None


def to_tensor(image: Image.Image) -> Tensor:
    """RGB image to float32 `[1, 3, H, W]` in [-1, 1]."""
    pixels = torch.from_numpy(np.array(image.convert("RGB")))
    return pixels.permute(2, 0, 1)[None].float() / 127.5 - 1


def to_pil(images: Tensor) -> Image.Image:
    """`[3, H, W]` or `[1, 3, H, W]` in [-1, 1] to an RGB image; clamps and rounds.

    Raises:
        ImageError: another shape, or values that are not finite.
    """
    pixels = images[0] if images.ndim == 4 and images.shape[0] == 1 else images
    if pixels.ndim != 3 or pixels.shape[0] != 3:
        raise ImageError(f"expected one picture [1, 3, H, W], got {tuple(images.shape)}")
    pixels = pixels.detach().float().cpu()
    if not bool(torch.isfinite(pixels).all()):
        raise ImageError("the picture holds values that are not finite")
    levels = ((pixels + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).contiguous().numpy())


def resize(image: Image.Image, size: int | tuple[int, int]) -> Image.Image:
    """The image at `size` (side of a square, or width and height), Lanczos, antialiased."""
    target = (size, size) if isinstance(size, int) else size
    return image if image.size == target else image.resize(target, Image.Resampling.LANCZOS)


def _read(source: str | Path | bytes | bytearray, max_bytes: int) -> bytes:
    if isinstance(source, bytes | bytearray):
        data, name = bytes(source[: max_bytes + 1]), "the upload"
    else:
        path = existing_file(source, "picture")
        name = shown(path.name)
        with open(path, "rb") as file:
            data = file.read(_HEAD)
            if what_else(data) is None:  # a film is called a film, not a picture that is too long
                data += file.read(max(0, max_bytes + 1 - len(data)))
    if len(data) > max_bytes:
        raise ImageTooLargeError(f"{name} is longer than {max_bytes / 2**20:g} MiB")
    if not data:
        raise NotAnImageError(f"{name} is empty")
    return data


def _decoded(data: bytes, max_pixels: int, side: int | None) -> Image.Image:
    """The pixels of a file, no more of them than are kept."""
    other = what_else(data)
    if other is not None:
        raise NotAnImageError(f"this is {other}")
    with _decoding():
        try:
            image = open_header(data)
        except UnidentifiedImageError:
            if data.startswith(MAGICS):
                raise DamagedImageError("the picture is cut off within its header") from None
            raise
    reducible = image.format in ("JPEG", "MPO")
    _check_size(image.size, max_pixels if reducible else min(max_pixels, MAX_WHOLE))
    part = _part(image.size, side)
    with _decoding():
        if reducible and part > 1:
            image.draft(None, (image.width // part, image.height // part))
        image.load()
        if image.format == "TIFF" and is_shallow(image):
            image = _deepened(image, data)
        return image.reduce(part) if part > 1 and not reducible else image


def _part(size: tuple[int, int], side: int | None) -> int:
    """1, 2, 4 or 8: to what part of its size a picture is read."""
    parts = (1, 2, 4, 8)
    few = next((p for p in parts if size[0] * size[1] <= KEPT_PIXELS * p * p), parts[-1])
    small = max(p for p in parts if p == 1 or (side is not None and max(size) >= side * p))
    return max(few, small)


def _deepened(image: Image.Image, data: bytes) -> Image.Image:
    """The same TIFF with the light that Pillow left in the lower bytes, where it can be had."""
    deep = deep_colours(data)
    if deep is None or deep.size != image.size:
        return image
    deep.info = dict(image.info)
    deep.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
    return deep


@contextmanager
def _decoding() -> Iterator[None]:
    """Turns what Pillow raises on hostile bytes into our errors."""
    try:
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:  # a frame larger than its header says
        raise ImageTooLargeError(f"too many pixels: {error}") from error
    except UnidentifiedImageError:
        known = ", ".join(FORMATS)
        raise NotAnImageError(f"this is not a picture in a known format ({known})") from None
    except MemoryError as error:
        raise ImageTooLargeError("the picture does not fit in memory") from error
    except Exception as error:  # Pillow's readers raise many types on broken files
        raise DamagedImageError(f"the picture is cut off or damaged: {error}") from error


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if min(size) < MIN_SIDE:
        raise ImageTooSmallError(
            f"the picture is {width} x {height} pixels: at least {MIN_SIDE} x {MIN_SIDE} are needed"
        )
    if width * height > max_pixels or max(size) > MAX_SIDE:
        raise ImageTooLargeError(
            f"too many pixels: the picture is {width} x {height}, at most {max_pixels / 1e6:g} "
            f"million and {MAX_SIDE} a side are accepted; make it smaller first"
        )


def _plain_rgb(image: Image.Image) -> Image.Image:
    if getattr(image, "is_animated", False):
        image.seek(0)
    image.load()
    with suppress(Exception):  # broken EXIF is no reason to refuse good pixels
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        image = grey_to_8_bits(image)
    image = to_srgb(image)
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, rgba)
    rgb = image.convert("RGB")  # a plain image, which knows no file
    rgb.info = {}
    return rgb


def _from_array(array: np.ndarray, max_pixels: int) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ImageError(f"expected an array [H, W] or [H, W, 1|3|4], got {array.shape}")
    _check_size((array.shape[1], array.shape[0]), max_pixels)
    if array.dtype == np.uint16:
        array = (array * np.float32(255 / whitest(float(array.max(initial=0))))).round()
    elif array.dtype == np.bool_:
        array = array * 255
    elif np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise ImageError("a float array must lie in [0, 1]; give uint8 for [0, 255]")
        array = (array * 255).round()
    elif array.dtype != np.uint8:
        raise ImageError(f"cannot read a picture from {array.dtype}: use uint8, uint16 or float")
    return Image.fromarray(np.ascontiguousarray(array.astype(np.uint8)))
