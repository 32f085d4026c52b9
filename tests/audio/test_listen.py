from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from audio.alignment import SoundEmbedder
from audio.listen import LISTENING, class_vectors, listen, rank


class Hears:
    """Hears the first axis, whatever is played."""

    def hear(self, samples: torch.Tensor) -> torch.Tensor:
        return torch.eye(4)[:1]


def embed(texts: list[str]) -> torch.Tensor:
    return F.normalize(
        torch.tensor([[float(text.count(letter)) for letter in "laug"] for text in texts]) + 0.01,
        dim=-1,
    )


def test_ranks_texts() -> None:
    sound = (16000, np.random.default_rng(0).normal(size=8000).astype(np.float32))
    ranked = listen(SoundEmbedder(Hears()), embed, sound, ["ggg", "lll", "aaa"])
    assert ranked[0][0] == "lll"
    assert sum(score for _, score in ranked) == pytest.approx(1, abs=1e-5)
    classes = listen(SoundEmbedder(Hears()), embed, sound)
    assert {name for name, _ in classes} == set(LISTENING)


def test_class_vector_is_the_mean_wording() -> None:
    vectors = class_vectors(embed, {"one": ("lll", "aaa"), "two": ("ggg",)})
    torch.testing.assert_close(vectors[0], F.normalize(embed(["lll", "aaa"]).mean(0), dim=0))
    with pytest.raises(ValueError, match="at least one"):
        class_vectors(embed, {})
    with pytest.raises(ValueError, match="wording"):
        class_vectors(embed, {"empty": ()})


def test_rank_is_sorted() -> None:
    scores = rank(torch.eye(3)[:1], torch.eye(3), ["a", "b", "c"])
    assert scores[0][0] == "a"
    assert [s for _, s in scores] == sorted((s for _, s in scores), reverse=True)
