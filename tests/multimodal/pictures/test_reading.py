"""Pictures as cameras, phones and programs write them."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageCms

from multimodal import images
from multimodal.images import (
    ImageTooLargeError,
    NotAnImageError,
    load_image,
    save_image,
)
from multimodal.pictures.colour import srgb_profile
from tests.multimodal.pictures.profiles import (
    INKS,
    SPACES,
    in_srgb,
    ink_profile,
    lab_in_srgb,
    matrix_profile,
)


def smooth(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Every kind of colour but the most saturated ones, which sRGB lacks."""
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    rgb = np.stack([60 + 140 * x, 60 + 140 * y, 200 - 140 * x * y], axis=-1)
    return Image.fromarray(rgb.round().astype(np.uint8))


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def away(image: Image.Image, wanted: np.ndarray) -> float:
    return float(np.abs(np.asarray(image, np.float64) - wanted).max())


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("space", SPACES)
def test_profiles_decide_the_colours(space: str, kind: str):
    image, profile = smooth(), matrix_profile(space)
    wanted = in_srgb(np.asarray(image, np.float64), space)
    assert away(image, wanted) > 6
    loaded = load_image(encoded(image, kind, icc_profile=profile))
    assert away(loaded, wanted) < 2
    assert loaded.info == {}
    image.info["icc_profile"] = profile
    assert np.array_equal(load_image(image), loaded)


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
def test_a_press_profile_decides_what_inks_mean(kind: str):
    inks = [amounts for amounts in INKS if not amounts[3]]  # black becomes the blackest there is
    flat = np.repeat(np.array(inks, np.uint8) * 255, 16, axis=0).reshape(4, 16, 4)
    image = Image.frombytes("CMYK", (16, 4), flat.tobytes()).resize((64, 64), Image.Resampling.BOX)
    loaded = load_image(encoded(image, kind, icc_profile=ink_profile()))
    for row, amounts in enumerate(inks):
        found = loaded.getpixel((32, 16 * row + 8))
        assert np.abs(np.subtract(found, lab_in_srgb(*INKS[amounts]))).max() <= 20, (
            amounts
        )  # black points are matched
    naive = np.asarray(image.convert("RGB"), float)
    assert np.abs(np.asarray(loaded, float) - naive).max() > 50


def test_a_profile_of_srgb_moves_no_pixel():
    image = smooth()
    assert away(load_image(encoded(image, icc_profile=srgb_profile())), np.asarray(image)) == 0
    v4 = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert away(load_image(encoded(image, icc_profile=v4)), np.asarray(image)) == 0


def test_broken_and_unfitting_profiles_are_left_aside():
    for profile in (b"nonsense", matrix_profile("Adobe RGB")[:200]):
        loaded = load_image(encoded(smooth(), icc_profile=profile))
        assert away(loaded, np.asarray(smooth())) == 0
    cmyk = smooth().convert("CMYK")
    plain = load_image(encoded(cmyk, "TIFF"))
    tagged = load_image(encoded(cmyk, "TIFF", icc_profile=matrix_profile("Adobe RGB")))
    assert np.array_equal(plain, tagged)


def test_transparent_pictures_with_a_profile():
    image = smooth()
    clear = image.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(image.size))
    loaded = np.asarray(load_image(encoded(clear, icc_profile=matrix_profile("Adobe RGB"))), float)
    alpha = np.asarray(clear.getchannel("A"), float)[..., None] / 255
    wanted = in_srgb(np.asarray(image, float), "Adobe RGB") * alpha + 255 * (1 - alpha)
    assert np.abs(loaded - wanted).max() < 3


def png_with(chunk: bytes, data: bytes, image: Image.Image) -> bytes:
    whole = encoded(image)
    body = chunk + data
    piece = struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    return whole[:33] + piece + whole[33:]  # after the header


@pytest.mark.parametrize("gamma", [1.0, 0.55556, 0.3])
def test_png_gamma_is_heard(gamma: float):
    image = smooth()
    data = png_with(b"gAMA", round(gamma * 100000).to_bytes(4, "big"), image)
    linear = (np.asarray(image, float) / 255) ** (1 / gamma)
    coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert away(load_image(data), coded * 255) <= 1
    usual = png_with(b"gAMA", (45455).to_bytes(4, "big"), image)
    assert away(load_image(usual), np.asarray(image)) == 0


def test_cameras_set_to_adobe_rgb_say_so_in_their_exif():
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    image = smooth()
    bare = load_image(encoded(image, "JPEG", quality=100, subsampling=0))
    told = load_image(encoded(image, "JPEG", quality=100, subsampling=0, exif=exif))
    wanted = in_srgb(np.asarray(bare, np.float64), "Adobe RGB")
    assert away(told, wanted) < 3


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
def test_what_is_written_says_srgb_and_ai(tmp_path: Path, name: str):
    path = save_image(smooth(), tmp_path / name, "a smile")
    again = Image.open(path)
    assert again.info["icc_profile"] == srgb_profile()
    said = path.read_bytes()
    assert b"compositeWithTrainedAlgorithmicMedia" in said
    assert b"AI-edited: a smile" in said
    if name != "a.webp":
        assert away(load_image(path), np.asarray(smooth())) < 8


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_deep_greys_keep_their_light(bits: int, kind: str):
    wanted = np.linspace(0, 255, 256).reshape(16, 16)
    levels = (wanted / 255 * (2**bits - 1)).round().astype(np.uint16)
    loaded = np.asarray(load_image(encoded(Image.fromarray(levels), kind)), float)[..., 0]
    assert np.abs(loaded - wanted).max() <= 1
    assert np.abs(np.asarray(load_image(levels), float)[..., 0] - wanted).max() <= 1


def deep_tiff(levels: np.ndarray) -> bytes:
    """An uncompressed little-endian TIFF of 16 bits a colour, `[H, W, 3]`."""
    height, width = levels.shape[:2]
    data = levels.astype("<u2").tobytes()
    bits_at = 8 + len(data)
    entries = (
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, bits_at), (259, 3, 1, 1),
        (262, 3, 1, 2), (273, 4, 1, 8), (277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, len(data)),
    )  # fmt: skip
    table = struct.pack("<H", len(entries))
    table += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    head = b"II*\0" + struct.pack("<I", bits_at + 6)
    return head + data + struct.pack("<HHH", 16, 16, 16) + table


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_deep_colours_keep_their_light(bits: int):
    shades = np.asarray(smooth(), float)
    loaded = load_image(deep_tiff((shades / 255 * (2**bits - 1)).round().astype(np.uint16)))
    assert away(loaded, shades) <= 1


def test_avif_and_heic_are_read():
    import pillow_heif

    image = smooth((64, 64))
    for data in (
        encoded(image, "AVIF", quality=95),
        heic(pillow_heif, image),
    ):
        assert np.abs(np.asarray(load_image(data), float) - np.asarray(image)).mean() < 4


def heic(library: object, image: Image.Image) -> bytes:
    out = io.BytesIO()
    library.from_pillow(image).save(out, quality=95)  # type: ignore[attr-defined]
    return out.getvalue()


def test_other_files_are_called_by_their_name(tmp_path: Path):
    clip = tmp_path / "me.mp4"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        frame = av.VideoFrame.from_image(Image.new("RGB", (32, 32)))
        container.mux([*stream.encode(frame), *stream.encode(None)])
    for limit in (2**20, 4100):
        with pytest.raises(NotAnImageError, match="a video"):
            load_image(clip, max_bytes=limit)
    with pytest.raises(NotAnImageError, match="a PDF"):
        load_image(b"%PDF-1.7 and so on")
    with pytest.raises(NotAnImageError, match="a sound"):
        load_image(b"RIFF\0\0\0\0WAVEfmt ")


def test_phone_photos_are_read_smaller_not_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(images, "KEPT_PIXELS", 100_000)
    data = encoded(smooth((1200, 900)), "JPEG")
    assert load_image(data).size == (300, 225)
    assert load_image(encoded(smooth((1200, 900)))).size == (300, 225)
    assert load_image(encoded(smooth((400, 200)), "JPEG")).size == (400, 200)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = load_image(encoded(smooth((1200, 900)), "JPEG", exif=exif), side=200)
    assert turned.size == (150, 200)


def test_two_hundred_megapixels_are_read_and_bombs_are_not():
    whole = io.BytesIO()
    Image.new("L", (16_320, 12_240), 90).save(whole, "JPEG", quality=10)
    assert max(load_image(whole.getvalue(), side=2048).size) == 2048
    with pytest.raises(ImageTooLargeError, match="too many pixels"):
        load_image(encoded(Image.new("1", (12_000, 12_000))))
    with pytest.raises(ImageTooLargeError, match="too many pixels"):
        load_image(whole.getvalue(), max_pixels=100_000_000)


@pytest.mark.parametrize(
    "source",
    [
        "data:image/png;base64," + "iVBORw0KGgo" * 2000,
        "iVBORw0KGgo" * 2000,
        "/9j/4AAQSkZJRg" * 20,
        "b'\\x89PNG\\r\\n" + "x" * 5000,
        "\x89PNG\r\n\x1a\n\0\0",
    ],
)
def test_what_is_no_path_is_refused_without_repeating_it(source: str):
    with pytest.raises(FileNotFoundError) as caught:
        load_image(source)
    assert len(str(caught.value)) < 260
    assert caught.value.__cause__ is None
    if source.startswith("data:"):
        assert "data URL" in str(caught.value)
        assert "iVBOR" not in str(caught.value)


@pytest.mark.parametrize("form", [str, Path])
def test_an_address_is_named_whole(form: type):
    with pytest.raises(FileNotFoundError, match=r"https://example\.org/me\.jpg is an address"):
        load_image(form("https://example.org/me.jpg"))
