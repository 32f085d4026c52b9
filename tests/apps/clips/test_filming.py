"""Films: faces followed through them, edited, written with their own times and sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch import get_num_threads

from apps.cli import run
from apps.clips.filming import Filming, OnFrames, Span, edit_film, write_parts
from apps.clips.parts import is_whole, spans
from apps.clips.reading import Film, frames_of, read_film
from apps.clips.segments import FilmActor
from apps.clips.shots import Shot, chosen_keys, coded_among
from apps.edits import EditSpec
from apps.samples import faces
from multimodal import FaceEditor
from multimodal.faces.tracking import track_faces
from multimodal.types import Offset
from tests.tiny_editor import tiny_editor

SIZE = (256, 208)
FRAMES = 7


def frame(number: int, mirrored: bool = False) -> Image.Image:
    """A face that wanders to the right, two pixels a frame."""
    face = Image.open(faces()[0]).convert("RGB").resize((190, 190))
    picture = Image.new("RGB", SIZE, (40, 60, 90) if mirrored else (200, 190, 170))
    picture.paste(
        face.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else face, (8 + 2 * number, 9)
    )
    return picture


def write_film(path: Path, pictures: list[Image.Image], sound: bool = True) -> Path:
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10, options={"crf": "10", "bf": "0"})
        video.width, video.height, video.pix_fmt = (*pictures[0].size, "yuv420p")
        heard = container.add_stream("aac", rate=16000, layout="mono") if sound else None
        for number, picture in enumerate(pictures):
            shown = av.VideoFrame.from_image(picture)
            shown.pts, shown.time_base = number, Fraction(1, 10)
            container.mux(video.encode(shown))
        container.mux(video.encode(None))
        if heard is not None:
            tone = np.sin(np.arange(1600 * len(pictures)) / 9).astype(np.float32)[None] / 3
            block = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            block.sample_rate = 16000
            container.mux(heard.encode(block))
            container.mux(heard.encode(None))
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film")
    return write_film(folder / "in.mp4", [frame(n) for n in range(FRAMES)])


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> FaceEditor:
    return tiny_editor(tmp_path_factory.mktemp("editor"))


def how() -> Filming:
    return Filming(
        EditSpec(text="a smiling person", strength=2.0, method="delta"), "encoder", length=3
    )


def test_a_face_is_followed_and_its_crop_held_still() -> None:
    tracks = track_faces([frame(n) for n in range(FRAMES)])
    assert [(t.start, t.stop) for t in tracks] == [(0, FRAMES)]
    lefts = [place.quad[0][0] for place in tracks[0].places(64)]
    steps = np.diff(lefts)
    assert abs(float(steps.mean()) - 2) < 0.7
    assert float(steps.std()) < 1


def test_a_cut_ends_a_track() -> None:
    pictures = [frame(n) for n in range(3)] + [frame(n, mirrored=True) for n in range(3)]
    assert [(t.start, t.stop) for t in track_faces(pictures)] == [(0, 3), (3, 6)]


def test_what_is_known_of_a_film(film: Path) -> None:
    found = read_film(film)
    assert (found.size, found.frames, found.rate, found.sound) == (SIZE, FRAMES, 10, True)
    assert found.seconds == pytest.approx(0.6)
    assert len(list(frames_of(film))) == FRAMES


@pytest.fixture(scope="module")
def edited(
    film: Path, editor: FaceEditor, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, int]]:
    out = tmp_path_factory.mktemp("edited") / "out.mp4"
    return out, edit_film(editor, film, out, how())


def test_a_film_is_edited_where_the_face_is(
    film: Path, edited: tuple[Path, dict[str, int]]
) -> None:
    out, done = edited
    assert done == {"frames": FRAMES, "shots": 1, "without a face": 0}
    found = read_film(out)
    assert (found.size, found.frames, found.rate, found.sound) == (SIZE, FRAMES, 10, True)
    assert [p.name for p in out.parent.iterdir()] == ["out.mp4"]
    before, after = (np.asarray(next(frames_of(p)), np.float32) for p in (film, out))
    away = np.abs(before - after).mean(axis=-1)
    assert float(away[:, :4].mean()) < 2.5
    assert float(away.max()) > 4


def test_a_broken_run_goes_on(
    film: Path, editor: FaceEditor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, drawn, short = tmp_path / "out.mp4", list[Any](), how()

    def stop_at(done: int, total: int, what: str) -> None:
        if what.startswith("editing") and done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        edit_film(editor, film, out, short, stop_at)
    kept = sorted(next(tmp_path.glob(".out.*.film")).glob("*.mp4"))
    assert [part.stem for part in kept] == ["000000-000004"]
    assert not out.exists()
    import apps.clips.filming as filming

    real = filming.finished
    monkeypatch.setattr(filming, "finished", lambda *words: drawn.append(words[3:]) or real(*words))
    edit_film(editor, film, out, short)
    assert drawn == [(4, FRAMES)]
    assert read_film(out).frames == FRAMES
    assert not list(tmp_path.glob(".out.*"))


def test_a_damaged_part_is_written_anew(tmp_path: Path) -> None:
    part = tmp_path / "part.mp4"
    assert not is_whole(part)
    part.write_bytes(b"broken")
    assert not is_whole(part)


def test_frames_between_planned_ones_follow_them() -> None:
    tracks = track_faces([frame(n) for n in range(FRAMES)])
    places = tracks[0].places(64)
    keys = chosen_keys(tracks[0], places, 10, 4, [3])
    assert keys == [0, 3, 6]  # the face is carried along, it does not change
    shot = Shot(tracks[0], places, keys, [0, 6], torch.zeros(2, 1, 1), Offset(), 1.0)
    assert shot.about(0) == (0, 0, 0)
    assert shot.about(2) == (0, 3, pytest.approx(2 / 3))
    assert shot.about(3) == (3, 3, 0)
    assert coded_among(keys, 1.0) == [0, 3, 6]


def test_times_and_sound_stay(film: Path, edited: tuple[Path, dict[str, int]]) -> None:
    def packets(path: Path, kind: str) -> list[tuple[float, bytes]]:
        with av.open(str(path)) as container:
            stream = getattr(container.streams, kind)[0]
            found = [p for p in container.demux(stream) if p.pts is not None]
            return [(float(p.pts * p.time_base), bytes(p)) for p in found]

    assert packets(film, "audio") == packets(edited[0], "audio")
    times = [[time for time, _ in packets(path, "video")] for path in (film, edited[0])]
    assert times[0] == pytest.approx(times[1], abs=1e-3)


def test_strength_nought_leaves_the_pictures(
    film: Path, editor: FaceEditor, tmp_path: Path
) -> None:
    quiet = replace(how(), spec=replace(how().spec, strength=0.0))
    edit_film(editor, film, tmp_path / "same.mp4", quiet)
    pairs = zip(frames_of(film), frames_of(tmp_path / "same.mp4"), strict=True)
    for before, after in pairs:
        away = np.abs(np.asarray(before, np.float32) - np.asarray(after, np.float32))
        assert float(away.mean()) < 2.5  # what a second compression does


def test_bad_films(
    tmp_path: Path, editor: FaceEditor, film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "a.mp4"
    text.write_text("no film")
    with pytest.raises(ValueError, match="cannot be read as a film"):
        read_film(text)
    with pytest.raises(FileNotFoundError):
        read_film(tmp_path / "gone.mp4")
    for name in ("still.jpg", "still.png", "still.webp"):
        Image.new("RGB", SIZE).save(tmp_path / name)
        with pytest.raises(ValueError, match="is a picture, not a film: use `semblance edit`"):
            read_film(tmp_path / name)
    with pytest.raises(ValueError, match=r"end the name in \.mp4"):
        edit_film(editor, film, tmp_path / "out.avi", how())
    with pytest.raises(ValueError, match="overwrite"):
        edit_film(editor, film, film, how())
    empty = write_film(tmp_path / "empty.mp4", [Image.new("RGB", SIZE)] * 3, sound=False)
    with pytest.raises(ValueError, match="no face found"):
        edit_film(editor, empty, tmp_path / "out.mp4", how())
    assert run(["video", str(tmp_path / "gone.mp4"), "--text", "old", "--out", "x.mp4"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not list(tmp_path.glob("*out*"))


def test_segments_give_the_film_of_one_run(
    film: Path, edited: tuple[Path, dict[str, int]], editor: FaceEditor, tmp_path: Path
) -> None:
    assert spans(7, 3) == [(0, 4), (4, 7)]
    assert [b - a for a, b in spans(100, 48)] == [50, 50]
    assert spans(2, 48) == [(0, 2)]
    with pytest.raises(ValueError, match="at least 1"):
        spans(10, 0)
    told: list[int] = []

    def ahead(
        found: Film, shots: Sequence[Shot], folder: Path, parts: Sequence[Span], tell: OnFrames
    ) -> None:
        actor = FilmActor(lambda: editor, found, shots, str(folder), get_num_threads())
        starts, stops = np.array(parts).T
        done = actor({"start": starts, "stop": stops})
        assert done["problem"].tolist() == ["", ""]
        told.extend(done["frames"].tolist())
        assert write_parts(editor, found, shots, folder, parts, tell) == 0  # they are there
        lost = FilmActor(broken, found, shots, str(folder), get_num_threads())
        assert "cannot load the model" in lost({"start": starts, "stop": stops})["problem"][0]

    parts = tmp_path / "parts.mp4"
    edit_film(editor, film, parts, how(), ahead=ahead)
    assert sum(told) == FRAMES
    for one, two in zip(frames_of(edited[0]), frames_of(parts), strict=True):
        away = np.abs(np.asarray(one, np.int16) - np.asarray(two, np.int16))
        assert away.mean() < 0.5


@pytest.mark.slow
def test_ray_draws_a_film_by_segments(film: Path, editor: FaceEditor, tmp_path: Path) -> None:
    from apps.batch.ray_engine import RayConfig
    from apps.clips.segments import by_ray

    out = tmp_path / "out.mp4"
    ahead = by_ray(partial(tiny_editor, tmp_path), RayConfig("local", workers=1))
    done = edit_film(editor, film, out, replace(how(), length=4), ahead=ahead)
    assert done["frames"] == FRAMES
    assert read_film(out).frames == FRAMES


def broken() -> FaceEditor:
    raise FileNotFoundError("no such model")
