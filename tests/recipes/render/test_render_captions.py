"""Captions: seeded, true to the factors, free of held-out wordings in training."""

from __future__ import annotations

import re

import numpy as np
import pytest

from recipes.render.factors import Factors, sample_factors
from recipes.render.words.captions import caption, captions, labels, zero_shot_prompts
from recipes.render.words.heldout import HELD_OUT_WORDINGS
from recipes.render.words.wordings import WORDINGS


def _says(text: str, words: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(words)}(?![\w-])", text) is not None


def test_captions_are_seeded_and_varied():
    factors = sample_factors(1)
    assert captions(factors, 6, 3) == captions(factors, 6, 3)
    assert len({c for seed in range(20) for c in captions(factors, 4, seed)}) > 20
    with pytest.raises(ValueError, match="split"):
        caption(factors, np.random.default_rng(0), "test")


def test_training_captions_hold_no_held_out_wording():
    held = [w for classes in HELD_OUT_WORDINGS.values() for ws in classes.values() for w in ws]
    for seed in range(300):
        for text in captions(sample_factors(seed), 4, seed):
            assert not any(_says(text, w) for w in held), text


def test_held_out_captions_use_held_out_wordings():
    held = [w for classes in HELD_OUT_WORDINGS.values() for ws in classes.values() for w in ws]
    texts = [t for s in range(60) for t in captions(sample_factors(s, "heldout"), 4, s, "heldout")]
    assert sum(any(_says(t, w) for w in held) for t in texts) > 0.3 * len(texts)


def test_captions_are_true():
    man = Factors(sex=0.97, age=30, beard_style="full", beard_amount=1.0, hair_style="bald")
    for seed in range(80):
        for text in captions(man, 4, seed):
            assert not any(_says(text, w) for w in ("woman", "lady", "clean-shaven", "brown hair"))


def test_labels_name_classes_with_wordings():
    for seed in range(100):
        for name, value in labels(sample_factors(seed)).items():
            assert value in WORDINGS[name], (name, value)


def test_zero_shot_prompts_cover_the_attributes():
    prompts = zero_shot_prompts()
    for name in ("sex", "age", "hair_color", "beard", "glasses", "expression", "freckles", "skin"):
        assert all(p.train for p in prompts[name].values())
        assert all(p.heldout for p in prompts[name].values())
    assert "a photo of a bald person" in prompts["hair_style"]["bald"].train
    assert not set(prompts["expression"]["smile"].train) & set(
        prompts["expression"]["smile"].heldout
    )
