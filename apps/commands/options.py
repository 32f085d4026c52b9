"""Options that several commands take, written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

AUTO = "auto"

Photo = Annotated[Path, typer.Argument(help="A photo with a face.", show_default=False)]
Model = Annotated[str, typer.Option(help="A model's name (see `models list`) or file.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Json = Annotated[bool, typer.Option("--json", help="Print the outcome as one JSON object.")]


def _seed(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"--seed has {value.bit_length()} bits; it is a whole number of 64 bits")
    return value


Seed = Annotated[int, typer.Option(help="Everything random follows from it.", callback=_seed)]
FaceIndex = Annotated[
    int | None,
    typer.Option("--face", help="Which face, from 0, largest first; default the largest."),
]
Faces = Annotated[
    str | None,
    typer.Option(
        "--face",
        help="Which face, from 0, largest first, or all; default the largest.",
    ),
]
KeepDate = Annotated[
    bool, typer.Option("--keep-date", help="Keep when the photo was taken, and nothing else of it.")
]
Bits = Annotated[
    int,
    typer.Option(
        help="Bits a colour, 8 or 16 (PNG, TIFF): a deep photo keeps its own outside the edit."
    ),
]
IsAligned = Annotated[
    bool, typer.Option("--aligned", help="The picture is an FFHQ-aligned crop: take it as it is.")
]
InvertMethod = Annotated[
    str,
    typer.Option(
        "--inversion", help="How the photo is inverted: auto, encoder, hybrid, pivotal..."
    ),
]
Text = Annotated[
    str | None, typer.Option(help='What the face should look like: "a smiling old woman".')
]
Neutral = Annotated[str | None, typer.Option(help="What it looks like now, when that matters.")]
Sound = Annotated[
    list[Path] | None, typer.Option(help="A sound that drives the edit; may be given again.")
]
Say = Annotated[
    Path | None, typer.Option("--say", help='A recording of a spoken wish: "make her smile".')
]
Mix = Annotated[float, typer.Option(min=0, max=1, help="0 is all text, 1 is all sound.")]
Method = Annotated[str, typer.Option(help="How the edit is found; auto picks the best.")]
Strength = Annotated[float, typer.Option(help="How far; negative goes the other way.")]
Keep = Annotated[
    str | None, typer.Option(help="Attributes to leave alone, with commas: identity,age,hair.")
]
Region = Annotated[
    str | None, typer.Option(help="Change only this part: hair, eyes, mouth, skin, background.")
]
Mask = Annotated[
    Path | None, typer.Option(help="Change only where this picture of the face crop is white.")
]
Layers = Annotated[
    str | None, typer.Option(help="Change only these layers: coarse, medium, fine, with commas.")
]
Edits = Annotated[Path | None, typer.Option(help="Replay an edit list (JSON).")]
Fidelity = Annotated[
    str,
    typer.Option(help="photo changes the photo; drawing gives what the generator draws."),
]
Encoder = Annotated[
    str | None, typer.Option(help="An inversion encoder file (pSp, e4e, ReStyle) to use instead.")
]
Clip = Annotated[
    str | None, typer.Option(help="A CLIP to use instead: ViT-B-32/openai, or an open_clip folder.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting of the method, as in steps=50; may be given again."),
]


def named_values(given: list[str] | None) -> dict[str, Any]:
    """`name=value` words as keyword arguments: numbers and true/false as such, all else as text.

    Raises:
        ValueError: a word without a name or a value.
    """
    found: dict[str, Any] = {}
    for word in given or ():
        name, equals, value = word.partition("=")
        if not (name.isidentifier() and equals and value):
            raise ValueError(f"--set takes name=value, not {word!r}")
        found[name] = _value(value)
    return found


def pairs(given: list[str] | None) -> tuple[tuple[str, Any], ...]:
    """The same as pairs, which a frozen spec can hold."""
    return tuple(named_values(given).items())


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
