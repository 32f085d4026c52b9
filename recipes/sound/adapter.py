"""Sound for any CLIP: texts that an adapter from the bundle's sentence space is fitted on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from audio.alignment import Adapter, fit_adapter
from audio.listen import LISTENING
from multimodal.types import ClipModel
from recipes.factors.directions import caption_bank
from recipes.sound.texts import GROUPS, label_wordings, pairs

BATCH = 64
OnFit = Callable[[int, int, float], None]


def text_bank(captions: int = 3000, seed: int = 0) -> list[str]:
    """Distinct texts about sounds, voices and faces; the same for the same seed.

    Args:
        captions: descriptions of faces among them, at most.
        seed: of these.
    """
    groups = [*GROUPS.values(), pairs(), LISTENING, label_wordings(list(LISTENING))]
    heard = [text for group in groups for wordings in group.values() for text in wordings]
    return list(dict.fromkeys([*heard, *caption_bank(None, captions, seed)]))


@torch.no_grad()
def vectors(encode: Callable[[Sequence[str]], Tensor], texts: Sequence[str]) -> Tensor:
    """Vectors `[N, D]` of texts, in batches, on the CPU."""
    parts = [encode(texts[i : i + BATCH]).float().cpu() for i in range(0, len(texts), BATCH)]
    return torch.cat(parts)


def train_adapter(
    own: Any,
    clip: ClipModel,
    texts: Sequence[str],
    hidden: int = 0,
    seed: int = 0,
    on_fit: OnFit | None = None,
) -> tuple[Adapter, float]:
    """Lead what the bundle's sound encoder hears to another CLIP.

    Args:
        own: the bundle's CLIP, whose text transformer gives the sentence vectors (`pooled`).
        clip: the CLIP to reach.
        texts: read by both.
        hidden: channels of a hidden layer; 0 for a line.
        seed: of the fit.
        on_fit: told of its steps.

    Returns:
        the adapter, and the mean cosine on texts held out.

    Raises:
        ValueError: too few texts, or one that `clip` cannot read.
    """
    sentences, targets = vectors(own.pooled, texts), vectors(clip.encode_text, texts)
    return fit_adapter(sentences, targets, hidden, seed=seed, on_step=on_fit)
