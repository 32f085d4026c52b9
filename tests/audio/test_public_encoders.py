"""The public sound encoders against numbers recorded from the official code."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from audio.registry import SOUND_ENCODERS, load_sound_encoder
from audio.soundclip import SoundClip, decibels, load_soundclip, mel_power, prepare
from audio.wav2clip import Wav2Clip, load_wav2clip
from tests.parity_data import assert_close, expected, inputs, state_dict


@pytest.fixture(scope="module")
def wav2clip() -> Wav2Clip:
    return load_wav2clip(state_dict("wav2clip"))


@pytest.fixture(scope="module")
def soundclip() -> SoundClip:
    return load_soundclip(state_dict("soundclip_audio_encoder"))


def shaped(
    wave: torch.Tensor, rate: int, centre: float, width: float, start: float
) -> torch.Tensor:
    t = np.arange(wave.shape[-1]) / rate
    tone = 0.2 * np.sin(2 * math.pi * 440 * t) * (t > start)
    bell = np.exp(-(((t - centre) / width) ** 2))
    return torch.from_numpy((wave.numpy().astype(np.float64) * bell + tone).astype(np.float32))


def wav2clip_waves() -> torch.Tensor:
    return shaped(inputs("wav2clip")["wave"], 16000, 0.8, 0.5, 0.5)


@torch.no_grad()
def test_wav2clip_numbers(wav2clip: Wav2Clip) -> None:
    waves, recorded = wav2clip_waves(), expected("wav2clip")
    spectrogram = wav2clip.features(waves[:1])
    assert_close(spectrogram.exp()[:, :, ::8], recorded["spectrogram_f8"], 1e-4)
    assert_close(wav2clip.encode(waves[:1]), recorded["encoder_only_single"])
    assert_close(wav2clip(waves[:1]), recorded["embed_single"])
    assert_close(wav2clip(waves, standardise="batch"), recorded["embed_batch2"])


@torch.no_grad()
def test_wav2clip_windows(wav2clip: Wav2Clip) -> None:
    frames = wav2clip_waves()[0].unfold(0, 16000, 8000)
    out = wav2clip(frames, standardise="batch").T[None]
    assert_close(out, expected("wav2clip")["embed_frames_1s_hop0.5s"])


@torch.no_grad()
def test_wav2clip_hears_each_clip_alone(wav2clip: Wav2Clip) -> None:
    waves = wav2clip_waves()
    torch.testing.assert_close(
        wav2clip.hear(waves)[:1], wav2clip.hear(waves[:1]), atol=1e-5, rtol=0
    )
    assert wav2clip.hear(torch.randn(1, 20)).isfinite().all()


@torch.no_grad()
def test_soundclip_numbers(soundclip: SoundClip) -> None:
    net, recorded = "soundclip_audio_encoder", expected("soundclip_audio_encoder")
    assert_close(soundclip(inputs(net)["spec"]), recorded["embedding_of_spec"])
    wave = shaped(inputs(net)["wave"], 44100, 1.2, 0.6, 0.7)
    mel = mel_power(wave)
    assert list(mel.shape) == list(recorded["mel_shape_wave"])
    assert_close(mel[:, 120], recorded["melspec_wave_t120"], 1e-4)
    assert_close(decibels(mel)[:, ::4], recorded["db_wave_sub4"], 1e-4)
    features = prepare(wave)
    assert_close(features[:, :, ::4, ::4], recorded["prep_wave_sub4"], 1e-4)
    assert_close(soundclip(features), recorded["embedding_of_wave"], 1e-4)


@torch.no_grad()
def test_soundclip_crop_of_a_long_sound(soundclip: SoundClip) -> None:
    net, recorded = "soundclip_audio_encoder", expected("soundclip_audio_encoder")
    features = prepare(inputs(net)["wavelong"], start=17)
    assert_close(features[:, :, ::4, ::4], recorded["prep_wavelong_sub4"], 1e-4)
    assert_close(soundclip(features), recorded["embedding_of_wavelong"], 1e-4)


def test_one_door_to_all_families(tmp_path: Path) -> None:
    for name, net in (("wav2clip", "wav2clip"), ("soundclip", "soundclip_audio_encoder")):
        path = tmp_path / f"{name}.pt"
        state = state_dict(net)
        if name == "soundclip":
            state = {f"module.{key}": value for key, value in state.items()}
        torch.save(state, path)
        heard = load_sound_encoder(path).hear(torch.randn(1, 8000))  # type: ignore[operator]
        assert heard.shape == (1, 512)
        assert float(heard.norm()) == pytest.approx(1, abs=1e-5)
    assert set(SOUND_ENCODERS) == {"wav2clip", "soundclip"}


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    with pytest.raises(FileNotFoundError, match=r"other\.pt"):
        load_sound_encoder(path)
    torch.save({"a": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="no known family"):
        load_sound_encoder(path)
    torch.save({"a": Path("x")}, path)
    with pytest.raises(ValueError, match="plain tensors"):
        load_sound_encoder(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="plain tensors"):
        load_sound_encoder(path)
    with pytest.raises(ValueError, match="not a Wav2CLIP"):
        load_wav2clip({"audio_transform.sequential.0.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match="not a sound-guided"):
        load_soundclip({})
