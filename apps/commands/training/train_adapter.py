"""`semblance train-adapter`: the bundle's ears for another CLIP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.commands import options as o
from apps.console import counter, report, say

MAX_TEXT_BYTES = 1 << 24

Target = Annotated[
    str, typer.Argument(help="The CLIP to reach: ViT-B-32/openai, or an open_clip folder.")
]
Texts = Annotated[Path | None, typer.Option(help="A file of more texts, one a line.")]
Hidden = Annotated[int, typer.Option(min=0, max=4096, help="Channels of a hidden layer.")]
Captions = Annotated[int, typer.Option(min=0, max=100_000, help="Descriptions of faces read.")]


def train_adapter(
    clip: Target,
    texts: Texts = None,
    captions: Captions = 3000,
    hidden: Hidden = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to; default: where edits look for it.")
    ] = None,
    seed: o.Seed = 0,
    model: o.Model = "default",
    device: o.Device = "auto",
    as_json: o.Json = False,
) -> None:
    """Train the adapter that leads from the model's sound encoder to any open_clip model."""
    from apps.edits import load_editor
    from audio.alignment import save_adapter
    from guidance.clip import load_clip
    from multimodal.editing.assemble import own_folder
    from recipes.sound.adapter import text_bank
    from recipes.sound.adapter import train_adapter as train

    own = load_editor(model, device).toolkit.clip
    if not getattr(own, "has_sentences", False):
        raise ValueError("this model's CLIP has no sentence space that its sound encoder speaks")
    bank = [*(_lines(texts) if texts else []), *text_bank(captions, seed)]
    say(f"reading {len(bank)} texts ...")
    reached = load_clip(clip, device)
    with counter("fitting") as advance:
        adapter, cosine = train(
            own, reached, bank, hidden, seed, lambda at, of, loss: advance(at, of, f"{loss:.3f}")
        )
    folder = out or own_folder(model, clip)
    save_adapter(adapter, folder, clip)
    report({"clip": clip, "texts": len(bank), "cosine": cosine, "adapter": folder}, as_json)


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise ValueError(f"{path.name} is larger than {MAX_TEXT_BYTES >> 20} MiB")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not a text file in UTF-8") from error
    return list(dict.fromkeys(line.strip() for line in lines if line.strip()))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train_adapter)
