"""Faces from drawings, with a tiny generator and an untrained parser."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from apps.cli import run
from multimodal import FaceEditor
from multimodal.editing.drawing import CONDITIONS, DrawOptions, QuickFaces, draw_faces
from multimodal.editing.drawing.conditions import lines, parts, read_parts, strokes
from multimodal.images import to_tensor
from multimodal.parsing.classes import CLASSES, COLORS
from multimodal.parsing.network import ParserConfig, ParserNetwork
from multimodal.parsing.parser import FaceParser
from multimodal.types import Face, Latent, Progress
from tests.tiny_editor import tiny_editor

QUICK = DrawOptions(steps=8, tried=4)


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> FaceEditor:
    made = tiny_editor(tmp_path_factory.mktemp("editor"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parser = FaceParser(ParserNetwork(ParserConfig(64, (8, 8))).eval().requires_grad_(False))
    made.toolkit = replace(made.toolkit, parser=parser)
    return made


def drawing(kind: str) -> Image.Image:
    """Half of the picture painted, the rest left open."""
    if kind == "labels":
        numbers = np.zeros((48, 48), np.uint8)
        numbers[12:36, 12:36] = CLASSES.index("skin")
        return Image.fromarray(numbers)
    pixels = np.full((48, 48, 3), 255, np.uint8)
    if kind == "scribble":
        pixels[10:38, 8:24] = (200, 30, 30)
    else:
        pixels[10:38, 20:22] = pixels[20:22, 10:38] = 0
    return Image.fromarray(pixels)


@pytest.mark.parametrize("kind", CONDITIONS)
def test_a_stroke_takes_one_drawing(kind: str, editor: FaceEditor) -> None:
    quick = QuickFaces(editor, seed=3)
    first = quick(drawing(kind), kind)
    drawn: list[int] = []
    real = editor.generator.synthesize

    def noted(w: torch.Tensor, noise: Any = "const") -> torch.Tensor:
        drawn.append(len(w))
        return real(w, noise=noise)

    editor.generator.synthesize = noted  # type: ignore[method-assign, assignment]
    try:
        again = quick(drawing(kind), kind)
    finally:
        del editor.generator.synthesize  # type: ignore[attr-defined]
    assert sum(drawn) <= 2  # one, and one between two passes of an encoder that looks twice
    assert list(again.getdata()) == list(first.getdata())
    with pytest.raises(ValueError, match="not one of"):
        quick(drawing(kind), "oil")


def test_a_pale_edge_is_not_yet_a_line() -> None:
    read = lines(drawing("sketch"), None, 64)
    clear = to_tensor(drawing("sketch"))
    pale = clear * 0.1
    assert float(read.distance(clear)) < 0.3 < float(read.distance(pale))


def test_what_has_no_colours_leaves_them(editor: FaceEditor) -> None:
    read = CONDITIONS["sketch"].read(drawing("sketch"), None, 64)
    codes = torch.zeros(2, editor.generator.num_layers, 4)
    led = read.led(codes, torch.ones_like(codes[:1]), 0.5)
    assert float(led[:, 0].min()) == 0.5
    assert float(led[:, -1].max()) == 0


@pytest.mark.parametrize("kind", CONDITIONS)
def test_faces_come_nearer_to_the_drawing(kind: str, editor: FaceEditor) -> None:
    seen: list[Progress] = []
    first = draw_faces(editor, drawing(kind), kind, options=QUICK, on_step=seen.append)
    assert first.report["distance"] < first.report["distance_before"]
    assert len(seen) == QUICK.steps
    again = draw_faces(editor, drawing(kind), kind, options=QUICK)
    other = draw_faces(editor, drawing(kind), kind, seed=1, options=QUICK)
    assert torch.equal(first.face.latent.w, again.face.latent.w)
    assert not torch.equal(first.face.latent.w, other.face.latent.w)


def test_a_sketch_leaves_light_and_colours(editor: FaceEditor) -> None:
    def drawn(look: float, steps: int = 8) -> torch.Tensor:
        options = DrawOptions(steps=steps, tried=2, look=look, lr=0.3)
        face = draw_faces(editor, drawing("sketch"), "sketch", options=options).face
        return torch.nn.functional.adaptive_avg_pool2d(to_tensor(face.aligned), 8)

    first = drawn(0, steps=0)
    assert float((drawn(50) - first).abs().mean()) < float((drawn(0) - first).abs().mean())


def test_lines_close_to_each_other_do_not_fill_with_black(
    editor: FaceEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from multimodal.editing.drawing import faces

    hatched = Image.new("L", (64, 64), 255)
    hatched.paste(0, (20, 20, 44, 30))

    def black(weight: float) -> float:
        monkeypatch.setattr(faces, "DARK", weight)
        options = [DrawOptions(steps, tried=2, look=0, lr=0.3) for steps in (0, 10)]
        pictures = [
            to_tensor(draw_faces(editor, hatched, "sketch", options=o).face.aligned)
            for o in options
        ]
        before, after = (faces._grey(picture) for picture in pictures)
        floor = -torch.nn.functional.max_pool2d(-before, 9, 1, 4) - faces.DARKER
        return float((floor - after).clamp_min(0).square().mean())

    assert black(4000.0) < black(0.0)


def test_words_move_the_face_first(editor: FaceEditor, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def edit(face: Face, text: str, **options: Any) -> SimpleNamespace:
        said.append(text)
        return SimpleNamespace(latent=Latent(face.latent.w + 0.1))

    options = DrawOptions(steps=0, tried=2)
    plain = draw_faces(editor, drawing("sketch"), "sketch", options=options)
    monkeypatch.setattr(editor, "edit", edit)
    other = draw_faces(editor, drawing("sketch"), "sketch", "an old woman", options=options)
    assert said == ["an old woman"]
    assert torch.allclose(other.face.latent.w, plain.face.latent.w + 0.1)


def test_what_fits_is_near() -> None:
    red = to_tensor(Image.new("RGB", (64, 64), (200, 30, 30)))
    read = strokes(drawing("scribble"), None, 64)
    assert float(read.distance(red)) < 0.1 < float(read.distance(-red))
    sketch = drawing("sketch").resize((64, 64))
    read = lines(sketch, None, 64)
    assert float(read.distance(to_tensor(sketch))) < float(
        read.distance(to_tensor(sketch.rotate(45)))
    )


def test_parts_are_read_by_number_and_by_colour() -> None:
    numbers = np.array([[0, 1], [2, 15]], np.uint8)
    assert np.array_equal(read_parts(Image.fromarray(numbers)), numbers)
    painted = np.asarray(COLORS, np.uint8)[numbers]
    assert np.array_equal(read_parts(Image.fromarray(painted)), numbers)
    clear = np.dstack([painted, np.full((2, 2), 255, np.uint8)])
    clear[0, 1, 3] = 0
    assert read_parts(Image.fromarray(clear))[0, 1] == -1
    with pytest.raises(ValueError, match="no part of a face"):
        read_parts(Image.new("RGB", (4, 4), (120, 120, 255)))
    with pytest.raises(ValueError, match="needs a model with a parser"):
        parts(drawing("labels"), None, 32)


def test_what_is_refused(editor: FaceEditor) -> None:
    with pytest.raises(ValueError, match="one of scribble, sketch, labels"):
        draw_faces(editor, drawing("sketch"), "poem")
    for kind in ("scribble", "sketch"):
        with pytest.raises(ValueError, match="nothing is drawn"):
            draw_faces(editor, Image.new("RGB", (32, 32), (250, 250, 250)), kind)
    with pytest.raises(ValueError, match="steps"):
        DrawOptions(steps=-1)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "mine.png", tmp_path / "face.png"
    drawing("scribble").save(source)
    words = ["draw", str(source), "--out", str(out), "--model", "tiny", "--steps", "2"]
    assert run([*words, "--count", "2", "--codes", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["faces"]
    assert [Path(row["out"]).name for row in rows] == ["face-1.png", "face-2.png"]
    assert Path(rows[1]["code"]).is_file()
    for bad, why in (
        (["--as", "poem"], "--as 'poem' is not one of"),
        (["--out", "face.doc"], ".png"),
    ):
        assert run([*words, *bad]) == 2
        told = capsys.readouterr().err
        assert why in told
        assert told.count("\n") == 1
    source.write_bytes(b"\x89PNG no picture")
    assert run(words) == 2
    assert "cannot be read as a drawing" in capsys.readouterr().err
    Image.new("RGB", (32, 32), "white").save(source)
    assert run(words) == 2
    assert "nothing is drawn" in capsys.readouterr().err
