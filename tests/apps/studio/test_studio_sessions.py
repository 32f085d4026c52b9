"""What the studio remembers and lets in: folders, edit lists, sliders and warnings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
import soundfile
import torch

from apps.edits import EditSpec
from apps.samples import sounds
from apps.studio.events.face_events import FaceEvents
from apps.studio.events.stage import Stage, summary
from apps.studio.layout import page, tabs
from apps.studio.moves import Channel
from apps.studio.service import Studio
from apps.studio.session import Session
from apps.web import build_demo
from guidance.controls.edits import FORMAT
from multimodal import FaceEditor
from tests.apps.conftest import free_port


@pytest.fixture
def studio(editor: FaceEditor) -> Studio:
    return Studio(editor)


@pytest.fixture
def session(studio: Studio) -> Session:
    return studio.open(studio.surprise(1))


def listed(folder: Path, *edits: dict[str, Any]) -> Path:
    path = folder / "edits.json"
    path.write_text(json.dumps({"format": FORMAT, "edits": edits}))
    return path


def clipped(path: Path, seconds: float = 1.0) -> Path:
    wave = np.sin(2 * np.pi * 440 * np.arange(int(16_000 * seconds)) / 16_000)
    soundfile.write(path, np.clip(4 * wave, -1, 1), 16_000)
    return path


def test_moves_of_a_slider_are_never_dropped(editor: FaceEditor) -> None:
    events = build_demo(editor).config["dependencies"]
    moved = [event for event in events if any(name == "release" for _, name in event["targets"])]
    assert len(moved) == 4 + len(editor.directions)
    assert {event["trigger_mode"] for event in moved} == {"always_last"}


def test_a_list_finds_samples_and_the_sessions_sounds_by_name(
    studio: Studio, session: Session, tmp_path: Path
) -> None:
    own = clipped(tmp_path / "mine.wav")
    edited = studio.add(session, EditSpec(sounds=(own,)), "\u266a mine")
    exported = studio.downloads(edited).edits
    assert exported is not None
    assert json.loads(exported.read_text())["edits"][0]["sound"] == "mine.wav"
    again = studio.replay(edited, exported)
    assert again.after.face.tobytes() == edited.after.face.tobytes()
    assert again.steps[0].spec is not None
    assert again.steps[0].spec.sounds == (own,)
    name = sounds()[0].name
    for written in (name, f"/home/someone/{name}", f"C:\\sounds\\{name}"):
        found = studio.replay(session, listed(tmp_path, {"sound": written}))
        assert found.steps[0].spec is not None
        assert found.steps[0].spec.sounds == (sounds()[0],)


def test_a_list_reads_no_other_file_of_the_server(
    studio: Studio, session: Session, tmp_path: Path
) -> None:
    secret = clipped(tmp_path / "secret.wav")
    path = listed(tmp_path, {"text": "old"}, {"sound": str(secret)})
    with pytest.raises(ValueError, match=r"needs the sound secret\.wav: add it on the Sound tab"):
        studio.replay(session, path)


def test_two_sounds_of_one_name_are_not_confused(
    studio: Studio, session: Session, tmp_path: Path
) -> None:
    for index, folder in enumerate(("a", "b")):
        (tmp_path / folder).mkdir()
        path = clipped(tmp_path / folder / "audio.wav", 1.0 + index)
        session = studio.add(session, EditSpec(sounds=(path,)), "\u266a")
    with pytest.raises(ValueError, match=r"2 sounds here are called audio\.wav"):
        studio.replay(session, listed(tmp_path, {"sound": "audio.wav"}))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"text": "x" * 400}, "at most 300"),
        ({"text": "a \x07 bell"}, "control characters"),
        ({"text": "old", "neutral": "y" * 400}, "looks like now"),
    ],
)
def test_words_of_a_list_pass_the_pages_checks(
    studio: Studio, session: Session, tmp_path: Path, edit: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        studio.replay(session, listed(tmp_path, edit))


def test_a_disabled_edit_is_left_out(studio: Studio, session: Session, tmp_path: Path) -> None:
    path = listed(tmp_path, {"text": "old"}, {"sound": "none.wav", "enabled": False})
    assert [step.label for step in studio.replay(session, path).steps] == ["old"]


def test_the_scores_are_those_of_the_edit_that_is_shown(studio: Studio, session: Session) -> None:
    first = studio.add(session, EditSpec(text="old"), "old")
    both = studio.add(first, EditSpec(text="a smile"), "a smile")
    assert first.scores["clip_after"] != both.scores["clip_after"]
    back = studio.redraw(both.undo())
    assert back.scores == first.scores
    assert summary(back) == summary(first)
    assert studio.redraw(back.redo()).scores == both.scores
    assert studio.redraw(first.undo()).scores == {}
    # What was measured of an edit says nothing of a slider's, nor of the edit at another strength.
    assert studio.slide(first, "age", 1.0).scores == {}
    assert first.with_strength(2.0).scores == {}


def test_another_inversion_keeps_the_chosen_face_and_the_edits(
    studio: Studio, session: Session, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = studio.slide(studio.add(session, EditSpec(text="old"), "old"), "age", 1.5).undo()
    face, asked = studio.surprise(2), []
    monkeypatch.setattr(studio, "invert", lambda *given: asked.append(given[1:3]) or face)
    with gr.Blocks() as demo:
        stage = Stage(studio, page.result_panel(), tabs.explore_tab(studio.directions()))
        events = FaceEvents(stage, page.face_panel([], studio.inversions()))
    _, _, picker, again, *_ = events.meet_chosen(keep_edits=True)(str(photo), "adam", edited, 1)
    assert asked == [("adam", 1)]
    assert picker == gr.skip()
    assert again.face is face
    assert [step.label for step in again.steps] == ["old"]
    assert [step.label for step in again.undone] == ["age"]
    assert again.after.face.tobytes() != again.before.face.tobytes()
    assert again.scores == {}  # they were measured on the other code
    asks = (events.panel.inversion._id, "input")
    wired = [event for event in demo.config["dependencies"] if asks in event["targets"]]
    assert [events.panel.which._id in event["inputs"] for event in wired] == [True]


def test_the_explore_sliders_stand_where_the_edits_say(studio: Studio, session: Session) -> None:
    with gr.Blocks():
        stage = Stage(studio, page.result_panel(), tabs.explore_tab(studio.directions()))
    moved = studio.slide(session, "smile", 1.5)
    assert list(stage.places(moved).values()) == [0, 1.5]
    assert list(stage.places(moved.undo()).values()) == [0, 0]
    assert list(stage.places(None).values()) == [0, 0]


def test_single_channels_slide(studio: Studio, session: Session) -> None:
    with gr.Blocks():
        explore = tabs.explore_tab(studio.sliders(), studio.styles())
        stage = Stage(studio, page.result_panel(), explore)
    moved = studio.slide_channel(session, Channel(3, 2), 4.0)
    assert moved.latent.styles is not None
    changed = [
        (index, int(place))
        for index, (after, before) in enumerate(
            zip(
                moved.latent.styles,
                studio.editor.generator.styles(session.face.latent.w),
                strict=True,
            )
        )
        for place in (after - before)[0].abs().gt(1e-6).nonzero().flatten()
    ]
    assert changed == [(3, 2)]
    assert stage.channel_strength(moved, 3, 2) == 4.0
    assert stage.channel_strength(moved, 3, 1) == 0.0
    assert explore.single is not None
    assert stage.places(moved, 3, 2)[explore.single.slider] == 4.0
    again = studio.slide_channel(moved, Channel(3, 2), 1.0)
    assert [step.strength for step in again.steps] == [1.0]
    for channel, message in ((Channel(99, 0), "Style 99"), (Channel(0, 9999), "Channel 9999")):
        with pytest.raises(ValueError, match=message):
            studio.slide_channel(session, channel, 1.0)


def test_pictures_of_a_stylegan3_turn_and_shift() -> None:
    studio = Studio(FaceEditor.from_pretrained("tiny-stylegan3"))
    assert studio.sliders()[-3:] == ["rotate picture", "shift right", "shift down"]
    start = studio.open(studio.surprise(1))
    face, generator = start.face, studio.editor.generator
    turned = studio.slide(start, "rotate picture", 2.0)
    both = studio.slide(turned, "shift right", 1.0)
    wanted = generator.synthesize_styles(generator.moved(face.latent.w, -30, 0.1))
    drawn = generator.synthesize_styles(both.latent.styles)
    torch.testing.assert_close(drawn, wanted, atol=1e-4, rtol=1e-3)
    other = studio.slide(both, "rotate picture", 0.0)
    wanted = generator.synthesize_styles(generator.moved(face.latent.w, 0, 0.1))
    drawn = generator.synthesize_styles(other.latent.styles)
    torch.testing.assert_close(drawn, wanted, atol=1e-4, rtol=1e-3)
    undone = studio.redraw(both.undo())
    torch.testing.assert_close(undone.latent.styles, turned.latent.styles)


FOLDERS = """
import os
from apps.studio.session import new_folder
folder = new_folder()
(folder / "kept").write_text("x")
assert new_folder().parent == folder.parent
print(folder.parent, oct(folder.parent.stat().st_mode & 0o777))
"""


def test_folders_go_with_the_process_and_stale_ones_at_the_start(tmp_path: Path) -> None:
    day = 24 * 3600
    for name, age in (
        ("semblance-studio-old", 2 * day),
        ("semblance-studio-new", 60),
        ("other", 9e5),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    root = str(Path(__file__).parents[3])
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": root}
    command = [sys.executable, "-c", FOLDERS]
    told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    home, mode = told.stdout.split()
    assert Path(home).parent == tmp_path
    assert Path(home).name.startswith("semblance-studio-")
    assert mode == "0o700"
    assert not Path(home).exists()
    assert {path.name for path in tmp_path.iterdir()} == {"semblance-studio-new", "other"}


SERVED = """
import os
import sys
from pathlib import Path
import gradio as gr
from apps.studio.server import ServerConfig, launch
from apps.studio.session import new_folder
with gr.Blocks() as demo:
    pass
(new_folder() / "kept").write_text("x")
upload = Path(os.environ["GRADIO_TEMP_DIR"]) / "upload.png"
upload.parent.mkdir(exist_ok=True)
upload.write_text("x")
demo.temp_file_sets.append({str(upload)})
launch(demo, ServerConfig(port=int(sys.argv[1])), on_ready=lambda url: print(url, flush=True))
"""


def test_folders_go_when_the_server_is_told_to_end(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[3])
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": root}
    environment["GRADIO_TEMP_DIR"] = str(tmp_path / "uploads")
    command = [sys.executable, "-c", SERVED, str(free_port())]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http")
        assert list(tmp_path.glob("semblance-studio-*/*/kept"))
        time.sleep(0.5)  # it waits for its end now
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGTERM
    assert not list(tmp_path.glob("semblance-studio-*"))
    assert not list((tmp_path / "uploads").rglob("*.png"))


def test_warnings_about_a_sound_are_shown(
    editor: FaceEditor, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    import apps.edits
    from apps.cli import run

    monkeypatch.setattr(apps.edits, "load_editor", lambda *_, **__: editor)
    sound = clipped(tmp_path / "loud.wav", 32.0)
    out = tmp_path / "a.png"
    for words in (
        ["listen", str(sound)],
        ["edit", str(photo), "--sound", str(sound), "--out", str(out)],
    ):
        assert run([*words, "--json"]) == 0
        told = capsys.readouterr()
        assert "loud.wav: the recording is clipped" in told.err
        assert "loud.wav: only the first 30 seconds are heard" in told.err
        json.loads(told.out)


def test_the_studio_warns_about_a_sound(tmp_path: Path) -> None:
    from apps.studio.events.stage import warn_of

    with pytest.warns(UserWarning, match="The recording is clipped"):
        warn_of(str(clipped(tmp_path / "loud.wav")))
