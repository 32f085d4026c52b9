"""What the examples share: their two options and a ready editor."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from apps.edits import TINY_NOTE, bundled_model
from multimodal import FaceEditor


@dataclass(frozen=True)
class Options:
    """What an example was started with.

    Args:
        model: a model's name, folder or file.
        out: folder for what it writes.
    """

    model: str
    out: Path

    def editor(self) -> FaceEditor:
        """The model, loaded on the best device there is."""
        return FaceEditor.from_pretrained(self.model)


def start(about: str | None) -> Options:
    """Read the command line; without a bundled model, say so and take the tiny one."""
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    parser.add_argument("--model", help="a model's name or file; default: the bundled one")
    parser.add_argument("--out", type=Path, default=Path("out/examples"), help="folder to write to")
    given = parser.parse_args()
    model = given.model or bundled_model()
    if model == "tiny":
        print(TINY_NOTE, file=sys.stderr)
    return Options(model, given.out)
