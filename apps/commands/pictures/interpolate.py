"""`semblance interpolate`: from one face to another, as a clip or a strip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.commands.options import Device, Json, Model
from apps.console import Advance, counter, report, say

if TYPE_CHECKING:
    from PIL import Image

    from multimodal import FaceEditor
    from multimodal.types import Latent

MAX_FRAMES = 10_000
STRIP_FRAMES, CLIP_FRAMES = 16, 50
MAX_STRIP = 64
_BATCH = 8

End = Annotated[str, typer.Argument(help="A latent.safetensors, a photo, or seed:N.")]


def interpolate(
    a: End,
    b: End,
    out: Annotated[Path, typer.Option(help=".mp4, .gif, .webp, or .png for a strip.")],
    frames: Annotated[
        int | None,
        typer.Option(min=2, max=MAX_FRAMES, help="Pictures; 50 in a clip, 16 in a strip."),
    ] = None,
    fps: Annotated[float, typer.Option(min=1, max=120, help="Pictures a second.")] = 25.0,
    model: Model = "default",
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Move from face A to face B along a straight line in W+ (along the sphere, where all is z)."""
    from apps.clips.video import CLIP_FORMATS, write_clip
    from apps.edits import load_editor
    from apps.outputs import with_suffix_of
    from apps.sheet import strip
    from multimodal.images import SUFFIXES, save_image

    still = out.suffix.lower() in SUFFIXES
    with_suffix_of(out, (*CLIP_FORMATS, *SUFFIXES), "a clip or strip")
    frames = frames or (STRIP_FRAMES if still else CLIP_FRAMES)
    if still and frames > MAX_STRIP:
        raise ValueError(f"a strip has at most {MAX_STRIP} pictures; a clip may have {frames}")
    editor = load_editor(model, device)
    first, last = latent_of(editor, a), latent_of(editor, b)
    with counter("drawing") as advance:
        pictures = walk(editor, first, last, frames, advance)
        if still:
            save_image(strip(list(pictures)), out, "AI-generated faces")
        else:
            write_clip(pictures, out, fps)
    report({"out": out, "frames": frames}, as_json)


def latent_of(editor: FaceEditor, source: str) -> Latent:
    """The latent a word names: `seed:N`, a saved face, or a photo to invert.

    Raises:
        ValueError: the seed is not a number.
    """
    from apps.faces import load_face

    if source.startswith("seed:"):
        seed = source.removeprefix("seed:")
        if not (seed.isdecimal() and len(seed) < 20):
            raise ValueError(f"{source[:40]!r}: a seed is a whole number of 64 bits, as in seed:7")
        return editor.sampled(1, int(seed))
    face = load_face(editor, Path(source))
    extra = {
        "noise maps": face.latent.noise,
        "style vectors": face.latent.styles,
        "tuned weights": face.tuned,
    }
    left_out = [name for name, held in extra.items() if held]
    if left_out:
        say(f"{Path(source).name}: the way is through W+; its {' and '.join(left_out)} stay behind")
    return face.latent.to(editor.generator.device)


def walk(
    editor: FaceEditor, first: Latent, last: Latent, frames: int, advance: Advance
) -> Iterator[Image.Image]:
    """The pictures from `first` to `last`, both included, a batch at a time."""
    import torch

    from multimodal.images import to_pil
    from multimodal.latents import lerp, slerp, spaces_of

    move = lerp if "w" in spaces_of(editor.generator) else slerp
    shares = torch.linspace(0, 1, frames, device=first.w.device)[:, None, None]
    for start in range(0, frames, _BATCH):
        part = shares[start : start + _BATCH]
        codes = move(first.w.expand(len(part), -1, -1), last.w.to(first.w), part)
        for picture in editor.generator.synthesize(codes):
            yield to_pil(picture)
        advance(min(start + _BATCH, frames), frames, "")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(interpolate)
