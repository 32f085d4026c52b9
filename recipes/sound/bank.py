"""The sentence side of training: every wording as a MiniLM vector, drawn class by class."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from recipes.clip.minilm import sentence_embeddings
from recipes.sound.texts import GROUPS, Wordings, label_wordings, pairs


class Bank:
    """Wordings of one set of classes as unit vectors.

    Args:
        vectors: `[N, D]`, the wordings of class 0, then of class 1, ...
        counts: wordings of each class.
    """

    def __init__(self, vectors: Tensor, counts: list[int]) -> None:
        self.vectors = vectors
        self.counts = torch.tensor(counts)
        self.starts = self.counts.cumsum(0) - self.counts

    def __len__(self) -> int:
        return len(self.counts)

    def draw(self, generator: torch.Generator) -> Tensor:
        """One wording of each class, at random: `[C, D]`."""
        pick = (torch.rand(len(self.counts), generator=generator) * self.counts).long()
        return self.vectors[self.starts + pick]

    def draw_for(self, classes: Tensor, generator: torch.Generator) -> Tensor:
        """A wording for each row's class `[B]` (>= 0), at random: `[B, D]`."""
        counts = self.counts[classes]
        pick = (torch.rand(len(classes), generator=generator) * counts).long()
        return self.vectors[self.starts[classes] + pick]

    def means(self) -> Tensor:
        """The unit mean wording of each class: `[C, D]`."""
        rows = torch.split(self.vectors, self.counts.tolist())
        return torch.nn.functional.normalize(torch.stack([r.mean(dim=0) for r in rows]), dim=-1)


def make_bank(wordings: Wordings) -> Bank:
    """Embed every wording."""
    texts = [text for group in wordings.values() for text in group]
    return Bank(sentence_embeddings(texts), [len(group) for group in wordings.values()])


def banks(names: list[str], cache: Path) -> dict[str, Bank]:
    """The banks of all groups, of the sex-emotion pairs and of AudioSet's `names`, kept on disk."""
    sets: dict[str, Wordings] = {**GROUPS, "spoken": pairs(), "labels": label_wordings(names)}
    key = hash_of(sets)
    if cache.is_file():
        stored = torch.load(cache, weights_only=True)
        if stored["key"] == key:
            return {name: Bank(*stored["banks"][name]) for name in sets}
    made = {name: make_bank(wordings) for name, wordings in sets.items()}
    cache.parent.mkdir(parents=True, exist_ok=True)
    kept = {name: (bank.vectors, bank.counts.tolist()) for name, bank in made.items()}
    torch.save({"key": key, "banks": kept}, cache)
    return made


def hash_of(sets: dict[str, Wordings]) -> str:
    """A digest of all wordings, so that a changed list is embedded anew."""
    import hashlib
    import json

    return hashlib.sha256(json.dumps(sets, sort_keys=True).encode()).hexdigest()
