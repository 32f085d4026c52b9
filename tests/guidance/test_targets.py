"""Targets: grammar, ensembles, mixtures."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guidance.clip import OpenClip
from guidance.targets import (
    LONG_TEMPLATES,
    Phrase,
    direction,
    embed_image,
    embed_phrase,
    embed_sound,
    embed_text,
    mix,
    parse_prompt,
)


@pytest.mark.parametrize(
    ("prompt", "phrases"),
    [
        ("an old woman", [Phrase("an old woman")]),
        ("an old woman, smiling", [Phrase("an old woman, smiling")]),
        ("a smile, no glasses", [Phrase("a smile"), Phrase("glasses", -1.0)]),
        ("Without a beard", [Phrase("a beard", -1.0)]),
        ("curly hair:2, red hair:0.5", [Phrase("curly hair", 2.0), Phrase("red hair", 0.5)]),
        ("no hat:0.5", [Phrase("hat", -0.5)]),
        ("smile:-1", [Phrase("smile", -1.0)]),
        ("nose ring", [Phrase("nose ring")]),
    ],
)
def test_grammar(prompt: str, phrases: list[Phrase]) -> None:
    assert parse_prompt(prompt) == phrases


@pytest.mark.parametrize("prompt", ["", " ", ",,", ":2", "no :1", ",".join("abcdefghijklmnopqrs")])
def test_bad_prompts_are_refused(prompt: str) -> None:
    with pytest.raises(ValueError):
        parse_prompt(prompt)


@given(st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        phrases = parse_prompt(text)
    except ValueError:
        return
    assert all(p.text.strip() for p in phrases)


def test_there_are_79_distinct_long_templates() -> None:
    assert len(LONG_TEMPLATES) == len(set(LONG_TEMPLATES)) == 79
    assert all(t.count("{}") == 1 for t in LONG_TEMPLATES)


def test_ensemble_is_the_normalised_mean(clip: OpenClip) -> None:
    actual = embed_phrase(clip, "a man", ["{}", "see {}"])
    mean = clip.encode_text(["a man", "see a man"]).mean(0, keepdim=True)
    torch.testing.assert_close(actual, mean / mean.norm())
    with pytest.raises(ValueError, match="not one of"):
        embed_phrase(clip, "a man", "nothing")
    with pytest.raises(ValueError, match="needs a"):
        embed_phrase(clip, "a man", ["no place"])


def test_every_target_is_one_unit_vector(clip: OpenClip) -> None:
    for target in (
        embed_text(clip, "a smile"),
        embed_text(clip, "a smile, no glasses"),
        embed_image(clip, torch.zeros(3, 40, 40)),
    ):
        assert target.shape == (1, clip.dim)
        torch.testing.assert_close(target.norm(), torch.tensor(1.0))


def test_negative_part_moves_away(clip: OpenClip) -> None:
    glasses = embed_text(clip, "glasses")
    plain, without = embed_text(clip, "a smile"), embed_text(clip, "a smile, no glasses")
    assert float((without * glasses).sum()) < float((plain * glasses).sum())


def test_mix_values_and_errors() -> None:
    x, y = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    torch.testing.assert_close(mix([x, y], [3, 4]), torch.tensor([[0.6, 0.8]]))
    torch.testing.assert_close(mix([x], [1], anchor=y), x)
    with pytest.raises(ValueError, match="cancels"):
        mix([x, x], [1, -1])
    with pytest.raises(ValueError, match="finite"):
        mix([x], [float("nan")])
    with pytest.raises(ValueError, match="weights given"):
        mix([x], [])


def test_direction_refuses_no_change() -> None:
    x = torch.tensor([[1.0, 0.0]])
    with pytest.raises(ValueError, match="the same"):
        direction(x, x)


def test_sound_needs_a_sound_encoder() -> None:
    with pytest.raises(ValueError, match="no sound encoder"):
        embed_sound(None, "x.wav")
