"""What does a sound sound like? Texts ranked by an encoder, for people to read.

Each class has several wordings; a class's vector is their mean, which is steadier than any one
(Radford et al. 2021, section 3.1.4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from audio.alignment import SoundEmbedder
from audio.io import SoundSource

TextEmbedder = Callable[[list[str]], Tensor]
"""Texts to unit vectors `[N, E]`, in the space of the `SoundEmbedder`'s vectors."""

TEMPERATURE = 0.06
LISTENING: dict[str, tuple[str, ...]] = {
    "a person laughing": ("a person laughing", "laughter", "someone laughs", "giggling"),
    "a person crying": ("a person crying", "sobbing", "someone weeps"),
    "a baby crying": ("a baby crying", "an infant cries", "a newborn wailing"),
    "a scream": ("a person screaming", "a scream of terror", "someone screams in fear"),
    "a cough": ("a person coughing", "a cough", "someone coughs"),
    "a sneeze": ("a person sneezing", "a sneeze", "someone sneezes"),
    "a yawn or a sigh": ("a sigh", "someone yawns", "a tired person sighing"),
    "a groan": ("someone moans", "a groan of pain", "a person groaning"),
    "snoring": ("snoring", "someone asleep and snoring"),
    "a happy voice": ("a happy voice", "a cheerful voice", "someone sounds happy"),
    "a sad voice": ("a sad voice", "a sorrowful voice", "someone sounds sad"),
    "an angry voice": ("an angry voice", "a furious voice", "someone sounds angry"),
    "a frightened voice": ("a fearful voice", "someone sounds afraid"),
    "a calm voice": ("a calm voice", "a neutral voice", "an ordinary speaking voice"),
    "a man speaking": ("a man speaking", "a male voice", "the voice of a man"),
    "a woman speaking": ("a woman speaking", "a female voice", "the voice of a woman"),
    "a child speaking": ("a child speaking", "a kid talking", "the voice of a child"),
    "a cheering crowd": ("a crowd cheering", "people cheering", "applause"),
    "music": ("music", "a song playing", "instruments playing"),
    "an animal": ("an animal", "a dog barking", "a cat meowing", "a wild animal"),
    "birds": ("a bird singing", "birds chirping"),
    "rain or wind": ("rain falling", "wind blowing", "a thunderstorm"),
    "a vehicle": ("a car engine", "a vehicle driving", "a motor"),
}


def class_vectors(embed: TextEmbedder, texts: Mapping[str, Sequence[str]]) -> Tensor:
    """Unit mean vector of each class's wordings: `[C, E]`.

    Raises:
        ValueError: no class, or a class without wordings.
    """
    if not texts or any(not wordings for wordings in texts.values()):
        raise ValueError("give at least one text, and at least one wording for each class")
    flat = [wording for wordings in texts.values() for wording in wordings]
    rows = F.normalize(embed(flat).float(), dim=-1).split([len(w) for w in texts.values()])
    return F.normalize(torch.stack([row.mean(dim=0) for row in rows]), dim=-1)


def rank(
    heard: Tensor, vectors: Tensor, names: Sequence[str], temperature: float = TEMPERATURE
) -> list[tuple[str, float]]:
    """Names by falling probability: heard `[1, E]`, vectors `[C, E]`, both of unit length."""
    return ranked((heard @ vectors.to(heard).T / temperature).softmax(dim=-1)[0], names)


def ranked(shares: Tensor, names: Sequence[str]) -> list[tuple[str, float]]:
    """Names with their shares `[C]`, the largest first."""
    order = shares.argsort(descending=True).tolist()
    return [(names[i], float(shares[i])) for i in order]


def listen(
    embedder: SoundEmbedder,
    text_embed: TextEmbedder,
    sound: SoundSource,
    texts: Mapping[str, Sequence[str]] | Sequence[str] | None = None,
) -> list[tuple[str, float]]:
    """Rank texts by how well they name a sound.

    Args:
        embedder: hears.
        text_embed: reads, into the same space.
        sound: path, bytes or (rate, samples).
        texts: texts, or class names with their wordings; `LISTENING` when None.

    Returns:
        (text, probability among the texts), best first.
    """
    if texts is None:
        texts = LISTENING
    if not isinstance(texts, Mapping):
        texts = {text: (text,) for text in texts}
    vectors = class_vectors(text_embed, texts)
    known = embedder.evidence(sound, vectors)
    if known is not None:
        return ranked(known[0].softmax(dim=-1), list(texts))
    return rank(embedder.embed(sound), vectors, list(texts))
