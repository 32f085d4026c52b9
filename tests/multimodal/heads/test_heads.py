"""Heads of photographs turned, lit and made to look elsewhere; and their meshes."""

from __future__ import annotations

import json
import struct
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from apps.cli import run
from multimodal.faces import detect_faces
from multimodal.faces.pose import head_pose
from multimodal.fidelity.mesh import OVAL
from multimodal.heads import Pose, Solid, pose, solid_of
from multimodal.heads.eyes import eyes_of
from multimodal.heads.gltf import save_glb
from multimodal.heads.light import direction_of
from multimodal.heads.solid import cells
from multimodal.heads.turning import inverted, rotation, unfolded
from multimodal.parsing.files import model_parser
from multimodal.recognition.descriptor import describe

PHOTO = Path(__file__).resolve().parents[1] / "faces" / "portraits" / "02_young_man.jpg"


@lru_cache(maxsize=1)
def solid() -> Solid:
    return solid_of(Image.open(PHOTO), model_parser("default"))


def pixels(how: Pose) -> np.ndarray:
    return np.asarray(pose(solid(), how).photo).astype(int)


def test_nothing_asked_leaves_the_photo() -> None:
    assert np.array_equal(pixels(Pose()), solid().photo)
    assert np.array_equal(pixels(Pose(light=(60, 0), strength=0)), solid().photo)


def measured(photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points = detect_faces(Image.fromarray(photo.astype(np.uint8)))[0].landmarks
    return np.array(head_pose(points)), describe(photo.astype(np.uint8), points)


def test_a_turned_head_measures_as_turned_and_stays_who_it_is() -> None:
    before, who = measured(solid().photo)
    for yaw in (10.0, -10.0):
        after, then = measured(pixels(Pose(yaw=yaw)))
        assert 8 <= (after - before)[0] * np.sign(yaw) <= 12
        assert np.linalg.norm(then - who) <= 0.25
    assert 5 <= (measured(pixels(Pose(pitch=10)))[0] - before)[1] <= 13


def test_beyond_the_head_nothing_moves() -> None:
    changed = np.abs(pixels(Pose(yaw=20, pitch=-10)) - solid().photo).max(axis=-1)
    units = solid().place.to_unit(np.stack(np.nonzero(changed)[::-1], axis=-1).astype(float))
    assert len(units) > 1000
    assert ((units > 0) & (units < 1)).all()


def test_motion_is_never_folded_and_is_inverted() -> None:
    here = cells()
    away = np.exp(-((here - 0.5) ** 2).sum(axis=-1) / 0.005)[..., None] * (0.15, 0.0)
    motion = unfolded(away)
    assert np.gradient(motion[..., 0], 1 / 256, axis=1).min() > -0.7
    places = inverted(motion)
    x, y = (places[100, 130] * 256).astype(int)
    assert np.abs(places[100, 130] + motion[y, x] - here[100, 130]).max() < 0.01
    assert np.allclose(rotation(90, 0) @ (0, 0, 1), (1, 0, 0))


def test_light_comes_from_where_it_is_said() -> None:
    rim = solid().place.to_photo  # crop pixels to photo pixels
    points = rim(solid().mesh[list(OVAL), :2] * solid().place.size - 0.5).round().astype(int)
    middle = int(points[:, 0].mean())
    low, high = points.min(axis=0), points.max(axis=0)
    change = (pixels(Pose(light=direction_of("left"))) - solid().photo).mean(axis=-1)
    left = change[low[1] : high[1], low[0] : middle].mean()
    assert left > change[low[1] : high[1], middle : high[0]].mean() + 3
    for said in ("behind", "1,2,3", "120,0", "nan,0"):
        with pytest.raises(ValueError, match="light from"):
            direction_of(said)


def test_eyes_turn_and_close() -> None:
    for eye in eyes_of(solid()):
        spot = eye.outside(np.array([0.5, 0.0]))
        x, y = solid().place.to_photo(spot * solid().place.size - 0.5).round().astype(int)
        part = (slice(y - 4, y + 5), slice(x - 8, x + 9))
        seen = [pixels(Pose(blink=b))[part] for b in (0, 1)]
        assert np.abs(seen[0] - seen[1]).max() > 25
        looking = [pixels(Pose(gaze_yaw=g))[part].mean(axis=(0, 2)) for g in (-20, 20)]
        dark = [float((np.arange(17) * (g.max() - g)).sum() / (g.max() - g).sum()) for g in looking]
        assert dark[1] > dark[0] + 0.3


def test_the_mesh_is_a_valid_glb(tmp_path: Path) -> None:
    content = save_glb(solid(), tmp_path / "face.glb").read_bytes()
    magic, version, size, length, kind = struct.unpack("<4sIII4s", content[:20])
    assert (magic, version, size, kind) == (b"glTF", 2, len(content), b"JSON")
    scene = json.loads(content[20 : 20 + length])
    binary = content[28 + length :]
    assert scene["buffers"][0]["byteLength"] == len(binary)
    parts = [
        binary[v["byteOffset"] : v["byteOffset"] + v["byteLength"]] for v in scene["bufferViews"]
    ]
    points = np.frombuffer(parts[0], "<f4").reshape(-1, 3)
    triangles = np.frombuffer(parts[3], "<u2").reshape(-1, 3)
    assert points.shape == (468, 3)
    assert triangles.max() < 468
    assert len(triangles) > 800
    assert np.allclose(scene["accessors"][0]["min"], points.min(axis=0))
    a, b, c = (points[triangles[:, k]] for k in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).mean() > 0.9  # their fronts look at the viewer
    assert points[10, 1] > points[152, 1]  # the forehead is above the chin
    assert points[1, 2] > points[234, 2]  # the nose is before the ears
    assert parts[4].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "nothing to write"),
        (["--out", "x.png"], "nothing to turn"),
        (["--out", "x.png", "--yaw", "45"], "yaw 45 is out of range: from -30 to 30"),
        (["--out", "x.png", "--yaw", "nan"], "out of range"),
        (["--out", "x.png", "--blink", "2"], "blink 2"),
        (["--out", "x.png", "--gaze", "up"], "gaze 'up'"),
        (["--out", "x.png", "--relight", "moon"], "light from 'moon'"),
        (["--out", "x.txt", "--yaw", "5"], ".png"),
        (["--mesh", "face.obj"], ".glb"),
    ],
)
def test_bad_wishes_are_told(
    words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["turn", str(PHOTO), *words]) == 2
    told = capsys.readouterr().err
    assert why in told
    assert told.count("\n") == 1


def test_pictures_without_a_face_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.effect_noise((64, 64), 60).convert("RGB").save(tmp_path / "noise.png")
    words = ["turn", str(tmp_path / "noise.png"), "--out", str(tmp_path / "o.png"), "--yaw", "5"]
    assert run(words) == 2
    assert run([*words, "--aligned"]) == 2
    assert capsys.readouterr().err.count("\n") == 2
    assert not (tmp_path / "o.png").exists()


def test_the_command_writes_picture_and_mesh(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, mesh = tmp_path / "turned.png", tmp_path / "face.glb"
    words = ["turn", str(PHOTO), "--yaw", "8", "--relight", "left", "--gaze", "5,0"]
    assert run([*words, "--out", str(out), "--mesh", str(mesh), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["points"] == 468
    assert Image.open(out).size == Image.open(PHOTO).size
    assert mesh.read_bytes()[:4] == b"glTF"
