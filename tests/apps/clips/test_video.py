from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from apps.clips.video import write_clip

RATE = 16_000


def blank(size: tuple[int, int] = (32, 32), level: int = 0) -> Image.Image:
    return Image.new("RGB", size, (level, level, level))


def flash_and_click(fps: float, frame: int, count: int) -> tuple[list[Image.Image], np.ndarray]:
    frames = [blank(level=255 if k == frame else 0) for k in range(count)]
    samples = np.zeros(round(count / fps * RATE), dtype=np.float32)
    start = round(frame / fps * RATE)
    samples[start : start + 160] = np.sin(np.arange(160) * 0.8)
    return frames, samples


def decoded(path: Path) -> tuple[list[tuple[float, np.ndarray]], np.ndarray, float]:
    with av.open(str(path)) as container:
        pictures = [(float(f.time), f.to_ndarray(format="gray")) for f in container.decode(video=0)]
    with av.open(str(path)) as container:
        parts = list(container.decode(audio=0))
    sound = np.concatenate([p.to_ndarray()[0] for p in parts])
    return pictures, sound, float(parts[0].time)


@pytest.mark.parametrize(("fps", "frame"), [(25.0, 17), (29.97, 40), (10.0, 3)])
def test_flash_and_click_meet_within_one_frame(tmp_path: Path, fps: float, frame: int) -> None:
    frames, samples = flash_and_click(fps, frame, frame + 20)
    path = write_clip(frames, tmp_path / "clip.mp4", fps, (RATE, samples))
    pictures, sound, sound_start = decoded(path)
    seen = next(time for time, picture in pictures if picture.mean() > 128)
    heard = sound_start + int(np.argmax(np.abs(sound) > 0.4)) / 48_000
    assert abs(seen - frame / fps) < 0.5 / fps
    assert abs(seen - heard) < 1 / fps
    assert abs(seen - heard) < 0.03


def test_clip_has_every_frame_and_h264(tmp_path: Path) -> None:
    path = write_clip((blank(level=k) for k in range(30)), tmp_path / "clip.mp4", 30)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert sum(1 for _ in container.decode(stream)) == 30
        assert "AI-edited" in container.metadata["comment"]
    assert list(tmp_path.iterdir()) == [path]


def test_odd_sizes_are_padded(tmp_path: Path) -> None:
    path = write_clip([blank((33, 31), 200)] * 3, tmp_path / "odd.mp4")
    with av.open(str(path)) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (34, 32)


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_animations_without_sound(tmp_path: Path, suffix: str) -> None:
    frames = [blank(level=60 * k) for k in range(4)]
    path = write_clip(frames, tmp_path / f"clip{suffix}", 10)
    with Image.open(path) as image:
        assert image.n_frames == 4
        image.seek(1)
        image.load()
        assert image.info["duration"] == 100


@pytest.mark.parametrize("fps", [12.0, 25.0, 30.0, 50.0])
def test_a_gif_lasts_as_long_as_its_frames(tmp_path: Path, fps: float) -> None:
    frames = [blank(level=5 * k) for k in range(int(fps))]
    with Image.open(write_clip(frames, tmp_path / "clip.gif", fps)) as image:
        shown = []
        for index in range(image.n_frames):
            image.seek(index)
            shown.append(image.info["duration"])
    assert sum(shown) == 1000
    assert min(shown) >= 20


def noise(count: int) -> Iterator[Image.Image]:
    for _ in range(count):
        yield Image.effect_noise((64, 64), 50).convert("RGB")


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".webp"])
def test_frames_are_let_go_as_they_are_written(tmp_path: Path, suffix: str) -> None:
    before, kept = pictures_alive(), []

    def frames() -> Iterator[Image.Image]:
        for frame in noise(12):
            yield frame
            kept.append(pictures_alive() - before)

    write_clip(frames(), tmp_path / f"clip{suffix}", 10)
    assert len(kept) == 12
    assert max(kept) <= 5


def pictures_alive() -> int:
    gc.collect()
    return sum(isinstance(one, Image.Image) for one in gc.get_objects())


def test_a_gif_is_written_while_it_is_drawn(tmp_path: Path) -> None:
    sizes: list[int] = []

    def frames() -> Iterator[Image.Image]:
        for frame in noise(12):
            sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
            yield frame

    path = write_clip(frames(), tmp_path / "clip.gif", 10)
    assert sizes[-1] > 12 * 1024
    with Image.open(path) as image:
        assert (image.n_frames, image.info["loop"]) == (12, 0)
        assert b"AI-edited" in image.info["comment"]


@pytest.mark.parametrize(
    ("name", "fps", "frames", "message"),
    [
        ("clip.avi", 25.0, [blank()], "avi"),
        ("clip.mp4", 0.0, [blank()], "frame rate"),
        ("clip.mp4", 1e-4, [blank()], "frame rate"),
        ("clip.gif", 60.0, [blank()], "at most 50"),
        ("clip.mp4", float("nan"), [blank()], "frame rate"),
        ("clip.mp4", 25.0, [], "at least one frame"),
        ("clip.mp4", 25.0, [blank(), blank((16, 16))], "differ in size"),
    ],
)
def test_bad_requests_are_refused_and_leave_nothing(
    tmp_path: Path, name: str, fps: float, frames: list[Image.Image], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_clip(frames, tmp_path / name, fps)
    assert list(tmp_path.iterdir()) == []


COLOURS = ((200, 40, 40), (40, 180, 60), (50, 60, 210), (230, 200, 40), (128, 128, 128))


@pytest.mark.parametrize(("size", "matrix"), [((1280, 720), 1), ((64, 1080), 1), ((640, 480), 6)])
def test_an_mp4_says_how_its_colours_are_made(
    tmp_path: Path, size: tuple[int, int], matrix: int
) -> None:
    from av.video.reformatter import ColorRange, Colorspace

    for colour in COLOURS:
        path = write_clip([Image.new("RGB", size, colour)] * 2, tmp_path / "c.mp4", 25)
        with av.open(str(path)) as clip:
            frame = next(clip.decode(video=0))
            context = clip.streams.video[0].codec_context
            assert (context.colorspace, context.color_range) == (matrix, 1)
            assert (context.color_primaries, context.color_trc) == (1, 1)
            by_book = Colorspace.ITU709 if matrix == 1 else Colorspace.ITU601
            seen = frame.reformat(
                format="rgb24",
                src_colorspace=by_book,
                src_color_range=ColorRange.MPEG,
                dst_color_range=ColorRange.JPEG,
            ).to_ndarray()
        assert np.abs(seen.astype(int) - colour).max() <= 4


def test_a_gif_stands_still_where_nothing_moves(tmp_path: Path) -> None:
    x, y = np.meshgrid(np.arange(96), np.arange(80))
    still = np.stack([x * 2, y * 3, (x + y) % 256], axis=-1).astype(np.uint8)
    frames = []
    for k in range(6):
        moving = still.copy()
        moving[20:50, 10 + 8 * k : 30 + 8 * k] = np.random.default_rng(k).integers(0, 256, 3)
        frames.append(Image.fromarray(moving))
    frames[3] = frames[2]
    with Image.open(write_clip(frames, tmp_path / "still.gif", 10)) as clip:
        assert clip.n_frames == 6
        seen = []
        for k in range(6):
            clip.seek(k)
            seen.append(np.asarray(clip.convert("RGB"), int))
    outside = np.ones((80, 96), bool)
    outside[20:50, 10:72] = False
    for k, one in enumerate(seen):
        assert np.array_equal(one[outside], seen[0][outside])
        assert np.abs(one - np.asarray(frames[k], int)).mean() < 8
