"""Faces on disk: everything comes back, and nothing foreign gets in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from multimodal.faces import FaceTransform
from multimodal.types import Face, Latent


@pytest.fixture
def face() -> Face:
    source = torch.Generator().manual_seed(0)
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    latent = Latent(
        torch.randn(1, 8, 32, generator=source),
        (torch.randn(1, 16, generator=source), torch.randn(1, 8, generator=source)),
        (torch.randn(1, 1, 4, 4, generator=source),),
    )
    return Face(
        latent,
        Image.fromarray(pixels),
        tuned={"synthesis.b4.conv1.bias": torch.ones(16)},
        landmarks=torch.rand(68, 2, generator=source) * 32,
        report={"method": "pti", "lpips": 0.05, "steps": 3, "notes": ["slow"], "odd": object()},
    )


def test_a_face_comes_back_whole(face: Face, tmp_path: Path) -> None:
    path = face.save(tmp_path / "face.safetensors")
    found = Face.load(path)
    torch.testing.assert_close(found.latent.w, face.latent.w, rtol=0, atol=0)
    for ours, theirs in ((found.latent.styles, face.latent.styles), (found.latent.noise, face.latent.noise)):  # fmt: skip
        assert ours is not None
        assert theirs is not None
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert found.tuned is not None
    assert found.tuned["synthesis.b4.conv1.bias"].eq(1).all()
    assert found.landmarks is not None
    assert list(found.aligned.getdata()) == list(face.aligned.getdata())
    assert found.report == {"method": "pti", "lpips": 0.05, "steps": 3, "notes": ["slow"]}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["face.safetensors"]


def test_the_methods_of_a_face_are_the_same_door(face: Face, tmp_path: Path) -> None:
    found = Face.load(face.save(tmp_path / "face.safetensors"))
    torch.testing.assert_close(found.latent.w, face.latent.w)


def test_a_plain_face_has_no_extras(tmp_path: Path) -> None:
    plain = Face(Latent(torch.zeros(1, 8, 32)), Image.new("RGB", (32, 32)))
    found = Face.load(plain.save(tmp_path / "face.safetensors"))
    assert found.latent.styles is found.latent.noise is found.tuned is found.photo is None


def test_a_place_in_a_photo_comes_back(face: Face, tmp_path: Path) -> None:
    quad = ((10.0, 5.0), (10.0, 45.0), (50.0, 45.0), (50.0, 5.0))
    whole = replace(
        face, photo=Image.new("RGB", (80, 60), "red"), transform=FaceTransform(quad, 32)
    )
    path = whole.save(tmp_path / "face.safetensors")
    found = Face.load(path)
    assert found.transform == whole.transform
    assert found.photo is not None
    assert found.photo.size == (80, 60)
    about = {"format": "semblance-face", "version": 1, "transform": {"quad": "x", "size": 32}}
    save_file(load_file(path), path, {"face": json.dumps(about)})
    with pytest.raises(ValueError):
        Face.load(path)


CHANGES: dict[str, tuple[dict[str, Tensor | None], str]] = {
    "no code": ({"w": None}, "lacks 'w'"),
    "a batch": ({"w": torch.zeros(2, 8, 32)}, r"\(2, 8, 32\)"),
    "endless rows": ({"w": torch.zeros(1, 999, 32)}, r"\(1, 999, 32\)"),
    "not finite": ({"w": torch.full((1, 8, 32), float("nan"))}, "not finite"),
    "whole numbers": ({"w": torch.zeros(1, 8, 32, dtype=torch.long)}, "int64"),
    "unknown part": ({"payload": torch.zeros(1)}, "'payload'"),
    "gap in styles": ({"styles.7": torch.zeros(1, 3)}, "numbered"),
    "bad landmarks": ({"landmarks": torch.zeros(5, 2)}, r"\(5, 2\)"),
    "no picture": ({"aligned": torch.zeros(64, dtype=torch.uint8)}, "picture"),
    "bad tuned": ({"tuned.x": torch.full((2,), float("inf"))}, "finite"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_foreign_contents_are_refused(name: str, face: Face, tmp_path: Path) -> None:
    path = face.save(tmp_path / "face.safetensors")
    tensors: dict[str, Any] = {**load_file(path), **CHANGES[name][0]}
    about = {"format": "semblance-face", "version": 1}
    kept = {key: value for key, value in tensors.items() if value is not None}
    save_file(kept, path, {"face": json.dumps(about)})
    with pytest.raises(ValueError, match=CHANGES[name][1]):
        Face.load(path)


@pytest.mark.parametrize(
    "about", ["", "{", "[]", '{"format": "else"}', '{"format": "semblance-face", "version": 9}']
)
def test_foreign_descriptions_are_refused(about: str, face: Face, tmp_path: Path) -> None:
    path = face.save(tmp_path / "face.safetensors")
    save_file(load_file(path), path, {"face": about})
    with pytest.raises(ValueError, match=r"face\.safetensors"):
        Face.load(path)


def test_other_files_are_refused(face: Face, tmp_path: Path) -> None:
    path = tmp_path / "face.safetensors"
    with pytest.raises(FileNotFoundError):
        Face.load(path)
    path.write_bytes(b"\x00" * 100)
    with pytest.raises(ValueError, match="not a face file"):
        Face.load(path)
    with pytest.raises(ValueError, match=r"face\.pt"):
        face.save(tmp_path / "face.pt")
    with pytest.raises(ValueError, match="has 2"):
        face.with_latent(Latent(torch.zeros(2, 8, 32))).save(path)
