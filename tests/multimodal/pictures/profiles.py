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
    at, table, body = 128 + 4 + 12 * len(parts), b"", b""
    for tag, data in parts:
        table += tag + struct.pack(">II", at + len(body), len(data))
        body += data
    rest = struct.pack(">I", len(parts)) + table + body
    head = struct.pack(">I", 128 + len(rest)) + b"lcms" + b"\x02\x10\0\0mntrRGB XYZ "
    head += bytes((7, 208, 0, 1, 0, 1)) + bytes(6) + b"acsp" + bytes(28)
    head += b"".join(struct.pack(">i", round(v * 65536)) for v in _D50) + bytes(48)
    return head + rest


def in_srgb(pixels: np.ndarray, space: str) -> np.ndarray:
    """Levels `[..., 3]` of a space as sRGB levels, by the book."""
    gamma, columns = SPACES[space]
    linear = (pixels / 255) ** gamma @ np.reshape(columns, (3, 3)) @ _XYZ_TO_SRGB.T
    light = np.clip(linear, 0, 1)
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return coded * 255
