"""Colours as they were meant: every picture is brought to sRGB by what it says about itself.

It may say so by an ICC profile (ICC.1:2022), by PNG's gamma and primaries (PNG 3rd edition,
11.3.2), or, as cameras set to Adobe RGB do, by a letter in its EXIF (DCF 2.0, "R03"). Without any
of these it is sRGB already.
"""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

SAME = 1
"""Levels by which a transform may move a colour and still be none: rounding moves as much."""
GAMMA, GAMMA_NEAR = 0.45455, 0.05
"""The gamma that PNG writers give sRGB pictures, and the share by which theirs may differ."""
ADOBE = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
"""White, red, green and blue of Adobe RGB (1998), section 4.3.1, as CIE x and y."""
REC_709 = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
ADOBE_GAMMA = 256 / 563
_INTEROP_IFD, _INTEROP_INDEX = 0xA005, 1
_ROWS = 256
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """An sRGB profile for pictures that are written; the same bytes every time."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes((7, 208, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))  # made on 2000-01-01
    profile[84:100] = bytes(16)  # the digest covers the date
    return bytes(profile)


def to_srgb(image: Image.Image) -> Image.Image:
    """The picture with its colours in sRGB; a broken profile is no reason to refuse good pixels.

    Args:
        image: of any mode, with the `info` it was opened with.

    Returns:
        The same picture where it is sRGB already; else RGB, or RGBA where it was transparent.
    """
    try:
        profile = image.info.get("icc_profile")
        if image.mode == "LAB":
            profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
        if profile:
            return _by_profile(image, profile)
        curve = _curve(image)
        return image if curve is None else _by_curve(image, *curve)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, SyntaxError):
        return image


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    source = ImageCms.getOpenProfile(io.BytesIO(profile))
    space = source.profile.xcolor_space.strip()
    wanted = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}.get(space)
    inks = ("CMYK", "LAB")
    if wanted is None or (image.mode != wanted and (wanted in inks or image.mode in inks)):
        return image  # a profile of another kind of picture
    alpha = _alpha(image)
    colours = image if image.mode == wanted else image.convert(wanted)
    transform = ImageCms.buildTransform(
        source,
        ImageCms.createProfile("sRGB"),
        colours.mode,
        "RGB",
        ImageCms.Intent(ImageCms.getDefaultIntent(source)),
    )
    if wanted == "RGB" and _is_none(transform):
        return image
    return _with_alpha(transform.apply(colours), alpha)


def _is_none(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether an RGB transform changes nothing but roundings, tried on a grid of colours."""
    levels = np.linspace(0, 255, 18).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    moved = np.asarray(transform.apply(Image.fromarray(grid)))
    return int(np.abs(moved.astype(int) - grid).max()) <= SAME


def _curve(image: Image.Image) -> tuple[float, tuple[float, ...]] | None:
    """Gamma and primaries that a picture without a profile names, or None for sRGB's."""
    info = image.info
    if "srgb" in info:
        return None
    gamma = info.get("gamma")
    if isinstance(gamma, float) and 0.1 <= gamma <= 5:
        primaries = tuple(info.get("chromaticity") or REC_709)
        near = abs(gamma / GAMMA - 1) < GAMMA_NEAR
        if near and np.allclose(primaries, REC_709, atol=0.005):
            return None
        return gamma, primaries
    if _says_adobe(image):
        return ADOBE_GAMMA, ADOBE
    return None


def _says_adobe(image: Image.Image) -> bool:
    try:
        letters = image.getexif().get_ifd(_INTEROP_IFD).get(_INTEROP_INDEX)
    except Exception:  # no EXIF at all, or a broken one: Pillow raises many types
        return False
    return isinstance(letters, str) and letters.strip("\0 ") == "R03"


def _by_curve(image: Image.Image, gamma: float, primaries: tuple[float, ...]) -> Image.Image:
    """From a power curve and primaries to sRGB, some rows at a time."""
    alpha = _alpha(image)
    linear = np.linspace(0, 1, 256) ** (1 / gamma)
    matrix = np.linalg.inv(_to_xyz(REC_709)) @ _to_xyz(primaries)
    plain = np.allclose(matrix, np.eye(3), atol=1e-3)
    rgb = image.convert("RGB")
    if plain:
        table = _encoded(linear).tolist()
        return _with_alpha(rgb.point(table * 3), alpha)
    out = Image.new("RGB", rgb.size)
    for top in range(0, rgb.height, _ROWS):
        rows = np.asarray(rgb.crop((0, top, rgb.width, min(top + _ROWS, rgb.height))))
        out.paste(Image.fromarray(_encoded(linear[rows] @ matrix.T)), (0, top))
    return _with_alpha(out, alpha)


def _encoded(linear: np.ndarray) -> np.ndarray:
    """Linear light to sRGB levels (IEC 61966-2-1)."""
    light = np.clip(linear, 0, 1)
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (curve * 255).round().astype(np.uint8)


def _to_xyz(primaries: tuple[float, ...]) -> np.ndarray:
    """Linear RGB of these primaries to XYZ under D65, `[3, 3]` (Bradford where white differs)."""
    white, *colours = (
        np.array([x / y, 1.0, (1 - x - y) / y])
        for x, y in zip(primaries[::2], primaries[1::2], strict=True)
    )
    columns = np.stack(colours, axis=1)
    matrix = columns * np.linalg.solve(columns, white)
    day = np.array([0.3127 / 0.3290, 1.0, (1 - 0.3127 - 0.3290) / 0.3290])
    scale = (_BRADFORD @ day) / (_BRADFORD @ white)
    return np.linalg.inv(_BRADFORD) @ np.diag(scale) @ _BRADFORD @ matrix


def _alpha(image: Image.Image) -> Image.Image | None:
    if "A" in image.getbands() or "transparency" in image.info:
        return image.convert("RGBA").getchannel("A")
    return None


def _with_alpha(image: Image.Image, alpha: Image.Image | None) -> Image.Image:
    if alpha is not None:
        image.putalpha(alpha)
    return image
