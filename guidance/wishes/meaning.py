"""Words that the vocabulary lacks, by their meaning: a linear reading of sentence vectors.

Where the text tower is a sentence transformer (the bundled CLIP's is MiniLM), near words have near
vectors. `recipes.words.meaning` fits one linear layer from the vectors of all words in the
vocabulary, and of some thousand that mean nothing for a face, to their classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from guidance.common import load_tensors, save_tensors
from guidance.wishes.types import Sense
from guidance.wishes.vocabulary import sense_of

FILE = (
    Path(__file__).resolve().parents[2] / "multimodal" / "bundle" / "words" / "meaning.safetensors"
)
TEMPLATES = ("{}", "a person who is {}")
PROBE = "a person with a smile"
SAME = 0.998
"""Cosine from which a text tower counts as the one that the layer was fitted to."""

SCALE = 10.0


@torch.no_grad()
def word_vectors(clip: Any, phrases: Sequence[str]) -> Tensor:
    """What a CLIP says of phrases `[B, D]`: sentence vectors and joint embeddings, of both
    templates."""
    parts = []
    for template in TEMPLATES:
        pooled = clip.pooled([template.format(phrase) for phrase in phrases])
        parts += [F.normalize(pooled, dim=1), clip.project_sentence(pooled)]
    return torch.cat([part.cpu() for part in parts], dim=1)


@dataclass(frozen=True)
class WordMeaning:
    """Reads words by their vectors; satisfies `guidance.wishes.types.Meaning`.

    Args:
        weight: `[D, N + 1]`; the last column is that nothing here means it.
        bias: `[N + 1]`.
        mean: of the vectors, `[D]`.
        probe: vector of `PROBE` by the text tower it was fitted to, `[D]`.
        senses: the N classes.
        clip: the text tower.
    """

    weight: Tensor
    bias: Tensor
    mean: Tensor
    probe: Tensor
    senses: tuple[Sense, ...]
    clip: Any

    def __call__(self, phrase: str, attributes: tuple[str, ...] = ()) -> list[tuple[Sense, float]]:
        """Classes of the attributes, the likeliest first, with chances."""
        vector = word_vectors(self.clip, [phrase])[0] - self.mean
        chances = (SCALE * vector @ self.weight + self.bias).softmax(dim=0)
        found = list(zip(self.senses, chances.tolist(), strict=False))
        kept = [one for one in found if not attributes or one[0][0] in attributes]
        return sorted(kept, key=lambda one: -one[1])

    def save(self, path: Path = FILE) -> Path:
        """Write as float16."""
        names = ("weight", "bias", "mean", "probe")
        tensors = {name: getattr(self, name).half() for name in names}
        about = {"kind": "meaning", "senses": [f"{a}: {v}" for a, v in self.senses]}
        return save_tensors(path, tensors, about)


def load_meaning(clip: Any, path: Path = FILE) -> WordMeaning | None:
    """What was fitted to a CLIP; None for another CLIP, or where nothing was fitted.

    Raises:
        ValueError: the file holds something else.
    """
    if not path.is_file() or not getattr(clip, "has_sentences", False):
        return None
    tensors, senses = _read(path)
    vector = word_vectors(clip, [PROBE])[0]
    if vector.shape != tensors["probe"].shape:
        return None
    alike = float(F.cosine_similarity(vector, tensors["probe"], dim=0))
    return WordMeaning(**tensors, senses=senses, clip=clip) if alike >= SAME else None


@lru_cache(maxsize=2)
def _read(path: Path) -> tuple[dict[str, Tensor], tuple[Sense, ...]]:
    tensors, about = load_tensors(path)
    if about.get("kind") != "meaning":
        raise ValueError(f"{path} does not hold meanings of words")
    found = {name: tensor.float() for name, tensor in tensors.items()}
    return found, tuple(sense_of(name) for name in about["senses"])
