"""Sampling of factors: seeded, disjoint splits, nature's rules, held-out pairs and tints."""

from __future__ import annotations

import json

import pytest

from recipes.render.factors import (
    EXPRESSIONS,
    HAIR_STYLES,
    Factors,
    hair_tint,
    is_held_out,
    sample_factors,
)

HEADS = [sample_factors(seed) for seed in range(600)]


def test_sampling_is_seeded_and_the_splits_differ():
    assert sample_factors(5) == sample_factors(5)
    assert sample_factors(5, "heldout").identity != sample_factors(5, "train").identity
    with pytest.raises(ValueError, match="split"):
        sample_factors(5, "test")


def test_factors_survive_json():
    for factors in HEADS[:20]:
        assert Factors.from_dict(json.loads(json.dumps(factors.to_dict()))) == factors
    with pytest.raises(ValueError, match="mood"):
        Factors.from_dict({"mood": 1})


def test_nature_forbids_bearded_women_and_children():
    for factors in HEADS:
        if factors.sex < 0.5 or factors.age < 18:
            assert factors.beard_style == "none"


def test_every_class_is_drawn():
    assert {f.expression for f in HEADS} == set(EXPRESSIONS)
    assert {f.hair_style for f in HEADS} == set(HAIR_STYLES)
    assert {f.glasses for f in HEADS} == {"none", "round", "square", "sunglasses"}
    assert 0.4 < sum(f.sex > 0.5 for f in HEADS) / len(HEADS) < 0.6


def test_values_are_in_range():
    for f in HEADS:
        assert 3 <= f.age <= 85
        assert abs(f.yaw) <= 35
        assert abs(f.pitch) <= 15
        assert abs(f.african + f.asian + f.caucasian - 1) < 1e-6
        assert all(0 <= c <= 1 for c in (*f.hair_color, *f.background_color, *f.clothes_color))


def test_training_has_no_held_out_pair_and_held_out_has_some():
    assert not any(is_held_out(f) for f in HEADS)
    assert any(is_held_out(sample_factors(seed, "heldout")) for seed in range(600))


def test_hair_tint_spans_the_named_range():
    dark, light = hair_tint("blond", 0.0, 0.5), hair_tint("blond", 1.0, 0.5)
    assert sum(dark) < sum(light)
    assert hair_tint("brown", 0.5, 1.0)[0] > hair_tint("brown", 0.5, 0.0)[0]
    with pytest.raises(ValueError, match="teal"):
        hair_tint("teal", 0.5, 0.5)
