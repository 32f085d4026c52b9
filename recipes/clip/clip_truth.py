"""What captions claim: which captions are true of which renders, and prompts of every class."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from recipes.render.factors import Factors
from recipes.render.words.captions import age_group, labels
from recipes.render.words.wordings import NOUNS, WORDINGS

Claims = dict[str, frozenset[str]]
"""Attribute to the classes a caption allows."""


def facts(factors: Factors) -> dict[str, str]:
    """A render's classes, with the age group that nouns speak of."""
    return labels(factors) | {"group": age_group(factors.age)}


def _vocabulary() -> list[tuple[re.Pattern[str], tuple[tuple[str, frozenset[str]], ...]]]:
    """Wordings with what they claim, longest first."""
    meaning: dict[str, dict[str, set[str]]] = {}
    for attribute, classes in WORDINGS.items():
        for value, words in classes.items():
            for wording in words if attribute != "sex" else ():
                meaning.setdefault(wording, {}).setdefault(attribute, set()).add(value)
    for (sex, group), nouns in NOUNS.items():
        for noun in nouns:
            entry = meaning.setdefault(noun, {})
            entry.pop("age", None)
            entry.setdefault("sex", set()).add(sex)
            entry.setdefault("group", set()).add(group)
    for sex in ("male", "female"):  # "female elderly person": the word alone tells the sex only
        meaning[sex] = {"sex": {sex}}
    ordered = sorted(meaning, key=len, reverse=True)
    return [
        (
            re.compile(rf"(?<![\w-]){re.escape(w)}(?![\w-])"),
            tuple((attribute, frozenset(found)) for attribute, found in meaning[w].items()),
        )
        for w in ordered
    ]


_VOCABULARY = _vocabulary()


def claims(text: str) -> Claims:
    """What a caption of the training grammar says."""
    said: Claims = {}
    for pattern, meaning in _VOCABULARY:
        text, count = pattern.subn(" | ", text)
        if not count:
            continue
        for attribute, classes in meaning:
            said[attribute] = said.get(attribute, classes) & classes
    return said


def truth_matrix(images: Sequence[Mapping[str, str]], captions: Sequence[str]) -> Tensor:
    """`[len(images), len(captions)]`: 1 where nothing the caption says is false of the picture; a
    caption is always true of the picture at its own index."""
    said = [claims(text) for text in captions]
    out = np.zeros((len(images), len(captions)), dtype=np.float32)
    for i, known in enumerate(images):
        for j, claim in enumerate(said):
            true = all(known.get(attribute) in allowed for attribute, allowed in claim.items())
            out[i, j] = float(i == j or (bool(claim) and true))
    return torch.from_numpy(out)
