"""The quarter of all words that is held out: what a vocabulary is measured by that lacks them.

    python -m recipes.words.heldout

writes `heldout.txt`, once, by seed and before anything was built on the rest. Words of one stem are
held out together (grin, grinning). The shipped vocabulary holds all words; figures are of one that
was built without these, and nothing was chosen by them.
"""

from __future__ import annotations

import random
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import typer

from guidance.wishes.normal import stem, tokens_of
from multimodal.files.weights import atomic
from recipes.words.gather import OUT

PATH = Path(__file__).with_name("heldout.txt")
SEED, SHARE = 19, 0.25


@lru_cache(maxsize=1)
def heldout() -> frozenset[str]:
    """The words and names of colours that are held out."""
    lines = PATH.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def key_of(word: str) -> str:
    """What is held out together: the stem of a single word, a phrase by itself."""
    tokens = tokens_of(word)
    return stem(tokens[0]) if len(tokens) == 1 else " ".join(tokens)


def chosen(words: dict[str, Any], seed: int = SEED, share: float = SHARE) -> list[str]:
    """A share of all words and colour names, by seed."""
    classes = [cs for s in ("captions", "wordnet") for cs in words[s].values()]
    every = {w for cs in classes for ws in cs.values() for w in ws} | set(words["colors"])
    keys = sorted({key_of(word) for word in every})
    held = set(random.Random(seed).sample(keys, round(share * len(keys))))
    return sorted(word for word in every if key_of(word) in held)


def main(
    words: Annotated[Path, typer.Option(help="the vocabulary's words")] = OUT,
    out: Annotated[Path, typer.Option(help="the list to write")] = PATH,
) -> None:
    """Write the list."""
    found = chosen(tomllib.loads(words.read_text(encoding="utf-8")))
    head = f"# A quarter of all words and colours, by seed {SEED}; see recipes/words/heldout.py.\n"
    with atomic(out) as part:
        part.write_text(head + "\n".join(found) + "\n", encoding="utf-8")
    typer.echo(f"{len(found)} words held out: {out}")


if __name__ == "__main__":
    typer.run(main)
