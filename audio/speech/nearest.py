"""Which of some sentences was said: the one whose phones are nearest to what was recognised.

A recogniser's words are often wrong where their sounds are nearly right ("weaker laugh" for "make
her laugh"). Sentences are compared by the cost of turning one row of phones into the other
(Levenshtein 1966), where phones of one kind (vowels, stops ...) are half as far from each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

KINDS = (
    "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW",
    "P T K B D G",
    "F V TH DH S Z SH ZH CH JH HH",
    "M N NG",
    "L R W Y",
)
"""Phones of the CMU dictionary, by kind."""

VOWELS = frozenset(KINDS[0].split())

ALIKE, MISSED = 0.5, 0.7
"""Cost of a phone for another of its kind, and of one that is left out or put in."""


class NearestSentence:
    """Finds the sentence whose phones are nearest to some recognised ones.

    Args:
        sentences: that can be found, each once.
        pronounce: a sentence's phones.
    """

    def __init__(self, sentences: Sequence[str], pronounce: Callable[[str], Sequence[str]]) -> None:
        kinds = [(phone, kind) for kind, phones in enumerate(KINDS) for phone in phones.split()]
        self._place = {phone: place for place, (phone, _) in enumerate(kinds)}
        kind = np.array([kind for _, kind in kinds])
        costs = np.where(kind[:, None] == kind[None], ALIKE, 1.0).astype(np.float32)
        np.fill_diagonal(costs, 0.0)
        self._costs = np.pad(costs, (0, 1), constant_values=1.0)
        self.sentences, self._pronounce = tuple(sentences), pronounce
        rows = [self._places(sentence) for sentence in sentences]
        self.lengths = np.array([len(row) for row in rows])
        self._rows = np.full((len(rows), self.lengths.max()), len(kinds))
        for row, places in zip(self._rows, rows, strict=True):
            row[: len(places)] = places

    def _places(self, sentence: str) -> list[int]:
        return [self._place[phone] for phone in self._pronounce(sentence)]

    def distances(self, heard: str) -> np.ndarray:
        """How far every sentence is from recognised words, `[N]`, in phones."""
        most = self._rows.shape[1]
        costs = np.tile(np.arange(most + 1, dtype=np.float32) * MISSED, (len(self._rows), 1))
        for phone in self._places(heard):
            changed = np.minimum(
                costs[:, :-1] + self._costs[phone][self._rows], costs[:, 1:] + MISSED
            )
            after = np.empty_like(costs)
            after[:, 0] = costs[:, 0] + MISSED
            for place in range(most):
                after[:, place + 1] = np.minimum(changed[:, place], after[:, place] + MISSED)
            costs = after
        found: np.ndarray = costs[np.arange(len(costs)), self.lengths]
        return found

    def find(
        self,
        heard: Sequence[str],
        fits: Callable[[Sequence[str]], np.ndarray] | None = None,
        count: int = 10,
        weight: float = 0.1,
    ) -> tuple[str, float]:
        """The sentence nearest to several recognitions of one recording, and how far it is from
        them, as a share of its length.

        Args:
            heard: the recognitions.
            fits: how well some sentences fit the recording itself; asked of the nearest, it decides
                among them.
            count: of those.
            weight: what a phone of distance counts against the fit.
        """
        total = np.mean([self.distances(text) for text in heard], axis=0)
        nearest = total.argsort(kind="stable")[:count]
        best = int(nearest[0])
        if fits is not None:
            worth = fits([self.sentences[i] for i in nearest]) - weight * total[nearest]
            best = int(nearest[int(worth.argmax())])
        return self.sentences[best], float(total[best] / max(self.lengths[best], 1))
