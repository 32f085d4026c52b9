"""Old names of recipes, forwarded for one version: `python -m recipes.train_clip` still starts.

A finder of the import system rather than a file a name: recipes keep their rooms free of stubs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_file_location
from types import ModuleType

MOVED = {
    name: f"{room}.{name}"
    for room, names in {
        "generator": "train_generator train_portrait fit_mapping",
        "encoder": "train_encoder",
        "judge": "train_identity train_judge",
        "clip": "train_clip refine_text",
        "words": "train_text_encoder",
        "factors": "directions edit_directions factor_words train_delta",
        "evaluate": "evaluate_clip evaluate_perfect evaluate_sound evaluation_pack",
        "pack": "pack_variant model_card",
    }.items()
    for name in names.split()
}
"""Room and name of each recipe that had a command, by its old name."""


class Forwarder(MetaPathFinder):
    """Finds `recipes.NAME` where it lies now, and says so in one line."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The recipe's file under its old name, or None for any other module."""
        package, _, name = fullname.rpartition(".")
        if package != "recipes" or name not in MOVED:
            return None
        now = find_spec(f"recipes.{MOVED[name]}")
        if now is None or now.origin is None:
            return None
        sys.stderr.write(f"{fullname} is now recipes.{MOVED[name]}; this name ends next version\n")
        return spec_from_file_location(fullname, now.origin)


def forward() -> None:
    """Let the import system ask here last, once."""
    if not any(isinstance(finder, Forwarder) for finder in sys.meta_path):
        sys.meta_path.append(Forwarder())
