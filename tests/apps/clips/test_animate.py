from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from apps.clips.animate import (
    Timeline,
    clear_caches,
    crossfade,
    frame_count,
    frames_of,
    key_weights,
    timeline_key,
)
from apps.clips.srt import read_cues
from guidance.common import apply_offset, draw
from multimodal.generators import load_generator
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.images import to_pil
from multimodal.types import Latent, Offset


@pytest.fixture(scope="module")
def generator() -> StyleGAN2:
    return load_generator("tiny", "cpu")


def offsets(generator: StyleGAN2) -> tuple[Offset, Offset]:
    seeded = torch.Generator().manual_seed(1)
    w = torch.randn(1, generator.num_layers, generator.style_dim, generator=seeded) * 0.3
    sizes = [s.shape[1] for s in generator.styles(w)]
    styles = tuple(torch.randn(1, size, generator=seeded) * 0.3 for size in sizes)
    return Offset(w), Offset(None, styles)


@pytest.mark.parametrize("space", ["w", "s", "both"])
def test_a_frame_is_the_latent_plus_the_weighted_offsets(generator: StyleGAN2, space: str) -> None:
    in_w, in_s = offsets(generator)
    chosen = {"w": (in_w,), "s": (in_s,), "both": (in_w, in_s)}[space]
    weights = torch.linspace(-1, 2, 5 * len(chosen)).reshape(5, -1)
    latent = generator.sample(1, 3)
    frames = list(frames_of(generator, latent, Timeline(chosen, weights, 25), batch=2))
    assert len(frames) == 5
    for frame, row in zip(frames, weights, strict=True):
        moved = latent
        for offset, strength in zip(chosen, row.tolist(), strict=True):
            moved = apply_offset(generator, moved, offset, strength)
        with torch.no_grad():
            expected = np.asarray(to_pil(draw(generator, moved)), dtype=int)
        assert np.abs(frame.astype(int) - expected).max() <= 1


def test_s_latents_move_too(generator: StyleGAN2) -> None:
    in_w, _ = offsets(generator)
    latent = generator.sample(1, 3)
    stored = Latent(latent.w, tuple(generator.styles(latent.w)))
    timeline = Timeline((in_w,), torch.tensor([[0.7]]), 25)
    (plain,), (moved,) = (list(frames_of(generator, x, timeline)) for x in (latent, stored))
    assert np.abs(plain.astype(int) - moved.astype(int)).max() <= 1


def test_an_interrupted_clip_goes_on_where_it_stood(generator: StyleGAN2, tmp_path: Path) -> None:
    in_w, _ = offsets(generator)
    latent, timeline = generator.sample(1, 0), Timeline((in_w,), torch.rand(9, 1), 25)
    cache = tmp_path / timeline_key(latent, timeline)
    whole = list(frames_of(generator, latent, timeline, batch=4))
    first = frames_of(generator, latent, timeline, batch=4, cache=cache)
    for _ in range(5):
        next(first)
    first.close()
    stamps = {path.name: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert len(stamps) == 2
    done: list[tuple[int, int]] = []
    again = list(
        frames_of(generator, latent, timeline, 4, cache, lambda at, total: done.append((at, total)))
    )
    assert np.array_equal(whole, again)
    assert done == [(4, 9), (8, 9), (9, 9)]
    assert all((cache / name).stat().st_mtime_ns == stamp for name, stamp in stamps.items())
    other = tmp_path / ".clip.b.0a.frames"
    for name in (".clip.0a1b.frames", ".clip.ff.frames", other.name):
        (tmp_path / name).mkdir()
    clear_caches(tmp_path / "clip.mp4")
    assert [path for path in tmp_path.iterdir() if path.name.endswith(".frames")] == [other]


def test_keys_differ_where_anything_differs(generator: StyleGAN2) -> None:
    in_w, in_s = offsets(generator)
    latent, weights = generator.sample(1, 0), torch.ones(3, 1)
    keys = {
        timeline_key(latent, Timeline((in_w,), weights, 25)),
        timeline_key(latent, Timeline((in_s,), weights, 25)),
        timeline_key(latent, Timeline((in_w,), weights * 2, 25)),
        timeline_key(latent, Timeline((in_w,), weights, 30)),
        timeline_key(generator.sample(1, 1), Timeline((in_w,), weights, 25)),
    }
    assert len(keys) == 5


def test_crossfade_holds_inside_a_span_and_fades_outside() -> None:
    weights = crossfade([(1.0, 2.0), (3.0, 4.0)], frames=100, fps=25, fade=0.4)
    assert weights.shape == (100, 2)
    assert weights[25:50, 0].eq(1).all()
    assert weights[62:, 0].eq(0).all()
    assert ((weights > 0) & (weights < 1)).any()
    assert weights[:60, 1].eq(0).all()


def test_key_weights_interpolate() -> None:
    weights = key_weights(9, 3)
    assert torch.allclose(weights.sum(1), torch.ones(9))
    assert weights[0].tolist() == [1, 0, 0]
    assert weights[4].tolist() == [0, 1, 0]
    assert weights[2].tolist() == [0.5, 0.5, 0]
    assert key_weights(4, 1).tolist() == [[1.0]] * 4


@pytest.mark.parametrize(("seconds", "fps"), [(0, 25), (1000, 25), (1, 0), (1, 1000)])
def test_bad_durations(seconds: float, fps: float) -> None:
    with pytest.raises(ValueError, match="not in"):
        frame_count(seconds, fps)


def test_bad_timeline(generator: StyleGAN2) -> None:
    in_w, _ = offsets(generator)
    with pytest.raises(ValueError, match="do not fit"):
        Timeline((in_w,), torch.ones(4, 2), 25)
    with pytest.raises(ValueError, match="not finite"):
        Timeline((in_w,), torch.tensor([[float("nan")]]), 25)


def test_srt_cues(tmp_path: Path) -> None:
    path = tmp_path / "prompts.srt"
    path.write_text(
        "2\n00:00:02,500 --> 00:00:04,000\nan old\nface\n\n1\n00:00:00.000 --> 00:00:02,5\na smile\n",
    )
    cues = read_cues(path)
    assert [(c.start, c.end, c.text) for c in cues] == [
        (0.0, 2.5, "a smile"),
        (2.5, 4.0, "an old face"),
    ]


@pytest.mark.parametrize(
    "text", ["", "hello", "1\n00:00:02,0 --> 00:00:01,0\na smile", "1\n00:00:00,0 --> 00:00:01,0\n"]
)
def test_bad_srt(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prompts.srt"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"prompts.srt"):
        read_cues(path)
    with pytest.raises(FileNotFoundError):
        read_cues(tmp_path / "none.srt")


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "another", "claim"])
def test_a_damaged_frame_of_the_cache_is_drawn_again(
    generator: StyleGAN2, tmp_path: Path, damage: str
) -> None:
    in_w, _ = offsets(generator)
    latent, cache = generator.sample(1, 3), tmp_path / "frames"
    timeline = Timeline((in_w,), torch.linspace(0, 1, 4)[:, None], 25)
    whole = [frame.copy() for frame in frames_of(generator, latent, timeline, 2, cache)]
    path = sorted(cache.iterdir())[0]
    content = path.read_bytes()
    middle = len(content) // 2
    changed = {
        "cut": content[:middle],
        "flipped": content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :],
        "empty": b"",
        "another": b"\x93NUMPY\x01\x00",
        "claim": content.replace(b"(2, 32, 32, 3)", b"(2, 32, 99, 3)"),
    }[damage]
    assert changed != content
    path.write_bytes(changed)
    again = list(frames_of(generator, latent, timeline, 2, cache))
    assert all(np.array_equal(a, b) for a, b in zip(whole, again, strict=True))
    assert path.read_bytes() == content


def test_nothing_hidden_is_left_of_a_finished_clip(tmp_path: Path) -> None:
    for name in (".clip.0a1b.frames", ".clip-ab_d1234.mp4", ".clip2-abcd1234.mp4", ".other"):
        (tmp_path / name).mkdir() if name.endswith("frames") else (tmp_path / name).touch()
    clear_caches(tmp_path / "clip.mp4")
    assert {path.name for path in tmp_path.iterdir()} == {".clip2-abcd1234.mp4", ".other"}


def test_hours_of_four_thousand_digits(tmp_path: Path) -> None:
    path = tmp_path / "prompts.srt"
    for digits in (4, 4000, 5000):
        path.write_text(f"1\n{'9' * digits}:00:00,0 --> {'9' * digits}:00:01,0\na smile\n")
        with pytest.raises(ValueError, match=r"prompts\.srt.* is not a time line"):
            read_cues(path)
