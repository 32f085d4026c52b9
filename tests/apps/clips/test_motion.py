from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from apps.clips.motion import Motion, animate, timeline_of
from multimodal import FaceEditor


def motion(**values: object) -> Motion:
    return Motion(**{"fps": 10.0, "seconds": 2.0, **values})  # type: ignore[arg-type]


def test_loudness_drives_strength_and_the_clip_carries_the_sound(
    editor: FaceEditor, laugh: Path, tmp_path: Path
) -> None:
    face = editor.sample(1)
    timeline = timeline_of(editor, face, motion(sound=laugh))
    assert timeline.weights.shape[0] == 20
    assert 1 <= timeline.weights.shape[1] <= 3
    loud = editor.toolkit.sound.track(str(laugh), 10.0).loudness[:20]
    assert np.allclose(timeline.weights.sum(1), 1.2 * loud, atol=1e-5)
    seen: list[tuple[int, int]] = []
    path = animate(
        editor, face, motion(sound=laugh), tmp_path / "a.mp4", lambda *at: seen.append(at)
    )
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 20
    with av.open(str(path)) as container:
        parts = [frame.to_ndarray() for frame in container.decode(audio=0)]
    assert sum(part.shape[1] for part in parts) == pytest.approx(96_000, abs=2048)
    assert max(np.abs(part).max() for part in parts) > 0.3
    assert seen[-1] == (20, 20)
    assert list(tmp_path.iterdir()) == [path]


def test_words_hold_and_prompts_change(editor: FaceEditor, tmp_path: Path) -> None:
    track = tmp_path / "prompts.srt"
    track.write_text(
        "1\n00:00:00,000 --> 00:00:01,000\na smile\n\n2\n00:00:01,000 --> 00:00:02,000\nan old face\n"
    )
    face = editor.sample(1)
    timeline = timeline_of(editor, face, motion(track=track, text="a child"))
    assert timeline.weights.shape == (20, 3)
    assert timeline.weights[:, 2].eq(1).all()
    assert timeline.weights[2].tolist() == pytest.approx([1.2, 0, 1])
    assert timeline.weights[19].tolist()[:2] == pytest.approx([0, 1.2])
    path = animate(editor, face, motion(track=track), tmp_path / "a.gif")
    with Image.open(path) as image:
        assert image.n_frames > 1


def test_what_cannot_move(editor: FaceEditor, tmp_path: Path, laugh: Path) -> None:
    with pytest.raises(ValueError, match="what moves"):
        Motion()
    with pytest.raises(ValueError, match="strength"):
        motion(sound=laugh, strength=float("nan"))
    with pytest.raises(ValueError, match="frame rate"):
        motion(sound=laugh, fps=0)
    text = tmp_path / "not.wav"
    text.write_text("hello")
    with pytest.raises(ValueError):
        timeline_of(editor, editor.sample(0), motion(sound=text))


def test_the_clip_lasts_until_the_last_cue_has_ended(editor: FaceEditor, tmp_path: Path) -> None:
    track = tmp_path / "prompts.srt"
    track.write_text(
        "1\n00:00:00,000 --> 00:00:01,800\na smile\n\n2\n00:00:00,500 --> 00:00:01,000\nold\n"
    )
    assert len(timeline_of(editor, editor.sample(1), motion(track=track))) == 18


def test_the_clip_carries_the_sound_as_it_was_recorded(editor: FaceEditor, tmp_path: Path) -> None:
    rate = 44_100
    wave = 0.1 * np.sin(2 * np.pi * 11_000 * np.arange(2 * rate) / rate)
    wave[: rate // 2] = 0
    soundfile.write(tmp_path / "quiet.wav", wave, rate)
    moved = motion(sound=tmp_path / "quiet.wav", seconds=1.5)
    path = animate(editor, editor.sample(1), moved, tmp_path / "a.mp4")
    with av.open(str(path)) as container:
        heard = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    assert len(heard) == pytest.approx(1.5 * 48_000, abs=2048)
    middle = heard[36_000:60_000]
    assert np.abs(middle).max() == pytest.approx(0.1, abs=0.03)
    assert np.abs(np.fft.rfft(middle)).argmax() * 2 == pytest.approx(11_000, abs=10)
    begins = int(np.argmax(np.abs(heard) > 0.05)) / 48_000
    assert begins == pytest.approx(0.5, abs=0.03)
    loud = timeline_of(editor, editor.sample(1), moved).weights.sum(1)
    assert int(loud.gt(0.5).nonzero()[0]) in (5, 6)
