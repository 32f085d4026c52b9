"""CLIP's recipe: what captions claim, augmentation, losses, a tiny training."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from guidance.clip import load_clip, random_clip, save_clip
from multimodal.metrics import efficientnet_lite0
from recipes.clip.clip_augment import augment
from recipes.clip.clip_model import ClipConfig, new_clip
from recipes.clip.clip_truth import claims, facts, truth_matrix
from recipes.clip.refine_text import read_wordings, refine
from recipes.clip.train_clip import (
    KNOWN_RATE,
    ClipTrainee,
    Renders,
    begin_from,
    contrastive_loss,
    jittered,
    parameter_groups,
    train,
)
from recipes.evaluate.evaluate_clip import evaluate
from recipes.loop import RunConfig, start
from recipes.render.factors import sample_factors
from recipes.render.words.captions import caption, captions
from recipes.render.words.heldout import HELD_OUT_WORDINGS
from recipes.render.words.wordings import WORDINGS
from recipes.words.clip_words import class_prompts, clip_words, forms
from tests.tiny_text import tiny_sentence_model


def test_claims() -> None:
    said = claims("a photo of a bearded old man with red hair and not wearing glasses")
    assert said["beard"] == {"full"}
    assert said["hair_color"] == {"red"}
    assert said["glasses"] == {"none"}
    assert said["sex"] == {"male"}
    assert claims("a woman")["sex"] == {"female"}
    assert not claims("a face")


def test_captions_are_true_of_their_render() -> None:
    source = np.random.default_rng(0)
    wrong = 0
    for seed in range(200):
        factors = sample_factors(seed)
        known, said = facts(factors), claims(caption(factors, source))
        wrong += any(known.get(a) not in allowed for a, allowed in said.items())
    assert wrong <= 4


def test_truth_matrix() -> None:
    man = {"sex": "male", "group": "young", "glasses": "clear"}
    woman = {"sex": "female", "group": "young", "glasses": "none"}
    truth = truth_matrix([man, woman], ["a man", "a face"])
    assert truth.tolist() == [[1, 0], [0, 1]]
    assert truth_matrix([man, man], ["a man", "a man with glasses"]).tolist() == [[1, 1], [1, 1]]


def test_synonyms_name_known_classes_and_nothing_held_out() -> None:
    held = {
        w for classes in HELD_OUT_WORDINGS.values() for words in classes.values() for w in words
    }
    ordinary = {
        word
        for classes in WORDINGS.values()
        for ws in classes.values()
        for w in ws
        for word in re.findall(r"[a-z]+", w)
    }
    common = ordinary | {
        "a",
        "an",
        "the",
        "of",
        "in",
        "on",
        "at",
        "and",
        "or",
        "any",
        "with",
        "not",
        "no",
        "lacking",
        "wearing",
        "down",
        "to",
        "o",
        "clock",
    }
    telling = {
        w for text in held for w in re.findall(r"[a-z]+", text) if w not in common and len(w) > 3
    }
    for attribute, classes in clip_words().items():
        assert set(classes) <= set(WORDINGS[attribute])
        for words in classes.values():
            for text in words:
                assert text not in held
                assert not telling & set(re.findall(r"[a-z]+", text)), text
    trained = {t for c in class_prompts().values() for words in c.values() for t in words}
    assert not any(
        re.search(rf"\b{re.escape(h)}\b", t) for h in held if len(h) > 6 for t in trained
    )


def test_wordings_become_sentences() -> None:
    assert forms("expression", "angry") == ("a photo of an angry person", "angry", "an angry man")
    assert "a woman with jet hair" in forms("hair_color", "jet hair", 1)
    assert "a man with a pigtail" in forms("hair_style", "with a pigtail")
    assert "a photo of a person with a crew cut" in forms("hair_length", "a crew cut")
    assert forms("sex", "a monk") == ("a photo of a monk", "a monk")
    assert "a photo of a person in old age" in forms("age", "in old age")


def test_augmentation_is_seeded_and_in_range() -> None:
    images = torch.rand(8, 3, 32, 32) * 2 - 1
    one, two = (augment(images, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(one, two)
    assert one.shape == images.shape
    assert float(one.abs().max()) <= 1
    assert not torch.equal(one, images)


def test_contrastive_loss_counts_every_true_pair() -> None:
    seen = torch.eye(3)
    loss = contrastive_loss(seen, seen, torch.eye(3), torch.tensor(50.0))
    assert float(loss) == pytest.approx(0, abs=1e-6)
    same = torch.tensor([[1.0, 0], [1, 0]])
    both = contrastive_loss(same, same, torch.ones(2, 2), torch.tensor(50.0))
    assert float(both) == pytest.approx(np.log(2), abs=1e-5)


def test_jitter_changes_length_and_keeps_the_direction_near() -> None:
    vectors = torch.randn(64, 384)
    out = jittered(vectors, torch.Generator().manual_seed(0))
    cosine = torch.nn.functional.cosine_similarity(vectors, out)
    assert 0.9 < float(cosine.min()) < 1


def _shard(where: Path, count: int) -> Path:
    """A shard of noise with real factors."""
    folder = where / "shard_00000"
    folder.mkdir(parents=True)
    rows = [sample_factors(seed, "heldout").to_dict() for seed in range(count)]
    np.save(
        folder / "images.npy",
        np.random.default_rng(0).integers(0, 255, (count, 32, 32, 3)).astype(np.uint8),
    )
    (folder / "factors.jsonl").write_text("\n".join(map(json.dumps, rows)))
    texts = [captions(sample_factors(seed), 2, seed) for seed in range(count)]
    (folder / "captions.jsonl").write_text("\n".join(map(json.dumps, texts)))
    return where


def test_evaluation_reads_shards(tmp_path: Path) -> None:
    scores = evaluate(random_clip(), _shard(tmp_path, 100))
    assert scores["pictures"] == 100
    assert {"sex_heldout", "bald_heldout", "smile_heldout", "r@1"} <= set(scores)
    assert all(0 <= v <= 1 for k, v in scores.items() if k != "pictures")


def test_training_learns_resumes_and_leaves_the_sentences_alone(tmp_path: Path) -> None:
    text = tiny_sentence_model(tmp_path / "text")
    data = _shard(tmp_path / "renders", 24)
    config = ClipConfig(image_tower="test_resnet", image_size=32, dim=16, context_length=48)
    clip = new_clip(text, config)
    before = {k: v.clone() for k, v in clip.model.state_dict().items()}
    run = start(RunConfig(tmp_path / "run", 4, log_every=1), "1", "cpu")
    train(run, clip, Renders([data], 32), batch=12)
    assert run.step == 4
    changed = {k for k, v in clip.model.state_dict().items() if not torch.equal(v, before[k])}
    assert any(k.startswith("visual.trunk") for k in changed)
    assert any(k.startswith("text.proj") for k in changed)
    assert not any(k.startswith("text.transformer") for k in changed)
    again = start(RunConfig(tmp_path / "run", 6, log_every=1), "1", "cpu")
    train(again, new_clip(text, config), Renders([data], 32), batch=12)
    assert again.step == 6
    assert again.images == 6 * 12
    folder = save_clip(clip, tmp_path / "clip")
    words = ["a smiling woman"]
    torch.testing.assert_close(load_clip(folder, "cpu").encode_text(words), clip.encode_text(words))
    further = new_clip(text, config, seed=1)
    begin_from(further, folder)
    torch.testing.assert_close(further.encode_text(words), clip.encode_text(words))
    with pytest.raises(ValueError, match="another shape"):
        begin_from(new_clip(text, replace(config, dim=8)), folder)


def test_kept_texts_stay_while_the_image_tower_learns(tmp_path: Path) -> None:
    data = _shard(tmp_path / "renders", 12)
    config = ClipConfig(image_tower="test_resnet", image_size=32, dim=16, context_length=48)
    clip = new_clip(tiny_sentence_model(tmp_path / "text"), config)
    before = {k: v.clone() for k, v in clip.model.state_dict().items()}
    run = start(RunConfig(tmp_path / "run", 3, log_every=1), "1", "cpu")
    train(run, clip, Renders([data], 32), batch=12, keep_text=True)
    changed = {k for k, v in clip.model.state_dict().items() if not torch.equal(v, before[k])}
    assert any(k.startswith("visual") for k in changed)
    assert not any(k.startswith("text") for k in changed)


def test_refining_fits_the_projection_alone(tmp_path: Path) -> None:
    data = _shard(tmp_path / "renders", 12)
    config = ClipConfig(image_tower="test_resnet", image_size=32, dim=16, context_length=48)
    clip = new_clip(tiny_sentence_model(tmp_path / "text"), config)
    before = {k: v.clone() for k, v in clip.model.state_dict().items()}
    run = start(RunConfig(tmp_path / "run", 120, log_every=50), "1", "cpu")
    found = refine(run, clip, Renders([data], 32), lr=1e-2)
    assert set(found) == {"spared_before", "spared_after"}
    assert found["spared_after"] >= found["spared_before"]
    changed = {k for k, v in clip.model.state_dict().items() if not torch.equal(v, before[k])}
    assert changed
    assert all(k.startswith("text.proj") for k in changed)


def test_wordings_set_aside_are_never_learned(tmp_path: Path) -> None:
    config = ClipConfig(image_tower="test_resnet", image_size=32, dim=16, context_length=48)
    clip = new_clip(tiny_sentence_model(tmp_path), config)
    known = [
        {"sex": sex, "beard": beard, "makeup": "yes"}
        for sex, beard in (("male", "full"), ("female", "none"), ("male", "none"))
    ]
    wordings = read_wordings(clip, torch.eye(3, 16), known)
    assert [words.attribute for words in wordings] == ["sex", "beard"]  # one class tells nothing
    for words in wordings:
        assert words.pictures.shape == (2, 16)
        halves = words.part(spared=False), words.part(spared=True)
        for every, some, aside in zip(words.classes, *(h.classes for h in halves), strict=True):
            assert len(some) + len(aside) == len(every)
            assert len(some) > len(aside) > 0


def test_the_pretrained_tower_sees_and_keeps_its_first_stages(tmp_path: Path) -> None:
    clip = new_clip(tiny_sentence_model(tmp_path), ClipConfig(image_size=64, dim=16))
    trainee = ClipTrainee(clip)
    groups = parameter_groups(trainee)
    trunk = trainee.visual.trunk
    torch.testing.assert_close(trunk.conv_stem.weight, efficientnet_lite0().conv_stem.weight)
    assert not trunk.conv_stem.weight.requires_grad
    assert trunk.conv_head.weight.requires_grad
    held = sum(p.numel() for group in groups for p in group["params"])
    assert held == sum(p.numel() for p in trainee.parameters() if p.requires_grad)
    assert {group["share"] for group in groups} == {KNOWN_RATE, 1.0}
