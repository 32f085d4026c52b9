from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from multimodal.files.marks import SOURCE_TYPE_URI
from multimodal.images import (
    DamagedImageError,
    ImageError,
    ImageTooLargeError,
    ImageTooSmallError,
    NotAnImageError,
    load_image,
    resize,
    save_image,
    to_pil,
    to_tensor,
)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def picture(size: tuple[int, int] = (24, 16), seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    header = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + header + struct.pack(">I", 100) + b"IDAT"


@pytest.mark.parametrize("form", ["path", "str", "bytes", "pil", "array"])
def test_every_kind_of_source_gives_the_same_pixels(tmp_path: Path, form: str):
    image = picture()
    path = tmp_path / "x.png"
    path.write_bytes(encoded(image))
    source = {
        "path": path,
        "str": str(path),
        "bytes": path.read_bytes(),
        "pil": image,
        "array": np.array(image),
    }[form]
    loaded = load_image(source)
    assert loaded.mode == "RGB"
    assert np.array_equal(loaded, image)


def test_exif_orientation_is_applied_and_private_metadata_dropped():
    image = picture()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    exif[0x010E] = "secret"
    loaded = load_image(encoded(image, "JPEG", exif=exif, quality=95, comment=b"secret"))
    assert loaded.size == (16, 24)
    assert loaded.info == {}
    assert not loaded.getexif()


def test_transparent_pictures_are_laid_over_white():
    image = Image.new("RGBA", (16, 16), (200, 0, 0, 0))
    assert np.array(load_image(encoded(image))).min() == 255
    half = Image.new("LA", (16, 16), (0, 128))
    assert abs(int(np.array(load_image(encoded(half)))[0, 0, 0]) - 127) <= 1


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA"])
def test_other_modes_become_rgb(mode: str):
    kind = "TIFF" if mode == "CMYK" else "PNG"
    image = Image.new("RGB", (16, 16), (255, 255, 255)).convert(mode)
    loaded = load_image(encoded(image, kind))
    assert loaded.mode == "RGB"
    assert np.array(loaded).min() >= 250


def test_sixteen_bit_greyscale_keeps_its_range():
    levels = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    loaded = np.array(load_image(encoded(Image.fromarray(levels))))
    assert np.abs(loaded[:, :, 0].ravel().astype(int) - np.arange(256)).max() <= 1
    assert np.array_equal(np.array(load_image(levels)), loaded)


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.array_equal(np.array(load_image(data))[0, 0], (255, 0, 0))


def test_float_and_bool_arrays():
    assert np.array(load_image(np.full((16, 16), 0.5))).max() == 128
    assert np.array(load_image(np.ones((16, 16, 1), bool))).min() == 255
    with pytest.raises(ImageError, match=r"\[0, 1\]"):
        load_image(np.full((16, 16, 3), 255.0))
    with pytest.raises(ImageError, match="int64"):
        load_image(np.zeros((16, 16), np.int64))
    with pytest.raises(ImageError, match=r"\(2, 16, 16, 3\)"):
        load_image(np.zeros((2, 16, 16, 3), np.uint8))


def test_each_bad_input_has_its_own_error(tmp_path: Path):
    with pytest.raises(ImageTooSmallError, match="1 x 1"):
        load_image(encoded(Image.new("RGB", (1, 1))))
    with pytest.raises(NotAnImageError, match="web page"):
        load_image(b"\n<!DOCTYPE html><html></html>")
    with pytest.raises(NotAnImageError, match="SVG"):
        load_image(b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>')
    with pytest.raises(NotAnImageError, match="PNG, JPEG"):
        load_image(b"just some words")
    with pytest.raises(NotAnImageError, match="empty"):
        load_image(b"")
    with pytest.raises(DamagedImageError, match="cut off"):
        load_image(encoded(picture((64, 64)), "JPEG")[:-400])
    with pytest.raises(DamagedImageError, match="cut off"):
        load_image(encoded(picture((64, 64)))[:4000])
    with pytest.raises(DamagedImageError, match="cut off"):
        load_image(encoded(picture())[:20])
    with pytest.raises(FileNotFoundError, match="nothing"):
        load_image(tmp_path / "nothing.png")
    with pytest.raises(ImageError, match="int"):
        load_image(7)  # type: ignore[arg-type]


def test_bombs_are_refused_by_their_header():
    with pytest.raises(ImageTooLargeError, match="too many pixels"):
        load_image(png_header(50_000, 50_000))
    with pytest.raises(ImageTooLargeError, match="20000 x 16"):
        load_image(encoded(Image.new("L", (20_000, 16))))
    with pytest.raises(ImageTooLargeError, match="12000 x 10000"):
        load_image(png_header(12_000, 10_000))
    with pytest.raises(ImageTooLargeError, match="MiB"):
        load_image(encoded(picture((64, 64))), max_bytes=100)


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.data())
def test_the_door_never_raises_anything_else(data: st.DataObject):
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"]))
    good = bytearray(encoded(picture((16, 16)), kind))
    for _ in range(data.draw(st.integers(0, 6))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    bad = bytes(good[: data.draw(st.integers(0, len(good)))])
    try:
        loaded = load_image(bad, max_pixels=10_000)
    except ImageError:
        return
    assert loaded.mode == "RGB"
    assert loaded.width * loaded.height <= 10_000


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_are_refused(data: bytes):
    with pytest.raises(ImageError):
        load_image(data, max_pixels=1000)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_saved_pictures_are_marked(tmp_path: Path, suffix: str):
    path = save_image(picture((32, 32)), tmp_path / "deep" / f"out{suffix}", "smile <&> ünï")
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # no temporary file stays
    data = path.read_bytes()
    assert SOURCE_TYPE_URI.encode() in data
    saved = Image.open(path)
    assert saved.getexif()[0x0131] == "Semblance"
    assert saved.getexif()[0x010E].startswith("AI-edited")
    if suffix == ".png":
        assert saved.text["Software"] == "Semblance"
        assert saved.text["Description"] == "AI-edited: smile <&> ünï"
        assert np.array_equal(np.array(saved), picture((32, 32)))


def test_other_suffixes_are_refused(tmp_path: Path):
    with pytest.raises(ImageError, match=r"\.webp"):
        save_image(picture(), tmp_path / "x.bmp")
    assert not list(tmp_path.iterdir())


def test_tensor_round_trip_is_exact():
    image = picture()
    tensor = to_tensor(image)
    assert tensor.shape == (1, 3, 16, 24)
    assert tensor.min() >= -1
    assert tensor.max() <= 1
    assert np.array_equal(to_pil(tensor), image)


def test_to_pil_clamps_rounds_and_checks():
    values = torch.tensor([-9.0, 1 / 127.5 * 0.6 - 1, 9.0]).reshape(3, 1, 1).expand(3, 4, 4)
    assert np.array(to_pil(values))[0, 0].tolist() == [0, 1, 255]
    with pytest.raises(ImageError, match=r"\(2, 3, 4, 4\)"):
        to_pil(torch.zeros(2, 3, 4, 4))
    with pytest.raises(ImageError, match="finite"):
        to_pil(torch.full((3, 4, 4), float("nan")))


def test_resize_to_a_square_or_a_box():
    assert resize(picture(), 8).size == (8, 8)
    assert resize(picture(), (10, 12)).size == (10, 12)
    image = picture()
    assert resize(image, image.size) is image
