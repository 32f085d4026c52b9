from __future__ import annotations

import contextlib
import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audio.io import RATE, Sound, load_recording, load_sound, loudness, save_sound


def tone(rate: int = RATE, seconds: float = 0.5, hertz: float = 440.0) -> np.ndarray:
    t = np.arange(int(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * hertz * t)).astype(np.float32)


def loudest_hertz(sound: Sound) -> float:
    spectrum = np.abs(np.fft.rfft(sound.samples))
    return float(spectrum.argmax() * sound.rate / len(sound.samples))


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_formats_of_libsndfile(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"tone.{ending}"
    soundfile.write(path, tone(22050), 22050)
    sound = load_sound(path)
    assert sound.rate == RATE
    assert sound.samples.dtype == np.float32
    assert loudest_hertz(sound) == pytest.approx(440, abs=5)
    assert load_sound(path.read_bytes()).seconds == sound.seconds


def test_m4a(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "tone.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(44100)[None], format="fltp", layout="mono")
        frame.sample_rate = 44100
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    assert loudest_hertz(load_sound(path)) == pytest.approx(440, abs=5)


@pytest.mark.parametrize(
    ("ending", "codec", "rate"), [("aac", "aac", 44100), ("webm", "libopus", 48000)]
)
def test_other_formats_of_ffmpeg(tmp_path: Path, ending: str, codec: str, rate: int) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / f"tone.{ending}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        fifo = av.AudioFifo()
        frame = av.AudioFrame.from_ndarray(tone(rate)[None], format="flt", layout="mono")
        frame.sample_rate = rate
        to_codec = av.AudioResampler(format=stream.format, layout="mono", rate=rate)
        for part in to_codec.resample(frame):
            fifo.write(part)
        for part in fifo.read_many(stream.frame_size or 1024, partial=True):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    assert loudest_hertz(load_sound(path)) == pytest.approx(440, abs=5)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {}\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
        "<?xml version='1.0'?><MPD><Period><BaseURL>{}</BaseURL></Period></MPD>",
    ],
    ids=["playlist", "list", "session", "manifest"],
)
@pytest.mark.parametrize("name", ["a.wav", "a.m3u8", "a.sdp", "a.mpd"])
def test_no_file_opens_another(tmp_path: Path, text: str, name: str) -> None:
    secret = tmp_path / "secret.mp3"
    soundfile.write(secret, tone(22050), 22050)
    path = tmp_path / name
    path.write_text(text.format(secret))
    with pytest.raises(ValueError, match="not a sound this can read"):
        load_sound(path)


@pytest.mark.parametrize("rate", [2000, 8000, 44100, 48000, 192_000, 384_000])
def test_rates(rate: int) -> None:
    sound = load_sound((rate, tone(rate)))
    assert sound.seconds == pytest.approx(0.5, abs=0.02)
    assert loudest_hertz(sound) == pytest.approx(440, abs=5)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint8, np.float64])
def test_integers_are_scaled(dtype: type) -> None:
    wave = tone()
    if dtype is np.uint8:
        given_samples = (wave * 127 + 128).astype(dtype)
    elif np.issubdtype(dtype, np.integer):
        given_samples = (wave * np.iinfo(dtype).max).astype(dtype)
    else:
        given_samples = wave.astype(dtype)
    np.testing.assert_allclose(
        load_sound((RATE, given_samples)).samples, load_sound((RATE, wave)).samples, atol=0.02
    )


def test_gain_changes_nothing() -> None:
    quiet = load_sound((RATE, 0.01 * tone()))
    np.testing.assert_allclose(quiet.samples, load_sound((RATE, tone())).samples, atol=1e-5)
    assert np.abs(quiet.samples).max() == pytest.approx(0.8, abs=1e-5)


def test_silence_at_the_ends_goes() -> None:
    wave = np.concatenate([np.zeros(RATE), tone(), np.zeros(2 * RATE)])
    sound = load_sound((RATE, wave))
    assert sound.seconds == pytest.approx(0.6, abs=0.05)
    assert sound.start == pytest.approx(0.95, abs=0.05)
    assert load_sound((RATE, wave), trim=False).seconds == pytest.approx(3.5, abs=0.01)


def test_long_sounds_are_cut_with_a_warning() -> None:
    sound = load_sound((RATE, tone(seconds=3.0)), max_seconds=1.0)
    assert sound.seconds <= 1.0
    assert "first 1 seconds" in sound.warnings[0]


def test_clipping_is_flagged() -> None:
    assert load_sound((RATE, np.clip(4 * tone(), -1, 1))).warnings == ("the recording is clipped",)
    assert load_sound((RATE, tone())).warnings == ()


def test_channels_that_cancel() -> None:
    both = np.stack([tone(), -tone()], axis=1)
    assert loudest_hertz(load_sound((RATE, both))) == pytest.approx(440, abs=5)
    assert load_sound((RATE, np.repeat(tone()[:, None], 64, axis=1))).seconds > 0.4


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ((RATE, np.zeros(1000)), "silent"),
        ((RATE, np.zeros(0)), "no samples"),
        ((RATE, np.full(1000, np.nan)), "not finite"),
        ((RATE, np.full(1000, 1e300)), "range"),
        ((1, tone()), "1 Hz"),
        ((1_000_000, tone()), "1000000 Hz"),
        ((-RATE, tone()), "Hz"),
        ((RATE, np.zeros((1000, 65))), "65 channels"),
        ((RATE, np.zeros((2, 2, 2))), "must be numbers"),
        ((RATE, np.array(["a"])), "must be numbers"),
        ((1.5, tone()), "microphone"),
        (b"this is a text", "not a sound"),
        (b"", "not a sound"),
        (3, "path, bytes"),
    ],
)
def test_bad_sounds(source: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        load_sound(source)  # type: ignore[arg-type]


def test_text_named_wav_and_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "words.wav"
    path.write_text("not a sound at all, but words " * 50)
    with pytest.raises(ValueError, match=r"words\.wav is not a sound"):
        load_sound(path)
    with pytest.raises(FileNotFoundError, match="none"):
        load_sound(tmp_path / "none.wav")


def test_truncated_file_is_an_error_or_a_shorter_sound() -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(), RATE, format="OGG")
    whole = buffer.getvalue()
    for share in (0.02, 0.3, 0.7):
        with contextlib.suppress(ValueError):
            assert load_sound(whole[: int(len(whole) * share)]).seconds <= 0.6


def test_save_and_load(tmp_path: Path) -> None:
    sound = load_sound((RATE, tone()))
    save_sound(tmp_path / "out.wav", sound)
    again = load_sound(tmp_path / "out.wav", trim=False)
    np.testing.assert_allclose(again.samples, sound.samples, atol=1e-3)
    with pytest.raises(ValueError, match="endings"):
        save_sound(tmp_path / "out.txt", sound)


def test_loudness_is_root_mean_square() -> None:
    np.testing.assert_allclose(loudness(np.array([3.0, 4.0, 1.0]), 2), [12.5**0.5, 0.5**0.5])


@settings(derandomize=True, max_examples=40, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.int16, np.uint8]),
        hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=70),
    ),
    st.integers(-10, 500_000),
)
def test_any_microphone_pair_gives_a_sound_or_a_value_error(samples: np.ndarray, rate: int) -> None:
    try:
        sound = load_sound((rate, samples))
    except ValueError:
        return
    assert np.isfinite(sound.samples).all()
    assert len(sound.samples) > 0
    assert np.abs(sound.samples).max() <= 0.81


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"RIFF", b"OggS", b"fLaC", b"ID3"]))
def test_any_bytes_give_a_sound_or_a_value_error(data: bytes, head: bytes) -> None:
    try:
        load_sound(head + data)
    except ValueError:
        return


@pytest.mark.parametrize("kind", ["FLAC", "WAV"])
def test_many_channels_are_mixed_in_bounded_memory(tmp_path: Path, kind: str) -> None:
    """Many channels at a high rate: decoded at once they would take 150 MB and more."""
    rate, channels = 192_000, 8 if kind == "FLAC" else 16
    path = tmp_path / f"wide.{kind.lower()}"
    with soundfile.SoundFile(path, "w", rate, channels, "PCM_16", format=kind) as file:
        second = np.zeros((rate, channels), dtype=np.float32)
        second[:, 0] = tone(rate, 1.0)
        for _ in range(6):
            file.write(second)
    tracemalloc.start()
    sound = load_recording(path, max_seconds=4.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (sound.rate, sound.seconds) == (rate, 4.0)
    # One of 16 channels is lost in their mean, so it is heard alone.
    expected = 0.5 / 8 if channels == 8 else 0.5
    assert np.abs(sound.samples).max() == pytest.approx(expected, rel=0.01)
    assert peak < 40 * 2**20


def test_bounded_memory_through_ffmpeg(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "wide.m4a"
    rate = 48_000
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=rate, layout="5.1")
        second = np.tile(tone(rate, 1.0), (6, 1))
        for k in range(20):
            frame = av.AudioFrame.from_ndarray(second, format="fltp", layout="5.1")
            frame.sample_rate, frame.pts = rate, k * rate
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    tracemalloc.start()
    sound = load_sound(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sound.seconds == pytest.approx(20, abs=0.2)
    assert loudest_hertz(sound) == pytest.approx(440, abs=5)
    assert peak < 25 * 2**20
    assert load_sound(path, max_seconds=2.0).seconds <= 2.0


def test_channels_that_cancel_in_a_file_of_many_blocks(tmp_path: Path) -> None:
    wave = tone(seconds=3.0)
    soundfile.write(tmp_path / "side.wav", np.stack([wave, -wave], axis=1), RATE)
    assert loudest_hertz(load_sound(tmp_path / "side.wav")) == pytest.approx(440, abs=5)


def test_a_recording_keeps_its_rate_level_and_beginning(tmp_path: Path) -> None:
    wave = np.concatenate([np.zeros(22_050, np.float32), 0.2 * tone(44_100, 1.0)])
    soundfile.write(tmp_path / "quiet.wav", wave, 44_100)
    sound = load_recording(tmp_path / "quiet.wav")
    assert (sound.rate, sound.start) == (44_100, 0.0)
    np.testing.assert_allclose(sound.samples, wave, atol=1e-4)
