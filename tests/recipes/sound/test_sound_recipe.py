"""Recipes of the ears, in tiny."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from audio.encoder import SoundConfig, SoundEncoder
from audio.hearing.ears import Ears, load_ears, pooled, save_ears
from audio.hearing.voices import MOOD, SEX, load_reader, save_reader
from audio.hearing.yamnet import Patches
from audio.io import RATE
from recipes.evaluate import evaluate_sound
from recipes.sound import augment, heard_clips, train_ears, train_voices
from recipes.sound.data import Row, recording, split_of
from recipes.sound.heard_clips import HeardClips

SMALL = SoundConfig(
    stem=4, widths=(8, 8), blocks=(1, 1), strides=(4, 2, 2), hidden=16, heads=2, dim=12
)
COUNT = 2 * RATE


def make_row(
    file: str, label: str = "", meta: dict[str, str] | None = None, licence: str = "CC0-1.0"
) -> Row:
    return Row(file, "source", licence, label, meta or {}, {})


def sentences(texts: list[str]) -> torch.Tensor:
    """A vector for each text, the same each time."""
    rows = [torch.randn(384, generator=torch.Generator().manual_seed(hash(t) % 999)) for t in texts]
    return torch.nn.functional.normalize(torch.stack(rows), dim=1)


def test_one_voice_lies_on_one_side() -> None:
    said = [make_row(f"ravdess/{i}.ogg", "speech_anger", {"speaker": "7"}) for i in range(9)]
    assert len({split_of(row) for row in said}) == 1
    takes = [make_row(f"mod_sounds/thunder_{i}.ogg") for i in range(9)]
    assert len({recording(row) for row in takes}) == 1
    assert split_of(make_row("emodb/a.ogg", "speech_anger", {"speaker": "3"})) == "evaluate"


def test_labels_of_voices() -> None:
    row = make_row("ravdess/a.ogg", "speech_anger", {"speaker": "1", "sex": "f"})
    assert (row.event, row.emotion, row.sex, row.age) == (
        "adult speech", "angry", "woman", "adult",
    )  # fmt: skip
    assert train_voices.answers_of(row) == {"sex": 1, "age": 1, "mood": 3}
    child = make_row("speechocean762/a.ogg", "speech_child", {"speaker": "1", "age": "7"})
    assert train_voices.answers_of(child) == {"sex": -1, "age": 0, "mood": -1}


def test_only_permissive_clips_are_learnt() -> None:
    rows = [make_row("a/cough.ogg", "cough"), make_row("b/cough.ogg", "cough", None, "GPL-2.0")]
    kept = [r for split in ("train", "test") for r in heard_clips.clips_to_learn(rows, split)]
    assert kept == rows[:1]
    assert not heard_clips.may_be_learnt(make_row("c.ogg", "", None, "CC-BY-SA-3.0"))


def test_worse_recordings_keep_their_length() -> None:
    rng = np.random.default_rng(2)
    sound = augment.window(rng, rng.normal(size=RATE).astype(np.float32), COUNT)
    assert sound.shape == (COUNT,)
    for _ in range(8):
        worse = augment.degrade(rng, sound)
        assert worse.shape == (COUNT,)
        assert np.isfinite(worse).all()


def patches_of(ears: Ears, name: str, seed: int) -> Patches:
    """Patches in which one word's classes are high."""
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(1, 2, 521, generator=draw) - 6
    row = [word.name for word in ears.words].index(name)
    logits[..., ears.head.word_of == row] += 7
    return Patches(logits, torch.rand(1, 2, 1024, generator=draw), torch.zeros(1, 2, 0))


def test_the_head_learns_what_is_usual_and_a_door(tmp_path: Path) -> None:
    torch.manual_seed(0)
    trunk = Ears().trunk
    ears = train_ears.untaught(trunk, sentences)
    said = ["a dog", "a person laughing", "rain", "a person speaking"] * 3
    patches = [patches_of(ears, name, i) for i, name in enumerate(said)]
    heard = HeardClips(patches, [(name,) for name in said], said)
    settings = train_ears.EarsTraining(steps=4)
    figures = train_ears.learn(ears, heard, settings, 0)
    assert figures["last"] < 0.1
    for name, one in zip(said, patches, strict=True):
        shares = ears.head.shares(pooled(ears.head.evidence(one)))[0]
        assert ears.words[int(shares.argmax())].name == name
    save_ears(ears, tmp_path, {"trained_on": {"CC0-1.0": 12}})
    assert load_ears(tmp_path).config == ears.config


def test_clips_heard_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waves = {"a.ogg": np.random.default_rng(0).normal(size=RATE).astype(np.float32)}
    monkeypatch.setattr(heard_clips, "read", lambda _, row: waves[row.file])
    clips, trunk = [make_row("a.ogg", "cough")], Ears().trunk
    cache = tmp_path / "heard.pt"
    first = heard_clips.hear_clips(trunk, tmp_path, clips, 1, 0, cache)
    again = heard_clips.hear_clips(Ears().trunk, tmp_path, clips, 1, 0, cache)
    assert first.names == again.names == [("a person coughing",)] * 2
    torch.testing.assert_close(
        first.patches[1].logits, again.patches[1].logits, atol=1e-2, rtol=1e-2
    )


def test_a_reader_learns_and_its_file_is_read(tmp_path: Path) -> None:
    draw = torch.Generator().manual_seed(1)
    sex, mood = torch.arange(80) % 2, torch.arange(80) % 4
    features = torch.randn(80, 12, generator=draw)
    features[:, 0] += 4 * sex
    features[:, 1] += 3 * mood
    spoken = train_voices.Spoken(features, {"sex": sex, "age": sex * 0 - 1, "mood": mood})
    reader = train_voices.fit_reader(spoken, (SEX, MOOD), steps=50)
    path = tmp_path / "voices.safetensors"
    save_reader(reader, path, {"trained_on": {"MIT": 80}})
    answers = load_reader(path)(features)
    assert float((answers[SEX].argmax(dim=1) == sex).float().mean()) > 0.9
    assert float((answers[MOOD].argmax(dim=1) == mood).float().mean()) > 0.8
    with pytest.raises(FileNotFoundError):
        load_reader(tmp_path / "none.safetensors")


def test_recalls_by_class() -> None:
    given, wanted = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1])
    found = evaluate_sound.recalls(given, wanted, ["a", "b"])
    assert found["top1"] == 0.75
    assert found["mean_recall"] == pytest.approx(0.833, abs=1e-3)
    assert found["recall_and_clips"] == {"a": [1.0, 1], "b": [0.667, 3]}


def test_changes_and_invariance() -> None:
    t = np.arange(RATE) / RATE
    wave = (0.3 * np.sin(2 * np.pi * 300 * t) * np.hanning(RATE)).astype(np.float32)
    torch.manual_seed(0)
    figures = evaluate_sound.invariance(SoundEncoder(SMALL).eval(), [wave])
    assert set(figures) == set(evaluate_sound.CHANGES)
    assert figures["gain +20 dB"]["median"] == pytest.approx(1.0, abs=1e-3)
    assert figures["0.5 s later"]["median"] == pytest.approx(1.0, abs=1e-2)


def test_every_answer_has_wordings_and_clips_of_its_own() -> None:
    for question in (evaluate_sound.EVENT_QUESTION, evaluate_sound.EMOTION_QUESTION):
        values = [value for choice in question.values() for value in choice.values]
        assert len(values) == len(set(values))
        assert all(choice.wordings and choice.plain for choice in question.values())
