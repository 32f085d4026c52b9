from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from apps.sheet import GAP, stack, strip


def test_pictures_are_side_by_side_in_order() -> None:
    red, blue = Image.new("RGB", (128, 128), "red"), Image.new("RGB", (64, 64), "blue")
    sheet = strip([red, blue])
    assert sheet.size == (2 * 128 + 3 * GAP, 128 + 2 * GAP)
    assert sheet.getpixel((64, 64)) == (255, 0, 0)
    assert sheet.getpixel((128 + 64, 64)) == (0, 0, 255)


def test_labels_add_a_line_and_long_ones_are_cut() -> None:
    picture = Image.new("RGB", (100, 100), "white")
    plain, short, long = (strip([picture], labels) for labels in ([], ["after"], ["x" * 500]))
    assert short.height > plain.height
    assert long.size == short.size
    foot = np.asarray(long.convert("L"))[110:]
    assert foot.min() < 120
    assert (foot[:, : GAP // 2] > 200).all()


def test_rows_are_stacked() -> None:
    row = strip([Image.new("RGB", (100, 100))])
    assert stack([row, row]).size == (row.width, 2 * row.height)


def test_nothing_to_show() -> None:
    with pytest.raises(ValueError, match="0 pictures"):
        strip([])
    with pytest.raises(ValueError, match="labels"):
        strip([Image.new("RGB", (8, 8))], ["a", "b"])
    with pytest.raises(ValueError, match="at least one"):
        stack([])
