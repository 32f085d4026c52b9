"""The recipe that cuts beards out of photographs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recipes.fidelity import beards


@pytest.mark.slow
def test_the_beard_of_a_photograph_is_cut_along_its_hairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = Path(__file__).parents[3] / "apps" / "samples" / "faces"
    name = sorted(photos.glob("*smiling_man*.jpg"))[0].name
    table = tmp_path / "table.toml"
    table.write_text(
        f'[one]\nphoto = "{name}"\nthin = false\nout = [[[0, 0], [100, 0], [100, 30]]]\n'
    )
    monkeypatch.setattr(beards, "TABLE", table)
    told: list[str] = []
    beards.build(photos, tmp_path / "cuts", on_step=told.append)
    (known,) = json.loads((tmp_path / "cuts" / "beards.json").read_text())
    assert (known["name"], known["thin"], told) == ("one", False, ["one"])
    dense = np.asarray(Image.open(tmp_path / "cuts" / "one.webp").convert("L")) / 255
    mesh = np.array(known["mesh"]).reshape(-1, 2) * beards.SIDE
    places = {n: tuple(np.round(mesh[n]).astype(int)) for n in (199, 4, 151)}
    x, y = places[199]
    assert dense[y - 12 : y + 12, x - 12 : x + 12].mean() > 0.2
    assert dense[: places[4][1]].max() < 0.1


def test_a_photo_without_a_beard_is_refused() -> None:
    with Image.open(Path(__file__).parents[3] / "apps/samples/faces" / _woman()) as photo:
        subject = beards.subject_in(photo.convert("RGB"))
    with pytest.raises(ValueError, match="no beard"):
        beards.density_of(subject, [])


def _woman() -> str:
    photos = Path(__file__).parents[3] / "apps" / "samples" / "faces"
    return sorted(photos.glob("*woman*.jpg"))[0].name
