"""Fits what WordNet's other words mean for a face, and writes those that mean something.

    python -m recipes.words.related

A softmax regression over what WordNet says of a word: its meanings and what they are kinds of, what
is similar to, made from or opposite to them, and the words of their explanations. It learns from
the vocabulary's words and from many that mean nothing for a face, and is read off for every word of
WordNet that the vocabulary lacks. Needs Debian's `wordnet-base`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import torch
import typer
from torch import Tensor

from guidance.wishes.meaning import RELATED, Related, WordMeaning, load_related
from guidance.wishes.normal import BREAK, stem, tokens_of
from guidance.wishes.types import Sense
from guidance.wishes.vocabulary import load_vocabulary
from multimodal.files.weights import atomic
from recipes.words.known import Known, known_words
from recipes.words.wordnet import Synset, WordNet

UP = 0.85
"""What each step towards a more general meaning leaves of its weight."""

NEAR = {"similar": 1.0, "derived": 1.0, "pertains": 1.0, "also": 0.7}
AROUND = {"attributes": 0.7, "hyponyms": 0.4}
SECOND = {"up": 0.7, "similar": 0.5, "derived": 0.5, "attributes": 0.5}
"""Weights of meanings one step away, and of those one step further from `NEAR` ones."""

SYNONYM, GLOSS, PART = 0.7, 0.5, 0.5
MOST = 12
"""Meanings that are followed of each kind of step."""

EMPTY = 18000
"""Words that mean nothing for a face."""

PENALTY, STEPS = 1e-6, 60
FEWEST, CLOSE, CLASSES = -6.0, 4.0, 3
"""Log-odds against meaning nothing from which a word is written; how far behind its likeliest
class, and how many, further ones are."""

UNSEEN = ("background", "light")
"""Attributes that no face has."""

_SMALL = frozenset(
    word
    for line in (
        "a an the of in or to and for with that is by on as from at who which be being having",
        "used it its their not no very usually especially any are was has have you he she they etc",
        "one something someone",
    )
    for word in line.split()
)
Features = Mapping[str, float]


class Relations:
    """What WordNet says of words, as weighted features."""

    def __init__(self, net: WordNet) -> None:
        self.net = net
        self._of: dict[int, Features] = {}

    def lemma(self, text: str) -> str | None:
        """The lemma that a phrase is, with or without its articles."""
        key = " ".join(load_vocabulary().key(text))
        return next((w for w in (text, key, key.replace(" ", "-")) if w in self.net), None)

    def is_name(self, lemma: str) -> bool:
        """Is it written with a capital in all its meanings?"""
        forms = (w for s in self.net.senses(lemma) for w in s.lemmas if w.lower() == lemma)
        return all(form != lemma for form in forms)

    def features(self, lemma: str) -> Features:
        """Of a word: of its meanings, the rarer the less."""
        found: Counter[str] = Counter()
        rank: Counter[str] = Counter()
        total = 0.0
        for synset in self.net.senses(lemma):
            rank[synset.pos] += 1
            weight = 1 / rank[synset.pos]
            total += weight
            for name, value in self._synset(synset).items():
                found[name] += weight * value  # type: ignore[assignment]
        parts = {f"part {stem(p)}": PART for p in lemma.replace("-", " ").split()}
        return {**{name: value / total for name, value in found.items()}, **parts}

    def _synset(self, synset: Synset) -> Features:
        if id(synset) not in self._of:
            words = {stem(t) for t in tokens_of(synset.gloss.split('"')[0]) if t != BREAK}
            own = {f"gloss {word}": GLOSS for word in words - _SMALL}
            own |= {f"word {lemma.lower()}": SYNONYM for lemma in synset.lemmas}
            own |= {f"against {_name(one)}": 1.0 for one in self.net.follow(synset, "opposite")}
            self._of[id(synset)] = {**own, **self._around(synset)}
        return self._of[id(synset)]

    def _around(self, synset: Synset) -> Features:
        """Meanings near one, and it itself."""
        found = {_name(synset): 1.5}

        def take(synsets: Iterable[Synset], weight: float) -> None:
            for one in synsets:
                found[_name(one)] = max(weight, found.get(_name(one), 0.0))

        layer, weight = [synset], 1.0
        while layer:
            weight *= UP
            layer = [
                u for one in layer for u in self.net.follow(one, "up") if _name(u) not in found
            ]
            take(layer, weight)
        for relation, weight in (NEAR | AROUND).items():
            near = self.net.follow(synset, relation)[:MOST]
            take(near, weight)
            for further, share in SECOND.items() if relation in NEAR else ():
                for one in near:
                    take(self.net.follow(one, further)[:MOST], weight * share)
        return found


def _name(synset: Synset) -> str:
    return f"meaning {synset.pos} {synset.place}"


@dataclass(frozen=True)
class RelatedModel:
    """The regression: names of features to rows of `weight` `[F, N + 1]`; the last is nothing."""

    index: Mapping[str, int]
    senses: tuple[Sense, ...]
    weight: Tensor
    bias: Tensor

    def odds(self, features: Sequence[Features]) -> Tensor:
        """Log-odds of every class against meaning nothing, `[B, N]`."""
        scores = torch.sparse.mm(_matrix(features, self.index), self.weight) + self.bias
        return scores[:, :-1] - scores[:, -1:]


def fitted(relations: Relations, known: Known, empty: Sequence[str]) -> RelatedModel:
    """The regression, by L-BFGS."""
    senses = tuple(sorted({sense for own in known.values() for sense in own}))
    lemmas = [(relations.lemma(text), own) for text, own in known.items()]
    taught = [(lemma, own) for lemma, own in lemmas if lemma is not None]
    features = [relations.features(lemma) for lemma in (*(one for one, _ in taught), *empty)]
    counts = Counter(name for own in features[: len(taught)] for name in own)
    index = {name: i for i, name in enumerate(n for n, count in counts.items() if count > 1)}
    goals = torch.zeros(len(features), len(senses) + 1)
    for row, (_, own) in enumerate(taught):
        for sense in own:
            goals[row, senses.index(sense)] = 1 / len(own)
    goals[len(taught) :, -1] = 1.0
    inputs = _matrix(features, index)
    weight = torch.zeros(len(index), len(senses) + 1, requires_grad=True)
    bias = torch.zeros(len(senses) + 1, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weight, bias], max_iter=STEPS, history_size=8, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        chances = torch.log_softmax(torch.sparse.mm(inputs, weight) + bias, dim=1)
        value = -(goals * chances).sum() / goals.sum() + PENALTY * weight.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    return RelatedModel(index, senses, weight.detach(), bias.detach())


def _matrix(features: Sequence[Features], index: Mapping[str, int]) -> Tensor:
    cells = [
        (row, index[name], value)
        for row, own in enumerate(features)
        for name, value in own.items()
        if name in index
    ]
    places = torch.tensor([(row, column) for row, column, _ in cells]).reshape(-1, 2).T
    values = torch.tensor([value for _, _, value in cells])
    size = (len(features), len(index))
    return torch.sparse_coo_tensor(places, values, size, check_invariants=True).coalesce()


def empty_lemmas(relations: Relations, known: Iterable[str], seed: int = 6) -> list[str]:
    """Words that are in no class, the commoner ones first."""
    draw, taken = random.Random(seed), {relations.lemma(text) for text in known}
    rest = [w for w in relations.net.words() if w not in taken and w.replace(" ", "").isalpha()]
    rest = list(dict.fromkeys(rest))
    common = [w for w in rest if len(relations.net.senses(w)) > 1]
    return [*draw.sample(common, EMPTY * 2 // 3), *draw.sample(rest, EMPTY // 3)]


def written(model: RelatedModel, relations: Relations, lemmas: Sequence[str]) -> str:
    """The file's text: of every class the words, each with its log-odds in tenths."""
    classes: dict[Sense, list[str]] = {}
    for start in range(0, len(lemmas), 4096):
        part = lemmas[start : start + 4096]
        odds = model.odds([relations.features(lemma) for lemma in part])
        best, place = odds.topk(min(CLASSES, odds.shape[1]), dim=1)
        for row in (best[:, 0] >= FEWEST).nonzero().flatten().tolist():
            name = "_".join(tokens_of(part[row]))
            for value, sense in zip(best[row].tolist(), place[row].tolist(), strict=True):
                seen = model.senses[sense][0] not in UNSEEN
                if seen and value >= max(best[row, 0].item() - CLOSE, FEWEST):
                    entry = f"{name}:{round(value * 10)}"
                    classes.setdefault(model.senses[sense], []).append(entry)
    lines = [
        "# Words of WordNet 3.0 that the vocabulary lacks, and what each means for a face, with",
        "# ten times its log-odds against meaning nothing: fitted by recipes.words.related.",
        "# Copyright 2006 Princeton University, see WORDNET_LICENSE.",
    ]
    for sense, entries in sorted(classes.items()):
        lines.append(f'"{sense[0]}: {sense[1]}" = """\n{_wrapped(sorted(set(entries)))}"""')
    return "\n".join(lines) + "\n"


def _wrapped(entries: Sequence[str], width: int = 98) -> str:
    lines = [""]
    for entry in entries:
        if len(lines[-1]) + len(entry) > width:
            lines.append("")
        lines[-1] += entry + " "
    return "".join(line.rstrip() + "\n" for line in lines)


def text_of(known: Known, empty: int = 1) -> str:
    """The file's text, of a fit to some words.

    Args:
        known: the words, with their classes.
        empty: one of how many words that mean nothing is fitted to.
    """
    relations = Relations(WordNet())
    model = fitted(relations, known, empty_lemmas(relations, known_words())[::empty])
    return written(model, relations, all_lemmas(relations, known))


def related_without(leave: frozenset[str], layer: WordMeaning | None = None) -> Related:
    """Words of WordNet's by a fit that never met some words."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / RELATED.name
        path.write_text(text_of(known_words(leave), empty=2), encoding="utf-8")
        return load_related(layer, path)


def all_lemmas(relations: Relations, known: Iterable[str]) -> list[str]:
    """Every word of WordNet that is not in the vocabulary."""
    taken = {relations.lemma(text) for text in known}
    found = dict.fromkeys(relations.net.words())
    plain = (w for w in found if w.replace(" ", "").replace("-", "").isalpha())
    taken |= set(load_vocabulary().heads)
    return [w for w in plain if w not in taken and not relations.is_name(w)]


def main(out: Annotated[Path, typer.Option(help="the file to write")] = RELATED) -> None:
    """Fit to all words and write."""
    text = text_of(known_words())
    with atomic(out) as part:
        part.write_text(text, encoding="utf-8")
    typer.echo(f"{len(text.split())} words: {out}")


if __name__ == "__main__":
    typer.run(main)
