"""The door for untrusted pictures: whatever comes in, an RGB `PIL.Image` or a clear error goes out.

Sizes are read from the header and checked before a pixel is decoded; orientation is applied and
all other metadata is dropped. Saved pictures say that they were edited.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from multimodal.files.marks import exif_mark, png_mark, xmp_mark
from multimodal.files.weights import atomic

MAX_PIXELS = 50_000_000
MAX_SIDE = 16_384
MIN_SIDE = 8
MAX_BYTES = 64 * 2**20
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
MAGICS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"II*\0", b"MM\0*")
SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}

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
    source: ImageSource, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> Image.Image:
    """Any picture as an upright 8-bit RGB image without metadata.

    Greyscale, palette, CMYK, 16-bit and transparent (laid over white) pictures are converted; of
    an animation the first frame is taken.

    Args:
        source: path, encoded bytes, PIL image, or array `[H, W]`, `[H, W, 1|3|4]`: uint8, uint16,
            bool, or float in [0, 1].
        max_pixels: refuse larger pictures, by their header, before decoding.
        max_bytes: refuse longer files.

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
        image = _open(_read(source, max_bytes), max_pixels)
    else:
        raise ImageError(
            f"cannot read a picture from {type(source).__name__}: give a path, bytes, a PIL image "
            "or an array"
        )
    with _decoding():
        image = _plain_rgb(image)
    _check_size(image.size, max_pixels)
    return image


def save_image(
    image: Image.Image,
    path: str | Path,
    description: str = "AI-edited image",
    quality: int = 95,
) -> Path:
    """Write a PNG, JPEG or WebP that is marked as edited by AI; returns its path.

    The mark: `Software: Semblance` and IPTC's digital source type
    `compositeWithTrainedAlgorithmicMedia` (XMP in all formats, PNG text chunks, EXIF).

    Args:
        image: any mode; written as RGB.
        path: its suffix chooses the format.
        description: what was done, for the mark.
        quality: of JPEG and WebP, 1 to 95.

    Raises:
        ImageError: the file name ends with none of `.png .jpg .jpeg .webp`.
    """
    path = Path(path)
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise ImageError(f"cannot save {path.name!r}: choose one of {', '.join(SUFFIXES)}")
    image = image.convert("RGB")
    image.info = {}
    options: dict[str, object] = {"exif": exif_mark(description)}
    if kind == "PNG":
        options["pnginfo"] = png_mark(description)
    else:
        options |= {"xmp": xmp_mark(description), "quality": quality}
    if kind == "JPEG":
        options["subsampling"] = 0
    with atomic(path) as part:
        image.save(part, kind, **options)
    return path


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
        path = Path(source)
        if not path.is_file():
            raise FileNotFoundError(f"no such picture: {path}")
        name = path.name
        with open(path, "rb") as file:
            data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ImageTooLargeError(f"{name} is longer than {max_bytes / 2**20:g} MiB")
    if not data:
        raise NotAnImageError(f"{name} is empty")
    return data


def _open(data: bytes, max_pixels: int) -> Image.Image:
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head")):
        raise NotAnImageError("this is a web page, not a picture: save the picture itself")
    if head.startswith((b"<svg", b"<!doctype svg")) or (
        head.startswith(b"<?xml") and b"<svg" in head
    ):
        raise NotAnImageError("this is an SVG drawing: export it as PNG first")
    with _decoding():
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError:
            if data.startswith(MAGICS):
                raise DamagedImageError("the picture is cut off within its header") from None
            raise
    _check_size(image.size, max_pixels)
    return image


@contextmanager
def _decoding() -> Iterator[None]:
    """Turns what Pillow raises on hostile bytes into our errors."""
    try:
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
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
            f"the picture is {width} x {height} pixels: at most {max_pixels / 1e6:g} million "
            f"pixels and {MAX_SIDE} a side are accepted; make it smaller first"
        )


def _plain_rgb(image: Image.Image) -> Image.Image:
    if getattr(image, "is_animated", False):
        image.seek(0)
    image.load()
    with suppress(Exception):  # broken EXIF is no reason to refuse good pixels
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        image = _to_8_bit(image)
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, rgba)
    rgb = image.convert("RGB")
    return Image.frombytes("RGB", rgb.size, rgb.tobytes())  # a fresh image carries no metadata


def _to_8_bit(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float greyscale by the range their values suggest."""
    levels = np.nan_to_num(np.asarray(image).astype(np.float64))
    top = float(levels.max(initial=0.0))
    if image.mode == "F":
        full = 1.0 if top <= 1.0 else 255.0 if top <= 255.0 else top
    else:
        full = 65535.0 if top <= 65535 else top
    return Image.fromarray((levels / full * 255).round().clip(0, 255).astype(np.uint8))


def _from_array(array: np.ndarray, max_pixels: int) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ImageError(f"expected an array [H, W] or [H, W, 1|3|4], got {array.shape}")
    _check_size((array.shape[1], array.shape[0]), max_pixels)
    if array.dtype == np.uint16:
        array = (array / 65535 * 255).round()
    elif array.dtype == np.bool_:
        array = array * 255
    elif np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise ImageError("a float array must lie in [0, 1]; give uint8 for [0, 255]")
        array = (array * 255).round()
    elif array.dtype != np.uint8:
        raise ImageError(f"cannot read a picture from {array.dtype}: use uint8, uint16 or float")
    return Image.fromarray(np.ascontiguousarray(array.astype(np.uint8)))
