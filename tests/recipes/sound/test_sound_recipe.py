from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from audio.encoder import SoundConfig, SoundEncoder, load_encoder, save_encoder
from audio.io import RATE
from recipes.evaluate import evaluate_sound
from recipes.loop import RunConfig, start
from recipes.sound import augment, synth, train_sound
from recipes.sound.bank import Bank
from recipes.sound.cache import COUNT, GROUP_NAMES, classes
from recipes.sound.data import Row, recording, split_of
from recipes.sound.texts import EMOTIONS, GROUPS, SEXES, pairs

SMALL = SoundConfig(
    stem=4, widths=(8, 8), blocks=(1, 1), strides=(4, 2, 2), hidden=16, heads=2, dim=12
)


def make_row(file: str, label: str = "", meta: dict[str, str] | None = None) -> Row:
    return Row(file, "source", "CC0-1.0", label, meta or {}, {})


def random_bank(count: int, seed: int) -> Bank:
    draw = torch.Generator().manual_seed(seed)
    return Bank(F.normalize(torch.randn(2 * count, SMALL.dim, generator=draw), dim=-1), [2] * count)


def make_targets(labels: int) -> train_sound.Targets:
    groups = {name: random_bank(len(group), i) for i, (name, group) in enumerate(GROUPS.items())}
    return train_sound.Targets(
        {**groups, "spoken": random_bank(len(pairs()), 8), "labels": random_bank(labels, 9)}, 0
    )


def make_batch(count: int, labels: int) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(3)
    kinds = torch.full((count, len(GROUP_NAMES)), -1)
    kinds[:, 0] = torch.arange(count) % 3
    return {
        "views": torch.randn(count, 2, 201, 64, generator=draw),
        "embeddings": torch.rand(count, 3, 1024, generator=draw),
        "scores": torch.rand(count, labels, generator=draw),
        "labels": kinds,
    }


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
    found = classes({"event": row.event, "emotion": row.emotion, "sex": row.sex, "age": None})
    assert found[1:] == [list(EMOTIONS).index("angry"), list(SEXES).index("woman"), -1]


@pytest.mark.parametrize("kind", list(synth.KINDS))
def test_synthesised_noises_are_sounds(kind: str) -> None:
    made = synth.KINDS[kind](np.random.default_rng(1))
    assert np.isfinite(made).all()
    assert 0.1 * RATE < len(made) < 12 * RATE
    assert np.abs(made).max() == pytest.approx(1.0, abs=1e-6)


def test_worse_recordings_keep_their_length() -> None:
    rng = np.random.default_rng(2)
    sound = augment.window(rng, rng.normal(size=RATE).astype(np.float32), COUNT)
    assert sound.shape == (COUNT,)
    for _ in range(8):
        worse = augment.degrade(rng, sound)
        assert worse.shape == (COUNT,)
        assert np.isfinite(worse).all()


def test_bank_draws_of_the_right_class() -> None:
    vectors = torch.eye(5)
    bank = Bank(vectors, [2, 3])
    draw = torch.Generator().manual_seed(0)
    rows = bank.draw_for(torch.tensor([0, 1] * 20), draw)
    assert bool((rows[::2].argmax(dim=1) < 2).all())
    assert bool((rows[1::2].argmax(dim=1) >= 2).all())
    assert len(bank) == 2
    assert bank.draw(draw).shape == (2, 5)
    torch.testing.assert_close(bank.means()[0, :2], torch.full((2,), 0.5**0.5))


def test_info_nce_by_hand() -> None:
    texts = torch.eye(2)
    heard = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    loss = train_sound.info_nce(heard, texts, torch.tensor([0, -1]), 0.5)
    assert float(loss) == pytest.approx(math.log(1 + math.exp(-2)), abs=1e-6)
    assert float(train_sound.info_nce(heard, texts, torch.tensor([-1, -1]), 0.5)) == 0.0


def test_label_loss_is_least_for_the_teachers_answer() -> None:
    texts, scores = torch.eye(3), torch.tensor([[0.9, 0.0, 0.0]])
    right = train_sound.label_loss(texts[:1], texts, scores, 0.1)
    wrong = train_sound.label_loss(texts[1:2], texts, scores, 0.1)
    assert float(right) < 0.01 < float(wrong)
    silent = train_sound.label_loss(texts[:1], texts, torch.zeros(1, 3), 0.1)
    assert float(silent) == 0.0


def test_masking_is_seeded_and_bounded() -> None:
    views = torch.ones(4, 1, 201, 64)
    one = train_sound.mask_bands(views, torch.Generator().manual_seed(5))
    two = train_sound.mask_bands(views, torch.Generator().manual_seed(5))
    assert torch.equal(one, two)
    assert float((one == 0).float().mean()) < 12 / 64 + 30 / 201
    assert bool((views == 1).all())


def test_learning_rate_rises_then_falls() -> None:
    rates = [train_sound.learning_rate(done / 100, 1.0) for done in range(101)]
    assert 0 < rates[0] < rates[5] <= 1
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[100] == pytest.approx(0, abs=1e-9)


def test_training_learns_and_its_weights_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_sound, "SoundEncoder", lambda: SoundEncoder(SMALL))
    cache, targets = make_batch(6, 6), make_targets(6)
    before, after = [], []

    def note(run: object, values: dict[str, torch.Tensor], force: bool = False) -> None:
        (before if len(before) < 5 else after).append(float(values["event"].detach()))

    run = start(RunConfig(tmp_path / "run", steps=30), accelerator="cpu")
    monkeypatch.setattr(type(run), "log", note)
    config = dataclasses.replace(train_sound.SoundTraining(), batch=6, rate=5e-3)
    encoder = train_sound.train(run, cache, targets, config, 6)
    assert np.mean(after[-5:]) < 0.8 * np.mean(before)
    assert run.checkpoint.is_file()
    save_encoder(encoder.float(), tmp_path / "encoder", {"restriction": "none"})
    again = load_encoder(tmp_path / "encoder")
    features = cache["views"][:2, :1]
    near = F.cosine_similarity(again(features), encoder.eval()(features))
    assert float(near.min()) > 0.999


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
