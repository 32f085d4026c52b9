"""Words that the vocabulary lacks, by their meaning: WordNet's word for it, and sentence vectors.

What WordNet says of a word (what it is a kind of, what is near it, how it is explained) was read
into odds for each class by `recipes.words.related`, for all words that mean something for a face.

Where the text tower is a sentence transformer (the bundled CLIP's is MiniLM), near words have near
vectors. `recipes.words.meaning` fits two layers from the vectors of all words in the vocabulary,
and of some thousand that mean nothing for a face, to their classes.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from guidance.common import load_tensors, save_tensors
from guidance.wishes.normal import stem, tokens_of
from guidance.wishes.types import Sense
from guidance.wishes.vocabulary import sense_of

FILE = (
    Path(__file__).resolve().parents[2] / "multimodal" / "bundle" / "words" / "meaning.safetensors"
)
RELATED = Path(__file__).with_name("related.toml")
LEAST = -5.0
"""Log-odds from which a word of WordNet's is believed to mean a class and not nothing: chosen on
words left out of the fit, where 3% of the words that mean nothing pass."""

SIDE = 0.4
"""What the sentence vectors say, of that."""

PART = 2.0
"""What the log-odds of a phrase lose where only one of its words is known."""

ENOUGH = 0.5
"""How sure sentence vectors must be of a phrase before its words are looked at one by one."""

Key = tuple[str, ...]
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
        inner: the first layer, `[D, H]`.
        offset: of the first layer, `[H]`.
        weight: the second, `[H, N + 1]`; the last column is that nothing here means it.
        bias: `[N + 1]`.
        mean: of the vectors, `[D]`.
        probe: vector of `PROBE` by the text tower it was fitted to, `[D]`.
        senses: the N classes.
        clip: the text tower.
    """

    inner: Tensor
    offset: Tensor
    weight: Tensor
    bias: Tensor
    mean: Tensor
    probe: Tensor
    senses: tuple[Sense, ...]
    clip: Any

    def __call__(self, phrase: str, attributes: tuple[str, ...] = ()) -> list[tuple[Sense, float]]:
        """Classes of the attributes, the likeliest first, with chances."""
        vector = SCALE * (word_vectors(self.clip, [phrase])[0] - self.mean)
        hidden = F.gelu(vector @ self.inner + self.offset)
        chances = (hidden @ self.weight + self.bias).softmax(dim=0)
        found = list(zip(self.senses, chances.tolist(), strict=False))
        kept = [one for one in found if not attributes or one[0][0] in attributes]
        return sorted(kept, key=lambda one: -one[1])

    def save(self, path: Path = FILE) -> Path:
        """Write as float16."""
        names = ("inner", "offset", "weight", "bias", "mean", "probe")
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


@dataclass(frozen=True)
class Related:
    """What words mean by WordNet, and by their vectors; satisfies `guidance.wishes.types.Meaning`.

    Args:
        odds: words to log-odds of classes against meaning nothing.
        stems: the same by the words' stems.
        layer: reads sentence vectors, or None.
    """

    odds: Mapping[Key, Mapping[Sense, float]]
    stems: Mapping[Key, Mapping[Sense, float]]
    layer: WordMeaning | None = None

    def __call__(self, phrase: str, attributes: tuple[str, ...] = ()) -> list[tuple[Sense, float]]:
        """Classes of the attributes, the likeliest first, with how sure each is."""
        side = [] if self.layer is None else self.layer(phrase, attributes)
        key = tuple(tokens_of(phrase))
        whole = _of(self._one(key), attributes)
        if whole:
            return _sure(whole, side)
        if len(key) == 1 or (side and side[0][1] >= ENOUGH):
            return side
        parts = [_of(self._one((token,)), attributes) for token in key]
        best = max(parts, key=lambda one: max(one.values(), default=-math.inf))
        return _sure({sense: odd - PART for sense, odd in best.items()}, side) if best else side

    def _one(self, key: Key) -> Mapping[Sense, float]:
        return self.odds.get(key) or self.stems.get(tuple(stem(t) for t in key)) or {}


def _of(odds: Mapping[Sense, float], attributes: tuple[str, ...]) -> dict[Sense, float]:
    return {s: odd for s, odd in odds.items() if not attributes or s[0] in attributes}


def _sure(
    odds: Mapping[Sense, float], side: Sequence[tuple[Sense, float]]
) -> list[tuple[Sense, float]]:
    """How sure log-odds make of each class, with what sentence vectors say beside them."""
    chances, most = dict(side), max([chance for _, chance in side], default=1.0)
    scores = {
        sense: odd - LEAST + SIDE * math.log(chances.get(sense, most) / most + 1e-3)
        for sense, odd in odds.items()
    }
    sure = [(sense, 1 / (1 + math.exp(-score))) for sense, score in scores.items()]
    return sorted(sure, key=lambda one: -one[1])


def load_related(layer: WordMeaning | None = None, path: Path = RELATED) -> Related:
    """The meanings of WordNet's words, with sentence vectors beside them where there are some."""
    odds = related_words(path)
    stems: dict[Key, Mapping[Sense, float]] = {}
    for key, senses in odds.items():
        stems.setdefault(tuple(stem(token) for token in key), senses)
    return Related(odds, stems, layer)


@lru_cache(maxsize=2)
def related_words(path: Path = RELATED) -> Mapping[Key, Mapping[Sense, float]]:
    """Words of WordNet's and their log-odds for classes."""
    out: dict[Key, dict[Sense, float]] = {}
    for name, text in tomllib.loads(path.read_text(encoding="utf-8")).items():
        for entry in text.split():
            word, _, tenths = entry.rpartition(":")
            out.setdefault(tuple(word.split("_")), {})[sense_of(name)] = int(tenths) / 10
    return out
