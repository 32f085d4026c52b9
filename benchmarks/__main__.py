"""All benchmarks in one table: `python -m benchmarks --model default`.

Every ratio is of two times of this one run; above 1 means faster than what it is compared with.
Takes some minutes on two cores, `--quick` fewer.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import torch

from benchmarks import batch, edits, generator, serve_load
from benchmarks.table import HEADER, Figure, markdown
from multimodal import FaceEditor

RESOLUTIONS = (128, 256)
CHANNEL_BASE = 32768
"""Gives 512 channels up to 64 px, as the published networks have."""


def figures(model: str, quick: bool) -> Iterator[Figure]:
    """Every line, from the smallest part to the whole: generator, edits, studio, batch.

    Args:
        model: name or file.
        quick: fewer repeats, photos and clients.
    """
    for resolution in RESOLUTIONS[: 1 if quick else None]:
        network = generator.random_generator(resolution, CHANNEL_BASE)
        for size in (1,) if quick else (1, 4):
            for row in generator.measure(network, size, 1 if quick else 3, time.perf_counter):
                yield from (f.of(f"{resolution} px") for f in row.figures())
    editor = FaceEditor.from_pretrained(model)
    names = edits.methods_of(editor)
    yield from edits.figures(editor, names[:1] if quick else names, 1 if quick else 5)
    del editor
    clients, seconds = (2, 4.0) if quick else (16, 60.0)
    yield from serve_load.figures(model, clients, seconds)
    load = batch.Load(photos=2 if quick else 24, model=model)
    yield from batch.figures(load, (1,) if quick else (1, 2))


def main(arguments: list[str] | None = None) -> None:
    """Parse the options, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="default")
    parser.add_argument("--quick", action="store_true", help="fewer repeats, photos and clients")
    asked = parser.parse_args(arguments)
    rows = [figure.cells() for figure in figures(asked.model, asked.quick)]
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, wall time\n")
    print(markdown(HEADER, rows))


if __name__ == "__main__":
    main()
