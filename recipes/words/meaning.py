"""Fits the reading of words that the vocabulary lacks, and measures it on words held out.

    python -m recipes.words.meaning --clip multimodal/bundle/default/clip

Needs Debian's `wordnet-base` for words that mean nothing for a face. Figures are of a vocabulary
and a layer that never met the held-out quarter (`heldout.txt`); what is written knows all words.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
import typer
from torch import Tensor, nn

from guidance.clip import OpenClip, load_clip
from guidance.wishes.meaning import FILE, PROBE, SCALE, WordMeaning, word_vectors
from guidance.wishes.reader import SURE, read_wishes
from guidance.wishes.types import Meaning
from guidance.wishes.vocabulary import Vocabulary, load_vocabulary
from recipes.words.gather import caption_words
from recipes.words.heldout import heldout
from recipes.words.known import Known, known_words
from recipes.words.related import related_without
from recipes.words.wordnet import WordNet

NOTHING = 4500
"""Words that mean nothing for a face."""

BATCH = 128
HIDDEN, RATE = 256, 2e-3

CREDULITY = 0.6
"""What is taken from the log-odds of meaning nothing: more of the words that mean something are
read, and still fewer of those that mean nothing than by a single layer."""


def empty_words(known: Known, seed: int = 5) -> list[str]:
    """English words that are in no class, the commoner ones first."""
    net, draw = WordNet(), random.Random(seed)
    rest = [w for w in net.words() if w not in known and w.replace(" ", "").isalpha()]
    common = [w for w in rest if len(net.senses(w)) > 1]
    return [*draw.sample(common, NOTHING * 2 // 3), *draw.sample(rest, NOTHING // 3)]


def vectors_of(clip: OpenClip, phrases: Sequence[str]) -> Tensor:
    """Vectors `[N, D]`."""
    parts = range(0, len(phrases), BATCH)
    return torch.cat([word_vectors(clip, phrases[i : i + BATCH]) for i in parts])


def fitted(
    clip: OpenClip, vectors: Mapping[str, Tensor], known: Known, empty: Sequence[str]
) -> WordMeaning:
    """The layers: softmax regression with dropout and a decay of the weights, by AdamW."""
    senses = sorted({sense for own in known.values() for sense in own})
    index = {sense: i for i, sense in enumerate(senses)}
    inputs = torch.stack([vectors[text] for text in (*known, *empty)])
    mean = inputs.mean(dim=0)
    inputs = SCALE * (inputs - mean)
    goals = torch.zeros(len(inputs), len(senses) + 1)
    for row, own in enumerate(known.values()):
        for sense in own:
            goals[row, index[sense]] = 1 / len(own)
    goals[len(known) :, -1] = 1
    net = _trained(inputs, goals)
    first, last = net[1], net[4]
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    bias = last.bias.detach().clone()
    bias[-1] -= CREDULITY
    probe = word_vectors(clip, [PROBE])[0]
    return WordMeaning(
        inner=first.weight.detach().T.contiguous(),
        offset=first.bias.detach(),
        weight=last.weight.detach().T.contiguous(),
        bias=bias,
        mean=mean,
        probe=probe,
        senses=tuple(senses),
        clip=clip,
    )


def _trained(inputs: Tensor, goals: Tensor, epochs: int = 25, batch: int = 128) -> nn.Sequential:
    torch.manual_seed(0)
    wide = nn.Linear(inputs.shape[1], HIDDEN)
    net = nn.Sequential(
        nn.Dropout(0.2), wide, nn.GELU(), nn.Dropout(0.5), nn.Linear(HIDDEN, goals.shape[1])
    )
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.02)
    for epoch in range(epochs):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1 - epoch / epochs)
        for rows in torch.randperm(len(inputs)).split(batch):
            chances = F.log_softmax(net(inputs[rows]), dim=1)
            loss = -(goals[rows] * chances).sum(dim=1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return net.eval()


def measured(
    words: Vocabulary, meaning: Meaning, texts: Sequence[str], known: Known
) -> Counter[str]:
    """How many phrases are read rightly, wrongly, or not at all."""
    counts: Counter[str] = Counter()
    for text in texts:
        found = {wish.sense for wish in read_wishes(text, words, meaning).wishes}
        counts["right" if found & known[text] else "wrong" if found else "none"] += 1
    return counts


def report(clip: OpenClip, vectors: Mapping[str, Tensor], empty: Sequence[str]) -> None:
    """Say what becomes of the held-out words, and of words that mean nothing."""
    leave, every = heldout(), known_words()
    without = {text: own for text, own in every.items() if text not in leave}
    layer, words = fitted(clip, vectors, without, empty[::2]), load_vocabulary(leave)
    meaning = related_without(leave, layer)
    captions = {t for cs in caption_words().values() for ts in cs.values() for t in ts}
    for name, inside in (("CLIP was taught", True), ("nobody was taught", False)):
        texts = [t for t in every if t in leave and (t in captions) == inside]
        counts = measured(words, meaning, texts, every)
        shares = {key: round(count / len(texts), 3) for key, count in counts.items()}
        typer.echo(f"held-out words that {name}: {len(texts)}, {shares}")
    odd = [t for t in empty[1::2] if read_wishes(t, words, meaning).wishes]
    typer.echo(f"words that mean nothing, taken for something: {len(odd) / len(empty[1::2]):.3f}")
    typer.echo(f"at a certainty of {SURE}; for example {odd[:12]}")


def main(
    clip: Annotated[Path, typer.Option(help="CLIP folder")],
    out: Annotated[Path, typer.Option(help="the file to write")] = FILE,
) -> None:
    """Measure on held-out words, then fit to all and write."""
    seeing, known = load_clip(clip, "cpu"), known_words()
    empty = empty_words(known)
    phrases = [*known, *empty]
    vectors = dict(zip(phrases, vectors_of(seeing, phrases), strict=True))
    report(seeing, vectors, empty)
    fitted(seeing, vectors, known, empty).save(out)


if __name__ == "__main__":
    typer.run(main)
