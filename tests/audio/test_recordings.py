"""Recordings as microphones, pipes and old programs leave them."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio.envelope import frame_loudness
from audio.io import RATE, Sound, load_recording, load_sound

NOISE = np.random.default_rng(0)


def burst(seconds: float = 0.8) -> np.ndarray:
    return np.sin(np.arange(int(seconds * RATE)) * 0.3) * 0.4


def talk(pause: np.ndarray) -> np.ndarray:
    """Sound, a pause of two seconds, sound."""
    return np.concatenate([burst(), pause, burst()]).astype(np.float32)


def wav(samples: np.ndarray, rate: int = RATE) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def in_pause(samples: np.ndarray) -> float:
    level = frame_loudness(load_sound(wav(samples), trim=False), 25.0)
    assert float(level[5:18].min()) > 0.6
    return float(level[42:65].max())


@pytest.mark.parametrize("offset", [0.005, -0.01, 0.05])
def test_an_offset_is_not_heard(offset: float):
    assert in_pause(talk(np.zeros(2 * RATE)) + offset) < 0.02
    recorded = load_recording(wav(talk(np.zeros(2 * RATE)) + offset))
    assert abs(float(recorded.samples.mean())) < 1e-5


def test_a_drifting_offset_is_not_heard():
    samples = talk(np.zeros(2 * RATE))
    assert in_pause(samples + np.linspace(0, 0.03, len(samples))) < 0.05


@pytest.mark.parametrize("level", [0.001, 0.01, 0.03])
def test_hiss_in_a_pause_is_silence(level: float):
    assert in_pause(talk(NOISE.normal(0, level, 2 * RATE))) < 0.05


def test_a_steady_sound_and_a_soft_one_stay_heard():
    steady = frame_loudness(Sound(burst(3.0).astype(np.float32)), 25.0)
    assert float(steady.min()) > 0.8
    soft = np.concatenate([burst(2.0), burst(0.5) * 0.15, burst(2.0)]).astype(np.float32)
    assert float(frame_loudness(Sound(soft), 25.0)[55:60].min()) > 0.2


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
@pytest.mark.parametrize("form", ["bytes", "path"])
def test_a_wav_from_a_pipe_is_read_to_its_end(tmp_path: Path, size: int, form: str):
    whole = wav(talk(np.zeros(RATE)))
    at = whole.index(b"data") + 4
    data = whole[:4] + struct.pack("<I", size) + whole[8:at] + struct.pack("<I", size)
    data += whole[at + 4 :]
    path = tmp_path / "pipe.wav"
    path.write_bytes(data)
    heard = load_recording(data if form == "bytes" else path)
    assert np.array_equal(heard.samples, load_recording(whole).samples)


def test_a_wav_that_is_really_empty_is_refused():
    empty = wav(np.zeros(0))
    for data in (empty, empty + b"LIST" + struct.pack("<I", 4) + b"INFO"):
        with pytest.raises(ValueError, match=r"no samples|silent"):
            load_recording(data)


def mp3(samples: np.ndarray) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, RATE, format="MP3")
    return out.getvalue()


def test_an_mp3_after_zeros_is_read():
    whole = mp3(talk(np.zeros(RATE)))
    plain, late = load_recording(whole), load_recording(bytes(5000) + whole)
    assert len(late.samples) == pytest.approx(len(plain.samples), abs=2400)
    assert plain.seconds == pytest.approx(2.6, abs=0.2)
    with pytest.raises(ValueError, match="not a sound"):
        load_recording(bytes(5000))


def test_a_damaged_mp3_says_nothing_on_stderr(tmp_path: Path):
    data = bytearray(mp3(talk(np.zeros(RATE))))
    for at in range(600, len(data), 700):
        data[at : at + 60] = NOISE.bytes(60)
    path = tmp_path / "torn.mp3"
    path.write_bytes(bytes(data))
    script = f"from audio.io import load_recording\ntry: load_recording({str(path)!r})\nexcept ValueError: pass"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == ""


def test_what_is_no_path_of_a_sound_is_refused_without_repeating_it():
    for source in ("data:audio/wav;base64," + "UklGR" * 900, "UklGR" * 900):
        with pytest.raises(FileNotFoundError) as caught:
            load_recording(source)
        assert "UklGRUklGR" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match=r"https://example\.org/a\.wav"):
        load_recording("https://example.org/a.wav")
