"""The command line, through its own door."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pandas
import pytest
from PIL import Image

import apps.batch.photo_edit
import apps.edits
from apps.cli import run
from multimodal import FaceEditor
from multimodal.types import Face


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch, editor: FaceEditor) -> None:
    """Every command loads the tiny test editor, whatever model it names."""
    for module in (
        apps.edits,
        apps.batch.photo_edit,
    ):  # the latter took the name when it was imported
        monkeypatch.setattr(module, "load_editor", lambda *_, **__: editor)


def ok(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, object]:
    """Run a command that must succeed; returns its JSON."""
    assert run([str(word) for word in (*words, "--json")]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run a command that must fail with exit code 2 and one line; returns the line."""
    assert run([str(word) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line for line in err.splitlines() if line.strip()]
    assert len(lines) == 1
    assert "Traceback" not in err
    return lines[0]


def test_invert_writes_four_files(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "face"
    told = ok(capsys, "invert", photo, "--out", out, "--method", "encoder")
    assert {path.name for path in out.iterdir()} == {
        "latent.safetensors",
        "aligned.png",
        "reconstruction.png",
        "report.json",
    }
    assert json.loads((out / "report.json").read_text())["seconds"] == told["seconds"]
    assert "AI-edited" not in Image.open(out / "aligned.png").info.get("Description", "")
    assert Face.load(out / "latent.safetensors").latent.w.shape[0] == 1


def test_sample_is_seeded(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for side in "ab":
        ok(capsys, "sample", "--count", 3, "--seed", 7, "--out", tmp_path / side)
    first, second = (sorted((tmp_path / side).iterdir()) for side in "ab")
    assert len(first) == 3
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_interpolate(capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path) -> None:
    ok(capsys, "interpolate", "seed:1", "seed:2", "--frames", 10, "--out", tmp_path / "a.mp4")
    with av.open(str(tmp_path / "a.mp4")) as clip:
        frames = [f.to_ndarray(format="rgb24").astype(int) for f in clip.decode(video=0)]
    assert len(frames) == 10
    ok(capsys, "interpolate", "seed:1", photo, "--frames", 4, "--out", tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as strip:
        assert strip.width > 3 * strip.height
    assert np.abs(frames[0] - frames[-1]).mean() > 1


def test_edit_with_a_sheet(
    capsys: pytest.CaptureFixture[str], photo: Path, laugh: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    told = ok(capsys, "edit", photo, "--text", "old", "--out", out, "--sheet")
    assert Path(str(told["sheet"])).is_file()
    assert json.loads((tmp_path / "out.json").read_text())["scores"]["strength"] == 1.0
    assert "AI-edited: old" in Image.open(out).info["Description"]
    ok(capsys, "edit", photo, "--sound", laugh, "--region", "mouth", "--out", tmp_path / "b.png")
    ok(capsys, "edit", photo, "--text", "old", "--sound", laugh, "--mix", 0.2, "--out", out)


def test_edits_are_replayed(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path
) -> None:
    from guidance.controls.edits import Edit, EditList

    edits = EditList((Edit("old"), Edit("a smile", strength=0.5))).save(tmp_path / "edits.json")
    told = ok(capsys, "edit", photo, "--edits", edits, "--out", tmp_path / "edits.png")
    assert told["scores"]["edits"] == 2.0  # type: ignore[index]
    assert len(EditList.load(edits)) == 2, "the report lies beside the list"
    assert json.loads((tmp_path / "edits-report.json").read_text())["scores"]["edits"] == 2.0
    assert "AI-edited: old; a smile" in Image.open(tmp_path / "edits.png").info["Description"]


def test_strips_show_the_strengths_that_were_used(editor: FaceEditor, photo: Path) -> None:
    from apps.commands.pictures.edit import sheet_of
    from apps.edits import EditSpec

    face, spec = editor.invert(photo, "encoder"), EditSpec(text="old")
    result = editor.edit(face, text="old")
    halved = replace(result, scores={**result.scores, "strength": 0.5})
    strips = [sheet_of(editor, face, found, spec) for found in (result, halved)]
    assert strips[0].size == strips[1].size
    assert strips[0].tobytes() != strips[1].tobytes()


def test_a_mask_and_settings_reach_the_inversion(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path
) -> None:
    mask = tmp_path / "mask.png"
    Image.linear_gradient("L").save(mask)
    words = ("invert", photo, "--method", "adam", "--set", "steps=2", "--set", "space=w")
    told = ok(capsys, *words, "--mask", mask, "--out", tmp_path / "a")
    assert told["steps"] == 2
    assert told["photo"] == photo.name
    whole = ok(capsys, *words, "--out", tmp_path / "b")
    assert told["mse"] != whole["mse"]


def test_settings_reach_the_method(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path
) -> None:
    words = ("edit", photo, "--text", "old", "--method", "optimize", "--out", tmp_path / "a.png")
    one = ok(capsys, *words, "--set", "steps=1", "--set", "lr=0.5")
    two = ok(capsys, *words, "--set", "steps=3", "--set", "lr=0.5")
    assert one["scores"] != two["scores"]


def test_commands_without_words_show_their_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models"]) == 2
    shown = capsys.readouterr().err
    assert len(shown.splitlines()) > 5
    assert "convert" in shown


def test_animate_and_listen(
    capsys: pytest.CaptureFixture[str], photo: Path, laugh: Path, tmp_path: Path
) -> None:
    clip = tmp_path / "a.mp4"
    ok(capsys, "animate", photo, "--sound", laugh, "--fps", 8, "--seconds", 1, "--out", clip)
    with av.open(str(clip)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 8
    heard = ok(capsys, "listen", laugh)["heard"]
    assert len(heard) == 5  # type: ignore[arg-type]
    assert run(["listen", str(laugh)]) == 0
    assert "%" in capsys.readouterr().out


def test_batch_and_again(capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("a.png", "b.png"):
        (source / name).write_bytes(photo.read_bytes())
    words = ("batch", source, "--text", "old", "--inversion", "encoder", "--out", out)
    assert ok(capsys, *words)["done"] == 2
    assert ok(capsys, *words)["skipped"] == 2
    assert "another edit" in refused(capsys, *words, "--strength", 2)
    (source / "c.png").write_text("no")
    assert run([str(word) for word in words]) == 1
    assert pandas.read_csv(out / "results.csv")["error"].notna().sum() == 1


def test_demo(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    told = ok(capsys, "demo", "--model", "tiny", "--out", tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"before.png", "after-text.png", "after-sound.png", "sheet.png"} <= names
    assert set(told["scores"]) == {"text", "sound", "mix"}  # type: ignore[call-overload]


def test_models(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = ok(capsys, "models", "list")["models"]
    assert "tiny" in [row["name"] for row in rows]  # type: ignore[attr-defined]
    ok(capsys, "models", "convert", "tiny", tmp_path / "tiny.safetensors")
    ok(capsys, "models", "convert", tmp_path / "tiny.safetensors", tmp_path / "tiny.pt")
    told = ok(capsys, "models", "inspect", tmp_path / "tiny.pt")
    assert told["resolution"] == 32
    assert "memory" in str(ok(capsys, "models", "pull", "tiny")["path"])


def test_train_mapper(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "mapper.safetensors"
    ok(capsys, "train-mapper", "a smile", "--steps", 1, "--batch", 1, "--out", out)
    assert out.is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("nonsense", "nonsense"),
        ("edit", "photo"),
        ("edit PHOTO --out OUT/a.png", "what to change"),
        ("edit PHOTO --text old --out OUT/a.bmp", "a.bmp"),
        ("edit NONE.png --text old --out OUT/a.png", "NONE.png"),
        ("edit PHOTO --text old --region elbow --out OUT/a.png", "elbow"),
        ("edit PHOTO --text old --layers , --out OUT/a.png", "names nothing"),
        ("edit PHOTO --text old --method magic --out OUT/a.png", "magic"),
        ("edit PHOTO --text old --strength 1e9 --out OUT/a.png", "strength"),
        ("edit PHOTO --sound NONE.wav --out OUT/a.png", "NONE.wav"),
        ("edit PHOTO --text old --edits PHOTO --out OUT/a.png", "edit list"),
        ("edit PHOTO --edits PHOTO --strength 0 --out OUT/a.png", "leave out strength"),
        ("edit PHOTO --edits PHOTO --keep age --layers fine --out OUT/a.png", "keep, layers"),
        ("edit PHOTO --text old --out PHOTO", "overwrite"),
        ("invert PHOTO --out OUT --set steps", "name=value"),
        ("edit PHOTO --text old --set elbow=1 --out OUT/a.png", "elbow"),
        ("edit PHOTO --edits PHOTO --set steps=1 --out OUT/a.png", "leave out settings"),
        ("invert PHOTO --out OUT --mask NONE.png", "NONE.png"),
        ("interpolate seed:1 seed:2 --frames 999 --out OUT/a.png", "at most 64"),
        ("interpolate seed:1 seed:2 --fps 0.001 --out OUT/a.mp4", "fps"),
        ("train-mapper old --steps 1 --out OUT/a.xyz", "a.xyz"),
        ("invert PHOTO --out OUT --method magic", "magic"),
        ("invert PHOTO --out OUT --face x", "face"),
        ("sample --count 0 --out OUT", "count"),
        ("interpolate seed:x seed:1 --out OUT/a.png", "seed"),
        ("interpolate seed:1 seed:2 --out OUT/a.avi", "a.avi"),
        ("animate PHOTO --out OUT/a.mp4", "what moves"),
        ("animate PHOTO --sound PHOTO --fps 0 --out OUT/a.mp4", "frame rate"),
        ("listen PHOTO", "sound"),
        ("batch NONE --text old --out OUT", "NONE"),
        ("models inspect NONE.pt", "NONE.pt"),
        ("models convert tiny OUT/a.zip", "a.zip"),
        ("models pull nothing", "nothing"),
        ("web --auth someone", "user:password"),
        ("web --auth *:*", "wildcard"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path, words: str, message: str
) -> None:
    given = words.replace("PHOTO", str(photo)).replace("OUT", str(tmp_path / "out"))
    line = refused(capsys, *given.split())
    assert line.startswith("semblance: ")
    assert message.lower() in line.lower()


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, apps.cli; apps.cli.build_app(); "
        "print([m for m in ('torch', 'gradio', 'ray', 'pandas', 'av', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
