"""What the bundled ears hear, name, and leave alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from audio.alignment import SoundEmbedder
from audio.hearing.ears import load_ears, save_ears
from audio.hearing.heard import NOTHING
from audio.hearing.pitch import frame_pitch, pitch_figures
from audio.hearing.voices import FILES, QUESTIONS, load_readers, speaker_shares, speakers
from audio.hearing.words import all_words, audioset_classes, read_words
from multimodal.files.bundled import HOME

SOUND = HOME / "default" / "sound"
SAMPLES = Path("apps/samples/sounds")


@pytest.fixture(scope="module")
def hears() -> SoundEmbedder:
    return SoundEmbedder.from_dir(SOUND)


def test_every_class_is_one_word() -> None:
    words = all_words()
    assert sorted(s for w in words for s in w.sounds) == sorted(audioset_classes())
    assert len(audioset_classes()) == 521
    with pytest.raises(ValueError, match="unknown"):
        read_words('[[words]]\nname = "x"\nsounds = ["No such sound"]')


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("1_laugh.ogg", "a person laughing"),
        ("3_scream.ogg", "a person screaming"),
        ("4_cheering.ogg", "people cheering"),
    ],
)
def test_human_sounds_have_a_face(hears: SoundEmbedder, file: str, name: str) -> None:
    heard = hears.heard(SAMPLES / file)
    assert heard is not None
    assert heard.sounds[0][0] == name
    assert heard.has_face
    assert heard.words


@pytest.mark.parametrize("file", ["6_dog_barking.ogg", "7_birds.ogg", "8_piano.ogg"])
def test_other_sounds_have_none(hears: SoundEmbedder, file: str) -> None:
    heard = hears.heard(SAMPLES / file)
    assert heard is not None
    assert not heard.has_face
    assert NOTHING in heard.summary


def test_silence_is_heard_as_silence(hears: SoundEmbedder) -> None:
    heard = hears.heard((16000, np.zeros(16000, dtype=np.float32)))
    assert heard is not None
    assert heard.summary == f"heard: silence; {NOTHING}"


def test_a_loud_dog_moves_nothing(hears: SoundEmbedder) -> None:
    track = hears.track(SAMPLES / "6_dog_barking.ogg", 10.0)
    assert float(track.loudness.max()) == 0.0
    laugh = hears.track(SAMPLES / "1_laugh.ogg", 10.0)
    assert float(laugh.loudness.max()) == pytest.approx(1.0)
    hop, moments = hears.moments(SAMPLES / "1_laugh.ogg")
    assert hop == pytest.approx(0.24)
    assert any(moment.has_face for moment in moments)


def test_a_laugh_lies_where_its_words_lie(hears: SoundEmbedder) -> None:
    ears = hears.encoder
    assert hasattr(ears, "head")
    row = [word.name for word in ears.words].index("a person laughing")  # type: ignore[attr-defined]
    near = hears.embed(SAMPLES / "1_laugh.ogg") @ ears.head.names[row]  # type: ignore[union-attr,operator]
    assert float(near) > 0.95


def test_evidence_names_a_sound_among_texts(hears: SoundEmbedder) -> None:
    ears = hears.encoder
    names = [word.name for word in ears.words]  # type: ignore[attr-defined]
    said = ("a person laughing", "a person crying", "a person screaming", "a person coughing")
    texts = ears.head.names[[names.index(one) for one in said]]  # type: ignore[union-attr,index]
    for file, right in (("1_laugh", 0), ("2_baby_cry", 1), ("3_scream", 2)):
        found = hears.evidence(SAMPLES / f"{file}.ogg", texts)
        assert found is not None
        assert int(found.argmax()) == right


def test_gain_changes_nothing(hears: SoundEmbedder) -> None:
    wave = np.random.default_rng(0).normal(size=16000).astype(np.float32) * 0.01
    first, second = hears.embed((16000, wave)), hears.embed((16000, wave * 30))
    assert float((first * second).sum()) == pytest.approx(1.0, abs=1e-3)


def test_saved_ears_hear_the_same(tmp_path: Path) -> None:
    ears = load_ears(SOUND)
    save_ears(ears, tmp_path, {"trained_on": {}})
    sound = torch.randn(1, 16000, generator=torch.Generator().manual_seed(1)) * 0.1
    ears.readers = torch.nn.ModuleList()
    again = load_ears(tmp_path)
    torch.testing.assert_close(again.listen(sound), ears.listen(sound), atol=1e-3, rtol=1e-3)
    (tmp_path / "ears.json").write_text("{}")
    with pytest.raises(ValueError, match="cannot be read"):
        load_ears(tmp_path)


def test_the_rest_works_without_the_acted_voices(tmp_path: Path) -> None:
    for path in SOUND.iterdir():
        if path.name != FILES[1]:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    assert len(load_readers(tmp_path)) == 1
    heard = SoundEmbedder.from_dir(tmp_path).heard(SAMPLES / "1_laugh.ogg")
    assert heard is not None
    assert heard.has_face


def test_speakers_add_up() -> None:
    voice = {name: torch.full((2, len(a)), 1 / len(a)) for name, a in QUESTIONS.items()}
    shares = speaker_shares(voice)
    assert shares.shape == (2, len(speakers()))
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(2))
    alone = speaker_shares({"sex": torch.tensor([[1.0, 0.0]])})
    assert float(alone[0, 0]) == 1.0  # an adult man in no known mood


def test_pitch_of_a_tone() -> None:
    t = torch.arange(16000) / 16000
    tone = sum(torch.sin(2 * torch.pi * 120 * k * t) / k for k in range(1, 8))[None]
    pitch, voiced = frame_pitch(tone)
    assert float(pitch.median()) == pytest.approx(120, rel=0.02)
    assert float(voiced.median()) > 0.9
    assert pitch_figures(tone).shape == (1, 8)
