"""The recipe that cuts hair out of photographs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recipes.fidelity import hairstyles


def test_a_crown_that_was_cut_off_is_drawn_higher() -> None:
    layer = np.zeros((hairstyles.SIDE, hairstyles.SIDE, 4), np.uint8)
    layer[205:400, 400:600] = 255
    found = hairstyles._crowned(layer, [40, 20, 60, 20, 3])
    top = np.argmax(found[:, 500, 3] > 128)
    assert 170 < top < 180
    assert np.array_equal(found[400:, 500], layer[400:, 500])
    assert np.array_equal(found[:, 300], layer[:, 300])


@pytest.mark.slow
def test_hair_of_a_photograph_becomes_a_style(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = Path(__file__).parents[3] / "apps" / "samples" / "faces"
    name = sorted(photos.glob("*woman*.jpg"))[0].name
    table = tmp_path / "table.toml"
    table.write_text(f'[one]\nphoto = "{name}"\nkind = "long"\ncurl = 0.5\nout = []\n')
    monkeypatch.setattr(hairstyles, "TABLE", table)
    hairstyles.build(photos, tmp_path / "styles")
    (known,) = json.loads((tmp_path / "styles" / "styles.json").read_text())
    left, top, right, bottom = known["box"]
    picture = Image.open(tmp_path / "styles" / "one.webp")
    assert picture.size == (right - left, bottom - top)
    assert np.asarray(picture)[..., 3].mean() > 20
    assert len(known["mesh"]) == 2 * 468
