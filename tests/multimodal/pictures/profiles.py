"""Colour profiles made by hand: three primaries and a curve, a few hundred bytes."""

from __future__ import annotations

import struct

import numpy as np

SPACES = {
    "Adobe RGB": (2.19921875, (0.60974, 0.31111, 0.01947, 0.20528, 0.62567, 0.06087, 0.14919,
                               0.06322, 0.74457)),
    "Display P3": (2.2, (0.51512, 0.24120, -0.00105, 0.29198, 0.69225, 0.04189, 0.15710, 0.06657,
                         0.78407)),
    "ProPhoto RGB": (1.8, (0.79767, 0.28804, 0.0, 0.13519, 0.71188, 0.0, 0.03135, 0.00009,
                           0.82491)),
}  # fmt: skip
"""Gamma, and X, Y, Z of red, green and blue under D50 (the ICC's registry of spaces)."""
_D50 = (0.9642, 1.0, 0.8249)
_XYZ_TO_SRGB = np.array(
    [[3.1339, -1.6169, -0.4906], [-0.9788, 1.9161, 0.0335], [0.0719, -0.2290, 1.4052]]
)  # D50, Bradford (Lindbloom)


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)


def matrix_profile(space: str) -> bytes:
    """An ICC v2 profile of a space of `SPACES`."""
    gamma, columns = SPACES[space]
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    name = space.encode() + b"\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78)
    parts = [(b"desc", text + bytes(-len(text) % 4)), (b"wtpt", _xyz(_D50))]
    parts += [
        (k + b"XYZ", _xyz(columns[3 * i : 3 * i + 3])) for i, k in enumerate((b"r", b"g", b"b"))
    ]
    parts += [(k + b"TRC", curve) for k in (b"r", b"g", b"b")]
    return _profile(parts, b"mntrRGB XYZ ")


INKS = {(0, 0, 0, 0): (95, 0, -2), (1, 0, 0, 0): (60, -20, -25), (0, 1, 0, 0): (55, 40, -5),
        (0, 0, 1, 0): (85, -5, 40), (0, 0, 0, 1): (20, 0, 0)}  # fmt: skip
"""Lab of paper and of each ink alone, paler than offset presses print them; more inks are darker."""


def ink_profile() -> bytes:
    """An ICC v2 profile of a press: a table (`mft1`) of two steps an ink from CMYK to Lab."""
    table = bytearray()
    for number in range(16):
        inks = tuple(number >> bit & 1 for bit in (3, 2, 1, 0))
        light, a, b = INKS.get(inks, (15, 0, 0))
        table += bytes((round(light * 255 / 100), a + 128, b + 128))
    identity, straight = (1, 0, 0, 0, 1, 0, 0, 0, 1), bytes(range(256))
    lut = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0))
    lut += b"".join(struct.pack(">i", v << 16) for v in identity)
    lut += straight * 4 + bytes(table) + straight * 3
    parts = [(b"A2B0", lut), (b"A2B1", lut), (b"wtpt", _xyz(_D50))]
    return _profile(parts, b"prtrCMYKLab ")


def _profile(parts: list[tuple[bytes, bytes]], kind: bytes) -> bytes:
    at, table, body = 128 + 4 + 12 * len(parts), b"", b""
    for tag, data in parts:
        table += tag + struct.pack(">II", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    rest = struct.pack(">I", len(parts)) + table + body
    head = struct.pack(">I", 128 + len(rest)) + b"lcms" + b"\x02\x10\0\0" + kind
    head += bytes((7, 208, 0, 1, 0, 1)) + bytes(6) + b"acsp" + bytes(28)
    head += b"".join(struct.pack(">i", round(v * 65536)) for v in _D50) + bytes(48)
    return head + rest


def in_srgb(pixels: np.ndarray, space: str) -> np.ndarray:
    """Levels `[..., 3]` of a space as sRGB levels, by the book."""
    gamma, columns = SPACES[space]
    return _coded((pixels / 255) ** gamma @ np.reshape(columns, (3, 3)))


def lab_in_srgb(light: float, a: float, b: float) -> np.ndarray:
    """A CIE Lab colour under D50 as sRGB levels `[3]`."""
    middle = (light + 16) / 116
    roots = np.array([middle + a / 500, middle, middle - b / 200])
    steep = roots > 6 / 29
    return _coded(np.where(steep, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29)) * _D50)


def _coded(xyz: np.ndarray) -> np.ndarray:
    light = np.clip(xyz @ _XYZ_TO_SRGB.T, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
